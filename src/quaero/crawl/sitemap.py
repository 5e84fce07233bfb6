"""Reading sitemaps (sitemaps.org, protocol 0.9): the pages and further sitemaps a site names.

XML `urlset` and `sitemapindex` files, feeds (RSS and Atom, which the protocol allows in their
place) and plain lists of addresses are understood. What is read is bounded, and nothing in the file
is expanded: a file that declares entities is not read on.
Fetching, unpacking `.gz`, and deciding which addresses to follow is left to the caller.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from xml.parsers import expat

MAX_URLS = 50_000
"""The most addresses one sitemap may name, by the protocol."""

_CHUNK = 64 * 1024
_MAX_LENGTH = 8192
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ROOTS = frozenset({"urlset", "sitemapindex", "rss", "RDF", "feed"})
# Where addresses stand: an element and the one around it, and what they name.
_PLACES = {
    ("url", "loc"): "page",
    ("sitemap", "loc"): "sitemap",
    ("item", "link"): "page",  # RSS
    ("entry", "link"): "page",  # Atom
}
# Addresses are often written with a bare "&"; only XML's own entities keep their meaning.
_BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
# Where XML takes every character for itself; what is not closed lasts to the end.
_LITERAL = re.compile(rb"(<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sitemap:
    """The addresses of a sitemap, as written and in order.

    `urls` are pages, `sitemaps` further sitemaps. `problem` says in a few words why the file was
    not read to its end, and is None when it was.
    """

    urls: tuple[str, ...]
    sitemaps: tuple[str, ...]
    problem: str | None = None


def parse_sitemap(body: bytes, limit: int = MAX_URLS) -> Sitemap:
    """Read the sitemap `body`, up to `limit` addresses; what comes before a fault is kept."""
    if body.startswith(_UTF16):
        return _from_xml(body, limit)
    text = body.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"<"):
        return _from_xml(_without_bare_ampersands(text), limit)
    return _from_lines(text, limit)


def _without_bare_ampersands(text: bytes) -> bytes:
    """The XML with its bare ampersands escaped, except where they are meant as they stand."""
    parts = _LITERAL.split(text)
    parts[::2] = [_BARE_AMPERSAND.sub(b"&amp;", part) for part in parts[::2]]
    return b"".join(parts)


def _from_lines(text: bytes, limit: int) -> Sitemap:
    urls: list[str] = []
    for line in text.splitlines():
        url = line.strip().decode(errors="replace")
        if not url.lower().startswith(("http://", "https://")) or len(url) > _MAX_LENGTH:
            continue
        if len(urls) == limit:
            return Sitemap(tuple(urls), (), _over(limit))
        urls.append(url)
    return Sitemap(tuple(urls), (), None if urls or not text else "no address in it")


def _from_xml(body: bytes, limit: int) -> Sitemap:
    collector = _Collector()
    problem = None
    try:
        for start in range(0, len(body), _CHUNK):
            collector.feed(body[start : start + _CHUNK])
            if collector.found > limit:
                problem = _over(limit)
                break
        else:
            collector.feed(b"", final=True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: its encoding
        problem = str(error)
    except _EntitiesDeclaredError:
        problem = "it declares entities"
    if problem is None and collector.root not in _ROOTS:
        problem = f"its root element is {collector.root!r}, not urlset or sitemapindex"
    return Sitemap(tuple(collector.urls[:limit]), tuple(collector.sitemaps[:limit]), problem)


def _over(limit: int) -> str:
    return f"it names more than {limit} addresses"


class _EntitiesDeclaredError(Exception):
    """The file declares an entity; sitemaps have no use for them."""


class _Collector:
    """Collects the addresses of pages and sitemaps, whatever the prefixes of the elements.

    The `loc` of an extension (`image:loc`, say) lies one level deeper and is passed over. An Atom
    link is an attribute, and counts unless it names another relation than the page itself.
    """

    def __init__(self) -> None:
        self.root = ""
        self.urls: list[str] = []
        self.sitemaps: list[str] = []
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity

    @property
    def found(self) -> int:
        return len(self.urls) + len(self.sitemaps)

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        self._parser.Parse(chunk, final)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self._path:
            self.root = name
        self._path.append(name)
        if self._place() is None:
            return
        self._text = []
        if "href" in attributes and attributes.get("rel", "alternate") == "alternate":
            self._text.append(attributes["href"])

    def _end(self, _name: str) -> None:
        place = self._place()
        if place is not None and self._text is not None:
            url = "".join(self._text).strip()
            if url and len(url) <= _MAX_LENGTH:
                (self.urls if place == "page" else self.sitemaps).append(url)
            self._text = None
        self._path.pop()

    def _place(self) -> str | None:
        """What the address in the innermost element names; None for any other element."""
        if not 3 <= len(self._path) <= 4:
            return None
        return _PLACES.get((self._path[-2], self._path[-1]))

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _entity(self, *_declaration: object) -> None:
        raise _EntitiesDeclaredError
