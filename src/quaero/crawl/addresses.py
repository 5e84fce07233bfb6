"""The addresses of one page's links, absolute.

A page repeats its addresses, so each is resolved once (WHATWG URL, by ada).
"""

from __future__ import annotations

import ada_url

_LONGEST = 8192
_ABSOLUTE_ONLY = ("mailto:", "tel:", "news:", "irc:", "ftp:", "geo:", "sms:")


class Addresses:
    """Resolves references against the page's base address and remembers them."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._known: dict[str, str | None] = {}

    def of(self, reference: str) -> str | None:
        """Return the absolute address, or None for one that leads to no document."""
        if reference in self._known:
            return self._known[reference]
        address = self._known[reference] = self._resolve(reference.strip())
        return address

    def _resolve(self, reference: str) -> str | None:
        if not reference or len(reference) > _LONGEST:
            return None
        try:
            address = ada_url.join_url(self.base, reference)
        except ValueError:
            return None
        if address.startswith(("http:", "https:", *_ABSOLUTE_ONLY)):
            return str(address)
        return None
