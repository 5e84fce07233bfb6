"""Cursors: where a page of a list ended, bound to the filter and order it belongs to.

Opaque to clients: base64url (RFC 4648, section 5) of a JSON array, a digest of the filter and then
the place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

import msgspec

from quaero.errors import BadInput
from quaero.reports.wanted import LARGEST_ID

PATTERN = r"^[A-Za-z0-9_=-]{4,800}$"
_Place = tuple[str, list[int]]


def write(place: Sequence[int], *bound: object) -> str:
    """The cursor for a place in a list, which `bound` describes."""
    data = msgspec.json.encode([_digest(bound), place])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(cursor: str | None, length: int | None, *bound: object) -> tuple[int, ...] | None:
    """The place of a cursor, of `length` numbers if one is given; None without a cursor.

    Raises `BadInput` for one of another list, another filter, or none at all.
    """
    if cursor is None:
        return None
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        digest, place = msgspec.json.decode(data, type=_Place)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{cursor[:80]!r} is no cursor; begin without one") from error
    if digest != _digest(bound):
        raise BadInput("the cursor belongs to another filter or order; begin without one")
    if (length is not None and len(place) != length) or any(
        abs(number) > LARGEST_ID for number in place
    ):
        raise BadInput("the cursor was changed; begin without one")
    return tuple(place)


def write_text(place: str, *bound: object) -> str:
    """The cursor for a place in a list that is ordered by a text."""
    return write([*place.encode()], *bound)


def read_text(cursor: str | None, *bound: object) -> str | None:
    """The place of a cursor of `write_text`; None without a cursor. Raises `BadInput`."""
    place = read(cursor, None, *bound)
    try:
        return None if place is None else bytes(place).decode()
    except ValueError as error:
        raise BadInput("the cursor was changed; begin without one") from error


def _digest(bound: Sequence[object]) -> str:
    return hashlib.blake2b(repr(bound).encode("utf-8", "replace"), digest_size=6).hexdigest()
