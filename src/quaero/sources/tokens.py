"""When a token ends, where it says so itself: JSON Web Tokens (RFC 7519, 4.1.4) do."""

from __future__ import annotations

import base64
import binascii

import msgspec

from quaero.clock import LAST_SECOND


class _Claims(msgspec.Struct):
    exp: float | None = None


def expiry_of_token(value: str) -> int | None:
    """The second since 1970 at which a header's token ends; None where it does not say."""
    token = value.rpartition(" ")[2]
    parts = token.split(".")
    if len(parts) != 3:
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    if claims.exp is None or not 0 < claims.exp < LAST_SECOND:
        return None
    return int(claims.exp)
