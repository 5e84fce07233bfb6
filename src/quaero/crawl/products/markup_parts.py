"""Pieces of a page's tree as values, and values as markup for the conversion to Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from quaero.crawl.addresses import Addresses
from quaero.crawl.metadata import iso_date, one_line

MOST_VALUES = 200
MOST_COMMENTS = 2_000
_TASK = re.compile(r"<li(?=[^>]*\bdata-inline-task-id=)([^>]*)>")
# As the products write dates where the markup holds no exact one; English, as by default.
_DATES = (
    "%d/%b/%y %I:%M %p", "%d/%b/%y", "%b %d, %Y %I:%M %p", "%b %d, %Y %H:%M", "%b %d, %Y",
    "%B %d, %Y at %I:%M %p", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%Y-%m-%d %H:%M",
)  # fmt: skip


class Comment(NamedTuple):
    """A comment: who, when (ISO 8601, or as the page says it), and its markup."""

    author: str
    date: str
    markup: str


def text_of(node: LexborHTMLParser | LexborNode, *selectors: str) -> str:
    """The text, in one line, of the first element that any of the selectors finds; or ""."""
    for selector in selectors:
        found = node.css_first(selector)
        if found is not None and (text := one_line(found.text())):
            return text
    return ""


def texts_of(node: LexborHTMLParser | LexborNode, *selectors: str) -> list[str]:
    """The different texts of all elements that the first fruitful selector finds."""
    for selector in selectors:
        texts = dict.fromkeys(one_line(each.text()).strip(" ,") for each in node.css(selector))
        if found := [text for text in texts if text][:MOST_VALUES]:
            return found
    return []


def html_of(node: LexborHTMLParser | LexborNode, *selectors: str) -> str:
    """The markup of the first element that any of the selectors finds; or ""."""
    for selector in selectors:
        found = node.css_first(selector)
        if found is not None:
            return found.html or ""
    return ""


def date_of(node: LexborHTMLParser | LexborNode, *selectors: str) -> str | None:
    """The date that the first fruitful selector finds, in ISO 8601."""
    for selector in selectors:
        found = node.css_first(selector)
        if found is None:
            continue
        exact = found if "datetime" in found.attributes else found.css_first("[datetime]")
        said = (exact.attributes.get("datetime") or "") if exact is not None else ""
        if date := iso_date(said) or _written_date(one_line(found.text())):
            return date
    return None


def _written_date(text: str) -> str | None:
    for form in _DATES:
        with suppress(ValueError):
            moment = datetime.strptime(text[:40], form).replace(tzinfo=UTC)
            timed = "%H" in form or "%I" in form
            return moment.replace(tzinfo=None).isoformat() if timed else moment.date().isoformat()
    return iso_date(text)


def metas(tree: LexborHTMLParser) -> dict[str, str]:
    """What the products say in `<meta name="ajs-…">`, without that beginning."""
    found = tree.css('meta[name^="ajs-"]')
    return {
        (each.attributes["name"] or "")[4:]: one_line(each.attributes.get("content") or "")
        for each in found
    }


def heading(level: int, text: str) -> str:
    """A heading as markup."""
    return f"<h{level}>{escape(text)}</h{level}>"


def fields(rows: Iterable[tuple[str, str | Sequence[str] | None]]) -> str:
    """A table of names and values as markup; those without a value are left out."""
    cells = [
        (name, value if isinstance(value, str) else ", ".join(value))
        for name, value in rows
        if value
    ]
    body = "".join(f"<tr><td>{escape(n)}</td><td>{escape(v)}</td></tr>" for n, v in cells)
    head = "<thead><tr><th>Field</th><th>Value</th></tr></thead>"
    return f"<table>{head}<tbody>{body}</tbody></table>" if body else ""


def section(title: str, markup: str) -> str:
    """A part of the page under a heading, or nothing where it is empty."""
    return f"{heading(2, title)}<div>{markup}</div>" if markup else ""


def links(nodes: Iterable[LexborNode], addresses: Addresses) -> tuple[str, list[dict[str, str]]]:
    """A list of links as markup, and their names with addresses, each address once."""
    found: dict[str, str] = {}
    for node in nodes:
        address, name = addresses.of(node.attributes.get("href") or ""), one_line(node.text())
        if address and name and len(found) < MOST_VALUES:
            found.setdefault(address, name)
    items = "".join(
        f'<li><a href="{escape(url)}">{escape(name)}</a></li>' for url, name in found.items()
    )
    markup = f"<ul>{items}</ul>" if items else ""
    return markup, [{"name": name, "url": url} for url, name in found.items()]


def comments(found: Sequence[Comment]) -> str:
    """Comments as markup, each under its author and date."""
    parts = [
        heading(3, ", ".join(filter(None, (each.author, each.date)))) + f"<div>{each.markup}</div>"
        for each in found
    ]
    return section("Comments", "".join(parts))


def with_tasks(markup: str) -> str:
    """The markup with check boxes where Confluence says by a class that a task is done."""

    def boxed(item: re.Match[str]) -> str:
        done = ' checked=""' if re.search(r'class="[^"]*\bchecked\b', item[1]) else ""
        return f'{item[0]}<input type="checkbox"{done}>'

    return _TASK.sub(boxed, markup) if "data-inline-task-id" in markup else markup
