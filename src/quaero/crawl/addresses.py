"""The addresses of one page's links, absolute.

A page repeats its addresses, so each is resolved once (WHATWG URL, by ada).
"""

from __future__ import annotations

import re

import ada_url

_LONGEST = 8192
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_UNICODE = ("utf-8", "utf-16-le", "utf-16-be")
# What may stand in a query as it is: the special-query set of the URL standard, the other way.
_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b"\"#<>'")
_ABSOLUTE_ONLY = ("mailto:", "tel:", "news:", "irc:", "ftp:", "geo:", "sms:")


class Addresses:
    """Resolves references against the page's base address and remembers them.

    `codec` is that of the page's encoding, in which its queries are.
    """

    def __init__(self, base: str, codec: str = "utf-8") -> None:
        self.base = base
        self._codec = codec
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
            address = ada_url.join_url(self.base, with_query_in(self._codec, reference))
        except ValueError:
            return None
        if address.startswith(("http:", "https:", *_ABSOLUTE_ONLY)):
            return str(address)
        return None


def with_query_in(codec: str, reference: str) -> str:
    """Return the reference with its query's characters escaped in the encoding of its page.

    Browsers send `?q=я` from a page in windows-1251 as `?q=%FF` (WHATWG URL, percent-encode after
    encoding); paths are in UTF-8 always. What the encoding does not have becomes a character
    reference, escaped.
    """
    if reference.isascii() or codec in _UNICODE:
        return reference
    address, hash_, fragment = reference.partition("#")
    path, mark, query = address.partition("?")
    query = _NOT_ASCII.sub(lambda run: _escaped(run[0], codec), query)
    return f"{path}{mark}{query}{hash_}{fragment}"


def _escaped(text: str, codec: str) -> str:
    try:
        encoded = text.encode(codec)
    except UnicodeEncodeError:
        if len(text) > 1:
            return "".join(_escaped(character, codec) for character in text)
        return f"%26%23{ord(text)}%3B"
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in encoded)
