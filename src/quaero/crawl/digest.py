"""What a helper process makes of one fetched page: text, metadata, and the links to follow.

The functions run in helpers, so they take and return plain data. Compiled scopes are kept in the
helper between pages of a crawl.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from quaero.crawl.decode import GZIP_START, BodyDecoder
from quaero.crawl.exchange import STANDARD
from quaero.crawl.extract import Page, extract
from quaero.crawl.headers import robots_words
from quaero.crawl.scope import CrawlScope, LinkChoice, select_links
from quaero.crawl.sitemap import parse_sitemap
from quaero.crawl.urls import canonical
from quaero.documents.model import HASH_BYTES
from quaero.documents.references import Reference, find
from quaero.errors import BadUrl, RetryLater

ScopeArgs = tuple[Any, ...]
CRAWLS_KEPT = 64
LARGEST_BODY = 4 * 1024 * 1024
"""The most bytes that a body may take, compressed, to be kept."""


class Packed(msgspec.Struct, frozen=True):
    """A body to keep: its hash, its size compressed, and itself so; None where it is too large."""

    hash: bytes
    size: int
    data: bytes | None


class Digest(msgspec.Struct, frozen=True):
    """A page, the choice among its links, its links packed for recrawls, and its references.

    `body` is what to keep of its body, None for a page that becomes no document.
    """

    page: Page
    admitted: list[str]
    refused: dict[str, int]
    samples: dict[str, list[str]]
    packed: bytes
    references: tuple[Reference, ...]
    body: Packed | None = None


class ReadAgain(msgspec.Struct, frozen=True):
    """What a body that was kept says: its page, without links, and its references."""

    page: Page
    references: tuple[Reference, ...]


def scope_args(scope: CrawlScope) -> ScopeArgs:
    """A scope as plain data."""
    return (
        scope.seeds, scope.scope, scope.include, scope.exclude, scope.max_depth,
        scope.source_type, scope.within,
    )  # fmt: skip


@functools.lru_cache(maxsize=CRAWLS_KEPT)
def _scope(packed: bytes) -> CrawlScope:
    seeds, name, include, exclude, depth, kind, within = msgspec.msgpack.decode(packed)
    return CrawlScope(
        tuple(seeds), name, tuple(include), tuple(exclude), depth, kind, tuple(within)
    )


def digest(
    body: bytes, url: str, content_type: str | None, robots: Sequence[str], agent: str,
    scope: bytes, depth: int,
    follow: bool,  # noqa: FBT001 - the arguments cross a pipe
    keep: bool,  # noqa: FBT001
) -> Any:  # fmt: skip
    """Read a page and choose among its links; `depth` is the page's own.

    `robots` are the values of its `X-Robots-Tag` headers, which say what `meta robots` may say too,
    and `agent` is who reads them. With `keep` the body of what may become a document is packed too.
    Returns a `Digest` as plain data. Raises `Refused` for a type that is not read.
    """
    page, said = _read(body, url, content_type, robots, agent)
    links = page.links
    if page.nofollow or said & {"nofollow", "none"}:
        links = [(href, True) for href, _ in links]
    choice = _choose(links, page.base, url, scope, depth, follow=follow)
    packed = zlib.compress(msgspec.msgpack.encode((page.base, links)), 1)
    keep = keep and not (page.noindex or page.denied or page.looks_like_login)
    made = Digest(
        msgspec.structs.replace(page, links=[]),
        choice.admitted,
        choice.refused,
        choice.samples,
        packed,
        find(page.markdown, _scope(scope).source_type),
        _packed(body) if keep else None,
    )
    return msgspec.to_builtins(made, builtin_types=(bytes,))


def read_again(
    packed: bytes, url: str, content_type: str | None, robots: Sequence[str], agent: str,
    source_type: str,
) -> Any:  # fmt: skip
    """Read a body again that was kept. Returns a `ReadAgain` as plain data; raises `Refused`."""
    page, _ = _read(zlib.decompress(packed), url, content_type, robots, agent)
    made = ReadAgain(msgspec.structs.replace(page, links=[]), find(page.markdown, source_type))
    return msgspec.to_builtins(made, builtin_types=(bytes,))


def _read(
    body: bytes, url: str, content_type: str | None, robots: Sequence[str], agent: str
) -> tuple[Page, set[str]]:
    """The page that a body is, and what the headers say to robots; `noindex` may come of both."""
    page = extract(body, url, content_type)
    said = robots_words(robots, agent)
    noindex = page.noindex or bool(said & {"noindex", "none"})
    return msgspec.structs.replace(page, noindex=noindex), said


def _packed(body: bytes) -> Packed:
    data = zlib.compress(body, 1)
    digest = hashlib.blake2b(body, digest_size=HASH_BYTES).digest()
    return Packed(digest, len(data), data if len(data) <= LARGEST_BODY else None)


def choose_again(
    packed: bytes, url: str, scope: bytes, depth: int
) -> tuple[list[str], dict[str, int], dict[str, list[str]]]:
    """Choose among the links of a page that has not changed."""
    base, links = msgspec.msgpack.decode(zlib.decompress(packed))
    choice = _choose(links, base, url, scope, depth, follow=True)
    return choice.admitted, choice.refused, choice.samples


def read_sitemap(
    body: bytes, url: str, scope: bytes, depth: int
) -> tuple[list[str], list[str], dict[str, int], dict[str, list[str]], str | None]:
    """Read a sitemap, packed with gzip or not, and choose among its pages, which lie at `depth`.

    Returns the further sitemaps it names as written, the pages admitted, the refused with samples,
    and what kept it from being read to its end. Raises `Refused` for one that is too large
    unpacked, and `Permanent` for what is said to be packed and is not.
    """
    damage = None
    if body.startswith(GZIP_START):
        body, damage = _unpacked(body)
    found = parse_sitemap(body)
    links = ((address, False) for address in found.urls)
    choice = select_links(links, url, _scope(scope), depth)
    sitemaps = list(found.sitemaps)
    return sitemaps, choice.admitted, choice.refused, choice.samples, damage or found.problem


def _unpacked(body: bytes) -> tuple[bytes, str | None]:
    """A sitemap unpacked, as far as its data is whole, and what is wrong with the rest."""
    decoder = BodyDecoder("gzip", STANDARD)
    try:
        decoder.feed(body)
        return decoder.finish(), None
    except RetryLater as error:
        return decoder.so_far(), str(error)


def _choose(
    links: list[Any], base: str, url: str, scope: bytes, depth: int, *, follow: bool
) -> LinkChoice:
    if not follow or not links:
        return LinkChoice([], {}, {})
    try:
        base = canonical(base)
    except BadUrl:
        base = url
    pairs = ((href, nofollow) for href, nofollow in links)
    return select_links(pairs, base, _scope(scope), depth + 1, page=url)
