"""From the four places to one checked `Settings`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr, ValidationError

from quaero.errors import BadConfig
from quaero.settings.catalogue import catalogue, value_of
from quaero.settings.model import Settings
from quaero.settings.sources import (
    CONFIG_VARIABLE,
    Layer,
    Origin,
    Source,
    read_command_line,
    read_environment,
    read_file,
    shown,
)

FILE_NAME = "quaero.toml"


class _Loaded(Settings):
    """Settings that know where they came from."""

    _file: Path | None = PrivateAttr(default=None)
    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    @property
    def file(self) -> Path | None:
        return self._file

    @property
    def origins(self) -> Mapping[str, Origin]:
        return self._origins

    def remember(self, file: Path | None, layers: list[Layer]) -> None:
        """Note where the values came from; the layers are the strongest first."""
        self._file = file
        for layer in reversed(layers):
            self._origins.update((key, given.origin) for key, given in layer.given.items())


def load(
    config: Path | None, overrides: Mapping[str, Any], environ: Mapping[str, str], cwd: Path
) -> Settings:
    """The settings of a program that runs in the folder `cwd` with the environment `environ`.

    `config` is the file named with `--config`. Without one it is the file named by
    `QUAERO_CONFIG`, else `quaero.toml` in `cwd`, else that in the user's configuration directory,
    else none. `overrides` holds what was given on the command line by key (`queue.concurrency`,
    `data_dir`), as text or as a value; None stands for an option that was not given.

    Raises BadConfig with one line for each thing that is wrong in any of the places.
    """
    file = _find(config, environ, cwd)
    layers = [read_command_line(overrides, cwd), read_environment(environ, cwd)]
    if file is not None:
        layers.append(read_file(file))
    if problems := [each for layer in layers for each in (*layer.problems, *_bad_values(layer))]:
        raise BadConfig("\n".join(problems))
    settings = _build(layers)
    settings.remember(file, layers)
    return settings


def origins(settings: Settings) -> dict[str, Origin]:
    """Where each value comes from, by key."""
    known = settings.origins if isinstance(settings, _Loaded) else {}
    return {key: known.get(key, Origin(Source.DEFAULT)) for key in catalogue()}


def texts(settings: Settings) -> dict[str, str]:
    """Each value as it would be written in the configuration file, by key."""
    return {
        key: setting.written.text(value_of(settings, key)) for key, setting in catalogue().items()
    }


def config_file(settings: Settings) -> Path | None:
    """The configuration file that was read, or None if there was none."""
    return settings.file if isinstance(settings, _Loaded) else None


def _find(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    if config is not None:
        return _named(cwd / config, "--config")
    if CONFIG_VARIABLE in environ:
        return _named(cwd / environ[CONFIG_VARIABLE], CONFIG_VARIABLE)
    import platformdirs

    folders = (cwd, platformdirs.user_config_path("quaero", appauthor=False))
    return next((each / FILE_NAME for each in folders if _exists(each / FILE_NAME)), None)


def _named(path: Path, by: str) -> Path:
    if not _exists(path):
        raise BadConfig(f"There is no configuration file {path}, which {by} names.")
    return path


def _exists(path: Path) -> bool:
    """Whether we can see a file there; one in a folder that is closed to us is none of ours."""
    return os.path.exists(path)  # noqa: PTH110 - `Path.exists` raises for a closed folder


def _build(layers: list[Layer]) -> _Loaded:
    """Settings from layers, the strongest first."""
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for name, value in layer.nested().items():
            if isinstance(value, dict) and isinstance(merged.get(name), dict):
                merged[name] |= value
            else:
                merged[name] = value
    return _Loaded(**merged)


def _shown(key: str, value: object) -> str:
    """A value as errors show it; a secret only says that there was one."""
    return '"********"' if catalogue()[key].written.secret else shown(value)


def _bad_values(layer: Layer) -> Iterator[str]:
    try:
        _build([layer])
    except ValidationError as error:
        for each in error.errors(include_url=False):
            key = ".".join(str(part) for part in each["loc"][:2])
            given = layer.given[key]
            yield (
                f"{key} = {_shown(key, given.value)} ({given.origin.where}): "
                f"it must be {catalogue()[key].allowed}."
            )
