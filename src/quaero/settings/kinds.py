"""The kinds of values that settings have: how each is read, and how it is written."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from quaero.settings.units import format_duration, format_size, parse_duration, parse_size


def quoted(value: Any) -> str:
    """A value as TOML has it, on one line and without control characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


@dataclass(frozen=True, slots=True)
class Written:
    """How values of a kind are written: in words for people, and one of them as text."""

    words: str
    text: Callable[[Any], str] = quoted
    secret: bool = False


def _duration(value: object) -> float:
    return parse_duration(_string(value))


def _size(value: object) -> int:
    return parse_size(_string(value))


def _queue_name(value: object) -> str:
    name = _string(value)
    if not name.isprintable() or len(name) > 200:
        raise ValueError(f"{name!r} is no queue name")
    return name


def _header_text(value: object) -> str:
    text = _string(value)
    if not (text.isascii() and text.isprintable()) or text != text.strip() or len(text) > 200:
        raise ValueError(f"{text!r} cannot be sent in a header")
    return text


def _path(value: object) -> Path:
    text = str(value) if isinstance(value, Path) else _string(value)
    if "\0" in text:
        raise ValueError(f"{text!r} is no path")
    return Path(os.path.expanduser(text))  # noqa: PTH111 - leaves a `~` that means nobody


def _networks(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list")  # noqa: TRY004 - pydantic's way
    return tuple(str(ipaddress.ip_network(_string(each), strict=False)) for each in value)


def _places(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list")  # noqa: TRY004 - pydantic's way
    places = tuple(_string(each) for each in value)
    for place in places:
        if not all(part.isidentifier() for part in place.replace(":", ".", 1).split(".")):
            raise ValueError(f"{place!r} is no module")
    return places


def _string(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no text")
    return value


def _host_name(value: object) -> str:
    name = _string(value).lower()
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789.-:[]_")
    if not set(name) <= allowed or len(name) > 253:
        raise ValueError(f"{name!r} is no host name")
    return name


def _host_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list")  # noqa: TRY004 - pydantic's way
    return tuple(_host_name(each) for each in value)


def _secret(value: object) -> SecretStr:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not (text.isascii() and text.isprintable()) or len(text) > 4000:
        raise ValueError("it cannot be sent in a header")
    return SecretStr(text)


def _base_url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - pydantic's way
    parts = urlsplit(value)
    if parts.port == 0:  # one over 65535 is a `ValueError` of its own
        raise ValueError(f"{value!r} has no port to ask at")
    if value and not (parts.scheme in ("http", "https") and parts.hostname and value.isprintable()):
        raise ValueError(f"{value!r} is no address")
    if parts.username or parts.query or parts.fragment or len(value) > 2000:
        raise ValueError(f"{value!r} is more than an address")
    return value.rstrip("/")


def _free_text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > 100_000:
        raise ValueError(f"{value!r} is no text")
    return value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    Written("a duration", lambda seconds: quoted(format_duration(seconds))),
]
Size = Annotated[
    int, BeforeValidator(_size), Written("a size", lambda size: quoted(format_size(size)))
]
HostName = Annotated[str, BeforeValidator(_host_name), Written("a host name or address")]
HostNames = Annotated[
    tuple[str, ...], BeforeValidator(_host_names), Written('a list such as ["kb.example.org"]')
]
QueueName = Annotated[str, BeforeValidator(_queue_name), Written("1 to 200 printable characters")]
HeaderText = Annotated[
    str, BeforeValidator(_header_text), Written("1 to 200 printable ASCII characters")
]
Location = Annotated[Path, BeforeValidator(_path), Written("a path that is not empty")]
Networks = Annotated[
    tuple[str, ...],
    BeforeValidator(_networks),
    Written('a list of networks such as ["10.0.0.0/8", "fd00::/8"]'),
]


Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    Written(
        "at most 4,000 printable ASCII characters",
        lambda secret: quoted("********" if secret.get_secret_value() else ""),
        secret=True,
    ),
]
BaseUrl = Annotated[
    str,
    BeforeValidator(_base_url),
    Written("an address such as http://localhost:11434/v1, without login and query"),
]
FreeText = Annotated[
    str, BeforeValidator(_free_text), Written("a text of at most 100,000 characters")
]
Places = Annotated[
    tuple[str, ...],
    BeforeValidator(_places),
    Written('a list of modules such as ["mypackage.jobs", "mypackage.jobs:job_types"]'),
]
