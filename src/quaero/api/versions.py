"""If-Match: a change is made to what its client has seen, or refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, HTTPException

IfMatch = Annotated[
    str | None, Header(max_length=1_000, description="The `ETag` of what was read.")
]


def expect(if_match: str | None, what: str, version: int | str) -> None:
    """Refuse to change what nobody says to have seen, and what was changed since it was seen."""
    if if_match is None:
        raise HTTPException(428, f"send the ETag of {what} as If-Match, or * for whatever it is")
    if not _names(if_match, version):
        raise HTTPException(412, f"{what} was changed meanwhile; read it again")


def _names(if_match: str, version: int | str) -> bool:
    """Whether a header names a version: strong comparison (RFC 9110, section 13.1.1)."""
    return not {"*", f'"{version}"'}.isdisjoint(each.strip() for each in if_match.split(","))
