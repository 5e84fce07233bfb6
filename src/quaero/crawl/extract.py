"""A fetched body to a `Page`: its text as Markdown, its metadata, its links.

`extract` is pure: bytes in, plain values out, so it runs in a helper process and its result
crosses as msgpack. No bytes make it raise anything but `Refused` for a type it does not read. Its
time and memory are linear in the body: what could cost more (see `nesting`) or is larger than
`MAX_MARKUP` becomes a page of plain text.

Pages of Jira and Confluence are read by their own readers (`products`), whatever the crawl.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode

from quaero.crawl import hrefs, plain_text
from quaero.crawl.addresses import Addresses, with_query_in
from quaero.crawl.charset import decode, read
from quaero.crawl.headers import media_type
from quaero.crawl.main_content import main_node
from quaero.crawl.markdown import Markdown, to_markdown
from quaero.crawl.metadata import Metadata, one_line, read_metadata
from quaero.crawl.nesting import is_treacherous
from quaero.crawl.page_signs import is_empty_shell, looks_like_login
from quaero.crawl.products.product_page import ProductPage
from quaero.crawl.products.reading import read_product
from quaero.crawl.tex_scripts import with_formulas
from quaero.crawl.xhtml import as_html
from quaero.documents.letters import UNSPACED
from quaero.documents.model import content_hash
from quaero.errors import Refused

MAX_MARKUP = 10 * 1024 * 1024

_XHTML = "application/xhtml+xml"
_HTML = frozenset({"text/html", _XHTML})
_TEXT = frozenset({"text/plain", "text/markdown", "text/x-markdown", "text/x-rst"})
_TITLE_END = re.compile(r"\s*[-–—|·•:»/\\]\s")
_SITE_LAST = re.compile(r"\s[-–—|·•»]\s| \((?=.*\)$)")
_SITE_FIRST = re.compile(r": | -- ")
_HIGHEST = 2  # level of headings that may be a page's title
# Markdown that stands alone as words do, by a sign that must occur for it.
_MARKS = {
    b"|": (b"| ", b"|\n"), b">": (b"\n> ",), b"#": (b"# ",), b"`": (b"\n```",),
    b"-": (b"\n- ", b"\n---"),
}  # fmt: skip
# Scripts written without spaces: each sign counts as a word. They take three bytes a sign, so a
# text of few bytes a sign is not searched for them.
_MANY_BYTES = 1.2
_SPACE = re.compile(r"\s")
_SPACE_OR_SIGN = re.compile(rf"[\s{UNSPACED}]")
_PART = 1024 * 1024
_WORD_OR_SIGN = re.compile(rf"[{UNSPACED}]|\w[^\s{UNSPACED}]*")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one fetched document says.

    `links` are (reference as written, nofollow) in document order, to be resolved against `base`.
    `content_hash` covers title and Markdown. `open_graph` has its names without `og:`. Of a page
    of Jira or Confluence `entity` says what it is about, `fields` are its values, `denied` that it
    shows nothing because this account may not see it, `signed_in` whether it greets anybody.
    """

    title: str
    markdown: str
    base: str
    content_hash: str
    words: int = 0
    description: str | None = None
    language: str | None = None
    author: str | None = None
    published: str | None = None
    modified: str | None = None
    canonical: str | None = None
    headings: list[tuple[int, str]] = []
    links: list[tuple[str, bool]] = []
    noindex: bool = False
    nofollow: bool = False
    open_graph: dict[str, str] = {}
    json_ld: list[Any] = []
    looks_like_login: bool = False
    empty_shell: bool = False
    entity: str | None = None
    fields: dict[str, Any] = {}
    denied: bool = False
    signed_in: bool | None = None


def extract(body: bytes, url: str, content_type: str | None) -> Page:
    """Return the page that `body`, fetched from `url`, is.

    `content_type` is the header's value. Raises `Refused` (reason `content-type`) for anything but
    HTML, plain text and Markdown; without a type the body itself is looked at.
    """
    kind = _media_type(body, content_type)
    if kind in _TEXT:
        return _page_of_text(decode(body, content_type), url)
    if kind not in _HTML:
        raise Refused(f"{url} is {kind}, and only HTML and text are read", "content-type")
    source, codec = read(body, content_type)
    if kind == _XHTML:
        source = as_html(source)
    source = with_formulas(source)
    if len(body) > MAX_MARKUP or is_treacherous(source):
        return _page_of_source(source, url)
    return page_of_tree(LexborHTMLParser(source, scripting=True), source, url, codec)


def page_of_tree(tree: LexborHTMLParser, source: str, url: str, codec: str = "utf-8") -> Page:
    """Return the page of a tree built from `source`, which was in the encoding of `codec`."""
    base = _base(tree, source, url)
    addresses = Addresses(base, codec)
    metadata = read_metadata(tree, source, addresses)
    links = hrefs.of_tree(tree, source)
    if codec != "utf-8":
        links = [(with_query_in(codec, reference), nofollow) for reference, nofollow in links]
    product = read_product(tree, source, url, addresses)
    title, content = (
        _of_product(product, product.markup, addresses)
        if product is not None and product.markup
        else _of_any(tree, source, url, metadata, addresses)
    )
    words = count_words(content.text)
    page = Page(
        title=title,
        markdown=content.text,
        base=base,
        content_hash=content_hash(title, content.text),
        words=words,
        headings=content.headings,
        links=links,
        looks_like_login=looks_like_login(tree, metadata.title, url, words),
        empty_shell=is_empty_shell(tree, words),
        **_said_of_itself(metadata),
    )
    return page if product is None else _with_product(page, product)


def _said_of_itself(metadata: Metadata) -> dict[str, Any]:
    """What a page says of itself besides its title, as fields of a `Page`."""
    said = msgspec.structs.asdict(metadata)
    return {name: value for name, value in said.items() if name != "title"}


