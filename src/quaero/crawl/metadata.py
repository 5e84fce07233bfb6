"""What a page says about itself in its head and in its structured data.

Values are taken as the page gives them, in one line and without control characters; where several
places may say the same, the more deliberate wins (`<meta>` before JSON-LD before markup). A value
that makes no sense (a date that is none, a canonical address that is not http) is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode

from quaero.crawl.addresses import Addresses
from quaero.crawl.markdown import without_controls

_IN_HEAD = "meta, title, link[rel], script[type]"
_IN_BODY = "meta, script[type], time[datetime]"
_MAX_JSON_LD = 64 * 1024
_MAX_VALUE = 2000
_MAX_OPEN_GRAPH = 64
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")

_AUTHOR = (
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "parsely-author",
    "citation_author",
)
_PUBLISHED = (
    "article:published_time", "datepublished", "date", "dc.date", "dcterms.created",
    "dcterms.issued", "dc.date.issued", "pubdate", "publish_date", "citation_publication_date",
)  # fmt: skip
_MODIFIED = (
    "article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified",
    "dc.date.modified", "revised",
)  # fmt: skip
_ROBOTS = ("robots", "quaero")
_DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """A page's own statements; dates are ISO 8601, as far as the page is exact."""

    title: str
    description: str | None
    language: str | None
    author: str | None
    published: str | None
    modified: str | None
    canonical: str | None
    noindex: bool
    nofollow: bool
    open_graph: dict[str, str]
    json_ld: list[Any]


def read_metadata(tree: LexborHTMLParser, source: str, addresses: Addresses) -> Metadata:
    """Read the metadata of a page; `title` is "" if the page names none.

    `source` is the text that the tree was built from.
    """
    titles: list[str] = []
    said: dict[str, str] = {}
    times: dict[str, str] = {}
    scripts: list[str] = []
    canonical = ""
    for node in _nodes(tree, source):
        if node.tag == "meta":
            _read_meta(node, said)
        elif node.tag == "title":
            titles.append(node.text())
        elif node.tag == "script":
            if (node.attributes.get("type") or "").strip().lower() == "application/ld+json":
                scripts.append(node.text())
        elif node.tag == "time":
            _read_time(node, times)
        elif not canonical:
            canonical = _canonical_of(node)
    open_graph = {name[3:]: text for name, text in said.items() if name.startswith("og:")}
    json_ld = _json_ld(scripts)
    things = list(_things(json_ld))
    robots = _robots(said)
    return Metadata(
        title=one_line(titles[0] if titles else "") or open_graph.get("title", ""),
        description=_first(
            said, "description", "og:description", "dc.description", "twitter:description"
        ),
        language=_language(tree, said),
        author=_author(said, things),
        published=_date(said, _PUBLISHED, things, "datePublished") or times.get("datepublished"),
        modified=_date(said, _MODIFIED, things, "dateModified") or times.get("datemodified"),
        canonical=_address(canonical, addresses),
        noindex=bool(robots & {"noindex", "none"}),
        nofollow=bool(robots & {"nofollow", "none"}),
        open_graph=dict(list(open_graph.items())[:_MAX_OPEN_GRAPH]),
        json_ld=json_ld,
    )


def _nodes(tree: LexborHTMLParser, source: str) -> list[LexborNode]:
    """Return the elements that hold metadata; the body is searched only if it can hold some."""
    head = tree.head.css(_IN_HEAD) if tree.head is not None else []
    in_body = source.count("<meta") > sum(node.tag == "meta" for node in head)
    if tree.body is not None and (in_body or "<time" in source or "ld+json" in source):
        head += tree.body.css(_IN_BODY)
    return head


def one_line(text: str) -> str:
    """Return the text in one line, without control characters, cut at a sane length."""
    return " ".join(without_controls(text[: 4 * _MAX_VALUE]).split())[:_MAX_VALUE]


