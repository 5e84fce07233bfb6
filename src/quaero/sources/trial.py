"""Which addresses a source's settings let in, and what decides about each: the test box.

The verdict is that of the crawl itself; the words only say where it comes from.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from quaero.crawl.patterns import Patterns
from quaero.crawl.payloads import Crawl
from quaero.crawl.scope import CrawlScope, select_links
from quaero.sources.folder_walk import READABLE, PathRules, quoted, rooted
from quaero.sources.payloads import Folder

_FOLDER = "https://folder"
_FILE = "file://"
_Made = dict[str, Patterns]
_REASONS = {
    "invalid": "it is no address",
    "asset": "by its ending it is no page",
    "scheme": "only http and https are read",
    "trap": "it looks like a link that never ends: too long, too deep, or repeating itself",
    "depth": "it lies deeper than max_depth",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an address is let in; `reason` is the crawl's word, `rule` says what decided.

    `pattern` is the pattern that decided, where one did.
    """

    address: str
    admitted: bool
    reason: str
    rule: str
    pattern: str | None = None


def decide(payload: Crawl | Folder, addresses: Sequence[str]) -> list[Decision]:
    """What becomes of each address, or of each path below a folder."""
    made: _Made = {}
    if isinstance(payload, Crawl):
        scope = payload.to_scope()
        return [_decide(payload, scope, each.strip(), made) for each in addresses]
    rules = PathRules(payload.include, payload.exclude, payload.within)
    return [_decide_path(payload, rules, each.strip(), made) for each in addresses]


def _decide(crawl: Crawl, scope: CrawlScope, text: str, made: _Made) -> Decision:
    choice = select_links([(text, False)], scope.seeds[0], scope, 1, page="-")
    if not choice.admitted:
        (reason,) = choice.refused or ["invalid"]
        url = next(iter(choice.samples.get(reason, [])), text)
        return _refused(crawl, url, reason, made)
    (url,) = choice.admitted
    if scope.is_seed(url):
        return Decision(url, True, "seed", "an address to begin at")
    pattern = _first([*crawl.include, *crawl.within], url, made)
    rule = f"included by {pattern}" if pattern else f"within the scope {crawl.scope!r}"
    return Decision(url, True, "include" if pattern else "scope", rule, pattern)


def _refused(crawl: Crawl, url: str, reason: str, made: _Made) -> Decision:
    if reason == "exclude":
        pattern = _first(crawl.exclude, url, made)
        return Decision(url, False, reason, f"excluded by {pattern}", pattern)
    if reason == "include":
        return Decision(url, False, reason, _not_included(crawl, url, made))
    if reason == "scope":
        return Decision(url, False, reason, f"outside of the scope {crawl.scope!r}")
    return Decision(url, False, reason, _REASONS.get(reason, f"refused by {reason}"))


def _not_included(payload: Crawl | Folder, url: str, made: _Made) -> str:
    if payload.within and _first(payload.within, url, made) is None:
        return "fits no include pattern of the source"
    return "fits no include pattern of the run"


def _decide_path(folder: Folder, rules: PathRules, text: str, made: _Made) -> Decision:
    base = folder.base.rstrip("/") + "/"
    path = _path_of(text).removeprefix(base).lstrip("/")
    data = os.fsencode(os.path.normpath(path)) if path else b""
    if not data or data.startswith((b"../", b"/")) or data == b"..":
        return Decision(text, False, "outside", "no path of a file below the folder")
    shown = "/" + path
    if any(part.startswith(b".") for part in data.split(b"/")):
        return Decision(shown, False, "hidden", "names that begin with a dot are passed over")
    if not READABLE.search(data):
        return Decision(shown, False, "type", "only Markdown, text and HTML files are read")
    if data.count(b"/") > folder.max_depth:
        return Decision(shown, False, "depth", _REASONS["depth"])
    address = f"{_FOLDER}/{quoted(data)}"
    reason = rules.refusal(data)
    if reason == "exclude":
        pattern = _first(folder.exclude, address, made, paths=True)
        return Decision(shown, False, reason, f"excluded by {pattern}", pattern)
    if reason == "include":
        inside = not folder.within or _first(folder.within, address, made, paths=True)
        whose = "run" if inside else "source"
        return Decision(shown, False, reason, f"fits no include pattern of the {whose}")
    pattern = _first([*folder.include, *folder.within], address, made, paths=True)
    rule = f"included by {pattern}" if pattern else "every Markdown, text and HTML file is read"
    return Decision(shown, True, "include" if pattern else "scope", rule, pattern)


def _path_of(text: str) -> str:
    """A path, or that of the address of a file, in which it is quoted."""
    if not text.startswith(_FILE):
        return text
    return unquote(text.removeprefix(_FILE), errors="surrogateescape")


def _first(
    patterns: Sequence[str], url: str, made: _Made, *, paths: bool = False
) -> str | None:  # fmt: skip
    """The first of some patterns that fits; each is compiled once and kept in `made`."""
    for text in patterns:
        if text not in made:
            made[text] = Patterns([rooted(text) if paths else text])
        if made[text].match(url):
            return text
    return None