def _of_product(product: ProductPage, markup: str, addresses: Addresses) -> tuple[str, Markdown]:
    """Title and content of a product's page: its markup, in the form that a tree has."""
    return product.title, _content(LexborHTMLParser(markup).body, addresses)


def _of_any(
    tree: LexborHTMLParser, source: str, url: str, metadata: Metadata, addresses: Addresses
) -> tuple[str, Markdown]:
    """Title and content of a page of which only its own markup is known."""
    own_heading = tree.css_first("h1") if metadata.title else None
    heading_text = one_line(own_heading.text()) if own_heading is not None else ""
    content = _content(main_node(tree, source), addresses)
    content = _with_own_heading(content, heading_text.rstrip("¶# "), metadata.title)
    return _own_title(metadata.title, content.headings) or _last_segment(url), content


def _with_product(page: Page, product: ProductPage) -> Page:
    return msgspec.structs.replace(
        page,
        author=product.author or page.author,
        published=product.published or page.published,
        modified=product.modified or page.modified,
        entity=product.entity,
        fields=product.metadata,
        denied=product.denied,
        signed_in=product.signed_in,
    )


def count_words(text: str) -> int:
    """Count the words of a text, every sign of a script without spaces as one."""
    data = text.encode("utf-8", "replace")
    if len(data) > _MANY_BYTES * len(text):
        return sum(len(_WORD_OR_SIGN.findall(part)) for part in _parts(text, _SPACE_OR_SIGN))
    marks = [mark for sign, of_sign in _MARKS.items() if sign in data for mark in of_sign]
    words = sum(len(part.split()) for part in _parts(text, _SPACE))
    return words - sum(map(data.count, marks))


def _parts(text: str, at: re.Pattern[str]) -> Iterator[str]:
    """A text in parts whose words may be in memory at once, divided only where `at` matches."""
    start = 0
    while start < len(text):
        found = at.search(text, start + _PART)
        end = found.start() if found is not None else len(text)
        yield text[start:end]
        start = end


def _media_type(body: bytes, content_type: str | None) -> str:
    if kind := media_type(content_type):
        return kind[:100]
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"<" and not start.startswith(b"<?xml"):
        return "text/html"
    if b"\0" in start or start.startswith(b"%PDF"):
        return "application/octet-stream"
    if b"<html" not in start.lower():
        return "text/plain"
    return _XHTML if start.startswith(b"<?xml") else "text/html"


def _base(tree: LexborHTMLParser, source: str, url: str) -> str:
    """Return the address that references are relative to (WHATWG HTML 2.4.3)."""
    if "<base" not in source and "<BASE" not in source and "<Base" not in source:
        return url
    declared = tree.css_first("base[href]")
    href = declared.attributes.get("href") if declared is not None else None
    address = Addresses(url).of(href) if href else None
    return address if address and address.startswith(("http:", "https:")) else url


def _content(node: LexborNode | None, addresses: Addresses) -> Markdown:
    return to_markdown((node.html or "") if node is not None else "", addresses)


def _with_own_heading(content: Markdown, heading: str, title: str) -> Markdown:
    """Put the page's own heading first if it stands outside of the content.

    Only where the title confirms it: it may as well be the name of the site.
    """
    if not heading or not title.startswith(heading) or not content.text:
        return content
    if any(text == heading or level == 1 for level, text in content.headings):
        return content
    text = to_markdown(f"<h1>{_as_markup(heading)}</h1>", Addresses("")).text
    return Markdown(f"{text}\n{content.text}", [(1, heading), *content.headings])


def _as_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _own_title(title: str, headings: list[tuple[int, str]]) -> str:
    """Return the title without the site's name, where a heading shows where it ends.

    The first heading may be longer than the name ("Class Reader" for "Reader (Acme)"); of others,
    as the first may be the site's, only those that are the whole name are believed.
    """
    if not title or not headings:
        return title or one_line(headings[0][1] if headings else "")
    first = headings[0][1]
    if title == first:
        return title
    if title.startswith(first) and _TITLE_END.match(title, len(first)):
        return first
    names = [title[: end.start()] for end in _SITE_LAST.finditer(title)]
    names += [title[end.end() :] for end in _SITE_FIRST.finditer(title)]
    whole = {text for level, text in headings if level <= _HIGHEST}
    for name in names:
        if name in whole or f" {first}".endswith(f" {name}"):
            return name
    return title


def _page_of_source(source: str, url: str) -> Page:
    """The page of markup that is too much for a tree, but for its head."""
    markdown = plain_text.text_of_markup(source)
    title = one_line(plain_text.title_of_markup(source)) or _last_segment(url)
    head = plain_text.head_of_markup(source)
    tree = LexborHTMLParser("" if is_treacherous(head) else head, scripting=True)
    base = _base(tree, head, url)
    return Page(
        title=title,
        markdown=markdown,
        base=base,
        content_hash=content_hash(title, markdown),
        words=count_words(markdown),
        links=hrefs.of_source(source),
        **_said_of_itself(read_metadata(tree, head, Addresses(base))),
    )


def _page_of_text(text: str, url: str) -> Page:
    markdown = plain_text.tidy(text)
    headings = plain_text.headings_of(markdown)
    title = one_line(headings[0][1]) if headings else _last_segment(url)
    return Page(
        title=title,
        markdown=markdown,
        base=url,
        content_hash=content_hash(title, markdown),
        words=count_words(markdown),
        headings=headings,
        links=hrefs.of_plain_text(markdown),
    )


def _last_segment(url: str) -> str:
    """Return the last part of the address's path, else its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return one_line(url)
    segment = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return one_line(segment or parts.netloc or url)