def _read_meta(node: LexborNode, said: dict[str, str]) -> None:
    attributes = node.attributes
    content = attributes.get("content")
    if not content:
        return
    for key in ("name", "property", "itemprop", "http-equiv"):
        name = (attributes.get(key) or "").strip().lower()
        if name in _ROBOTS:
            said[name] = f"{said.get(name, '')},{content}"
        elif name and name not in said:
            said[name] = one_line(content)


def _read_time(node: LexborNode, times: dict[str, str]) -> None:
    attributes = node.attributes
    kind = (attributes.get("itemprop") or "").lower()
    classes = (attributes.get("class") or "").lower()
    if not kind and ("pubdate" in attributes or "published" in classes):
        kind = "datepublished"
    elif not kind and ("updated" in classes or "modified" in classes):
        kind = "datemodified"
    date = iso_date(attributes.get("datetime") or "")
    if kind and date:
        times.setdefault(kind, date)


def _canonical_of(node: LexborNode) -> str:
    """Return the canonical reference of a `<link>`; only those in the head are the site's own."""
    attributes = node.attributes
    if "canonical" not in (attributes.get("rel") or "").lower().split():
        return ""
    in_head = node.parent is not None and node.parent.tag == "head"
    return (attributes.get("href") or "").strip() if in_head else ""


def _address(reference: str, addresses: Addresses) -> str | None:
    address = addresses.of(reference) if reference else None
    return address if address and address.startswith(("http:", "https:")) else None


def _first(said: dict[str, str], *names: str) -> str | None:
    return next((said[name] for name in names if said.get(name)), None)


def _robots(said: dict[str, str]) -> set[str]:
    return {word.strip().lower() for name in _ROBOTS for word in said.get(name, "").split(",")}


def _language(tree: LexborHTMLParser, said: dict[str, str]) -> str | None:
    root = tree.root
    attributes = root.attributes if root is not None else {}
    declared = attributes.get("lang") or attributes.get("xml:lang")
    text = declared or said.get("content-language") or said.get("og:locale") or ""
    found = _LANGUAGE.fullmatch(text.split(",")[0].strip().replace("_", "-"))
    return found[0] if found else None


def _author(said: dict[str, str], things: list[dict[str, Any]]) -> str | None:
    named = (said[name] for name in _AUTHOR if said.get(name))
    found = next((name for name in named if not name.startswith(("http:", "https:"))), None)
    if found:
        return found
    for thing in things:
        names = [_name(author) for author in _as_list(thing.get("author"))]
        if any(names):
            return one_line(", ".join(name for name in names if name))
    return None


def _name(author: object) -> str:
    name = author.get("name") if isinstance(author, dict) else author
    return name if isinstance(name, str) and not name.startswith(("http:", "https:")) else ""


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _date(
    said: dict[str, str], names: tuple[str, ...], things: list[dict[str, Any]], key: str
) -> str | None:
    texts = [said.get(name, "") for name in names]
    texts += [thing[key] for thing in things if isinstance(thing.get(key), str)]
    return next(filter(None, map(iso_date, texts)), None)


def iso_date(text: str) -> str | None:
    """Return an ISO 8601 or RFC 5322 date in ISO 8601, a time in UTC with `Z`; None if it is none.

    A date without a time stays one, and a time without a zone is left without.
    """
    text = text.strip()[:60]
    if not text:
        return None
    try:
        if _DATE_ONLY.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = parsedate_to_datetime(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _json_ld(scripts: list[str]) -> list[Any]:
    """Return the scripts' values that are valid JSON and fit a message, 64 kB in all."""
    values = []
    room = _MAX_JSON_LD
    for script in scripts:
        room -= len(script.encode("utf-8", "replace"))
        if room < 0:
            break
        try:
            value = json.loads(script, strict=False)
            msgspec.msgpack.encode(value)
        except (ValueError, OverflowError, RecursionError):
            continue
        values.append(value)
    return values


def _things(json_ld: list[Any]) -> Iterator[dict[str, Any]]:
    """Go through the described things: top-level objects, those in lists and in `@graph`."""
    for value in json_ld:
        for thing in _as_list(value):
            if isinstance(thing, dict):
                yield thing
                yield from (t for t in _as_list(thing.get("@graph")) if isinstance(t, dict))
