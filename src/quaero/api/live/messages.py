"""The words of the socket: what a client may ask, and what it is told.

Every frame of the server is a JSON array of messages, in order. Messages are made as bytes, once,
for all who hear them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec

from quaero.api.live.topics import Topic
from quaero.errors import BadInput

LARGEST_REQUEST = 64 * 1024
_encode = msgspec.json.Encoder().encode


class Resume(msgspec.Struct, forbid_unknown_fields=True):
    """Where a client was: the last cursor it saw."""

    feed: str | None = None


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One frame of a client."""

    subscribe: list[str] = []
    unsubscribe: list[str] = []
    resume: Resume | None = None
    ping: int | None = None


_decoder = msgspec.json.Decoder(Request)


def request(text: str | bytes) -> Request:
    """What a client asks. Raises `BadInput`."""
    if len(text) > LARGEST_REQUEST:
        raise BadInput(f"a frame has at most {LARGEST_REQUEST} bytes")
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadInput(f"this is not understood: {error}") from error


# -- cursors


def cursor(feed: str, seq: int) -> str:
    """A place in the feed of a database, as clients carry it."""
    return base64.urlsafe_b64encode(f"{feed}:{seq}".encode()).decode().rstrip("=")


def place(text: str, feed: str) -> int | None:
    """The number that a cursor stands for; None where it is of another feed, or of none."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        of, _, seq = base64.urlsafe_b64decode(padded).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    known = of == feed and seq.isascii() and seq.isdigit() and len(seq) < 19
    return int(seq) if known else None


# -- messages


def message(type_: str, **fields: Any) -> bytes:
    """A message with these fields."""
    return _encode({"type": type_, **fields})


def job(topic: Topic, item: bytes, *, child: bool) -> bytes:
    """A job as it is now; `item` is its JSON, made once for all topics."""
    below = b',"child":true' if child else b""
    return b'{"type":"job","topic":"%b"%b,"job":%b}' % (topic.text.encode(), below, item)


def deleted(topic: Topic, job_id: int) -> bytes:
    """A job is gone."""
    return message("deleted", topic=topic.text, id=job_id)


def encode(value: Any) -> bytes:
    """A value as JSON."""
    return _encode(value)


def frame(messages: Iterable[bytes]) -> bytes:
    """Messages as one frame."""
    return b"[" + b",".join(messages) + b"]"
