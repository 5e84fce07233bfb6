"""What callers give to the queue's verbs, looked at before anything is written.

Each function returns what it was given, in the queue's own units, or raises `BadInput` naming the
value and what to give instead. Layers that have looked at their values already do without.
"""

from __future__ import annotations

from typing import Any

import msgspec

from quaero.clock import SECOND
from quaero.db.contract import ReadTx
from quaero.errors import BadInput
from quaero.queue.backoff import LONGEST_DELAY
from quaero.queue.message import Delivery, Lane, NewMessage, Token

_LEAST = -(2**63)
_LONGEST_NAME = 200
LONGEST_ERROR = 10_000


def transaction(tx: ReadTx, verb: str) -> None:
    """Refuse a verb that was called by itself."""
    if not hasattr(tx, "now"):
        raise BadInput(
            f"{verb} got {short(tx)} in place of a transaction; run it with "
            f"db.write_sync(queue.{verb}, …) or await db.write(queue.{verb}, …)"
        )


def queue_name(name: Any) -> str:
    """The name of a queue."""
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise BadInput(f"{short(name)} is no queue name; use 1 to 200 printable characters")
    return name


def whole(value: Any, what: str, least: int = _LEAST) -> int:
    """A whole number of 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not _LEAST <= value < -_LEAST:
        raise BadInput(f"{what} {short(value)} must be a whole number of 64 bits")
    if value < least:
        raise BadInput(f"{what} {value} must be at least {least}")
    return value


def micros(seconds: Any, what: str = "delay") -> int:
    """A time to wait, given in seconds."""
    if not isinstance(seconds, int | float) or not 0 <= seconds < LONGEST_DELAY:
        raise BadInput(
            f"{what} {short(seconds)} must be a number of seconds: 0 or more, less than 30 years"
        )
    return int(seconds * SECOND)


def text(value: Any, what: str) -> str:
    """A text that every database can hold."""
    if not isinstance(value, str) or "\x00" in value or not is_unicode(value):
        raise BadInput(f"{what} {short(value)} must be text without NUL and lone surrogates")
    return value


def lane(value: Any) -> Lane:
    """A lane; its limits are looked at where they are written."""
    if not isinstance(value, Lane):
        raise BadInput(f"lane {short(value)} must be a Lane, such as Lane('ann', max_running=1)")
    text(value.key, "the key of a lane")
    whole(value.max_running, f"max_running of lane {value.key!r}")
    whole(value.min_interval, f"min_interval of lane {value.key!r}, in microseconds,")
    return value


def message(value: Any) -> NewMessage:
    """A message to send."""
    if not isinstance(value, NewMessage):
        raise BadInput(f"{short(value)} is no NewMessage; make one with queue.message(payload, …)")
    text(value.type, "type")
    whole(value.priority, "priority")
    whole(value.delay, "delay in microseconds", least=0)
    whole(value.job_id, "job_id", least=0)
    if value.at is not None:
        whole(value.at, "at, a wall time in microseconds,")
    if value.payload is not None:
        _json(value.payload)
    if value.lane is not None:
        lane(value.lane)
    if value.dedup is not None:
        text(value.dedup, "dedup")
    return value


def token(delivery: Any) -> Token:
    """What settles a delivery."""
    if isinstance(delivery, Token):
        return delivery
    if not isinstance(delivery, Delivery):
        raise BadInput(f"{short(delivery)} is no delivery; give what receive returned, or a token")
    return delivery.token


def error_text(error: Any) -> str:
    """Any error, or what somebody says of one, as text that a database can hold."""
    if isinstance(error, BaseException):
        words = shown(error)
        return f"{type(error).__name__}: {words}" if words else type(error).__name__
    return shown(error)


def shown(value: Any, longest: int = LONGEST_ERROR) -> str:
    """Any object as text that a database can hold; some objects cannot be shown."""
    try:
        words = str(value)[:longest]
    except BaseException as error:  # noqa: BLE001 - it is somebody else's code
        words = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return words.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def is_unicode(value: str) -> bool:
    """Whether a text has no lone surrogates, which no encoding holds."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json(payload: Any) -> None:
    try:
        msgspec.json.decode(text(payload, "payload"), type=msgspec.Raw)
    except (BadInput, msgspec.DecodeError) as error:
        raise BadInput(
            f"the payload {short(payload)} is no JSON text; queue.message(payload) makes it one"
        ) from error


def short(value: Any) -> str:
    """Any value as an error names it."""
    try:
        words = repr(value)
    except BaseException:  # noqa: BLE001 - it is somebody else's code
        words = f"<{type(value).__name__}>"
    return words if len(words) <= 80 else f"{words[:79]}…"
