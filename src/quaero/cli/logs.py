"""The program's own log on standard error."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quaero.settings import Settings

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


def log_to_stderr(settings: Settings, unless_set: str | None = None) -> None:
    """Write log records from `logs.level` up, a line each, without control characters.

    Where `logs.level` was set nowhere, the level `unless_set` is taken in place of its default.
    """
    from quaero.cli.output import safe
    from quaero.settings import Source, origins

    class Lines(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return safe(super().format(record), lines=True)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    level: str = settings.logs.level
    if unless_set is not None and origins(settings)["logs.level"].source is Source.DEFAULT:
        level = unless_set
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
