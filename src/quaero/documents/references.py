"""What a text refers to: issues, pull requests, people, pages of a wiki.

Found in Markdown by the form of addresses, whatever page they stand on. An issue's key that is only
written out counts where it is plausible: in a document of Jira or Confluence, or where a link of
the same text leads to an issue of the same project. Names of standards look like keys and are none.
Pure, and cheap for texts without any; saving, and who refers to whom, is in `referring`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

MOST = 500
"""References kept of one document."""

ISSUE, PULL_REQUEST, MENTION, PAGE = "issue", "pull_request", "mention", "page"

_KEY = r"[A-Z][A-Z0-9_]{1,19}-[1-9][0-9]{0,6}"
_END = r"(?=[/?#\s)>\]\"'.,;:!]|$)"
_HOST = r"https?://[^\s/()<>\"']{1,255}"
_AT = rf"{_HOST}(?:/[^\s()<>\"'?#]{{0,300}}?)?"
# (what must occur in a text, kind, an address of that form with the key as its groups, the key)
_FORMS = (
    ("/browse/", ISSUE, rf"{_AT}/browse/({_KEY}){_END}", "{}"),
    ("/issues/", ISSUE, rf"{_AT}/projects/[A-Z0-9_]+/issues/({_KEY}){_END}", "{}"),
    ("selectedIssue=", ISSUE, rf"{_AT}\?[^\s()<>\"']{{0,500}}?\bselectedIssue=({_KEY})", "{}"),
    ("/issues/", ISSUE, rf"{_HOST}/([\w.-]+/[\w.-]+)(?:/-)?/issues/(\d+){_END}",
     "{}#{}"),
    ("/pull", PULL_REQUEST,
     rf"{_HOST}/([\w.-]+/[\w.-]+)/pulls?/(\d+){_END}", "{}#{}"),
    ("/pull", PULL_REQUEST,
     rf"{_HOST}/([\w.-]+/[\w.-]+)/pull-requests/(\d+){_END}", "{}#{}"),
    ("/pull", PULL_REQUEST,
     rf"{_AT}/(?:projects|users)/([\w.~-]+)/repos/([\w.-]+)/pull-requests/(\d+){_END}", "{}/{}#{}"),
    ("/merge_requests/", PULL_REQUEST,
     rf"{_HOST}/([\w./-]{{1,200}}?)(?:/-)?/merge_requests/(\d+){_END}", "{}#{}"),
    ("/secure/ViewProfile.jspa", MENTION, rf"{_AT}/secure/ViewProfile\.jspa\?name=([^\s&()<>#]+)",
     "{}"),
    ("/display/", MENTION, rf"{_AT}/display/~([^\s/?#()<>]+)", "{}"),
    ("/people/", MENTION, rf"{_AT}/(?:wiki|jira)/people/([\w:.-]+)", "{}"),
    ("/pages/viewpage.action", PAGE,
     rf"{_AT}/pages/viewpage\.action\?(?:[^\s()<>#]{{0,500}}?&)?pageId=(\d+)", "{}"),
    ("/spaces/", PAGE, rf"{_AT}/spaces/[^\s/()<>]+/(?:pages|blog(?:/\d+){{3}})/(\d+){_END}", "{}"),
    ("/display/", PAGE, rf"{_AT}/display/([^\s/~?#()<>][^\s/?#()<>]*/[^\s/?#()<>]+)", "{}"),
)  # fmt: skip
_BY_MARK = {
    mark: [(kind, re.compile(form), key) for other, kind, form, key in _FORMS if other == mark]
    for mark in dict.fromkeys(mark for mark, *_ in _FORMS)
}

_WRITTEN = re.compile(rf"(?<![\w/=&#?%.@:-])({_KEY})(?![\w-]|\.\d)")
_PUNCTUATION = ".,;:!*_`"
_STANDARDS = """
    AES ANSI API ARM ASCII BASE BCP BSD CIS COVID CP CPU CRC CSS CVE CWE DES DIN DSA EC ECMA ED EN
    ES FIPS GB GMT GPT H HL HMAC HTML HTTP IEC IEEE IETF IP IPV ISBN ISO JDK JEP JIS JSR KB KOI
    LATIN MB MD MIL MP NIST OSI OWASP PEP PHP PKCS PR PS PSR PY RFC RIPEMD RS RSA SARS SHA SMPTE
    SOC SQL SSL STD TB TCP TLS TR UCS UDP UN USB UTC UTF UTS VT WCAG WINDOWS X XEP XML ZIP
"""
_NO_PROJECTS = frozenset(_STANDARDS.split())
# SHA3-256 and IPV6-1 are no issues either.
_DIGITS = re.compile(r"\d+$")
_PRODUCTS = frozenset({"jira", "confluence"})


class Reference(NamedTuple):
    """What a text refers to: its kind, what it is called, and the link's address if it is one."""

    kind: str
    key: str
    url: str | None = None


def find(text: str, source_type: str = "web") -> tuple[Reference, ...]:
    """The references in a document's Markdown, each once, links before what is only written."""
    found: dict[tuple[str, str], Reference] = {}
    for each in _of_links(text):
        found.setdefault((each.kind, each.key), each)
    linked = {key.rpartition("-")[0] for kind, key in found if kind == ISSUE and "#" not in key}
    if linked or source_type in _PRODUCTS:
        for match in _WRITTEN.finditer(text):
            project = match[1].rpartition("-")[0]
            if project in linked or (source_type in _PRODUCTS and _is_plausible(project)):
                found.setdefault((ISSUE, match[1]), Reference(ISSUE, match[1]))
    return tuple(found.values())[:MOST]


def _of_links(text: str) -> Iterator[Reference]:
    for mark, forms in _BY_MARK.items():
        for kind, form, key in forms if mark in text else ():
            for match in form.finditer(text):
                groups = (group.rstrip(_PUNCTUATION) for group in match.groups())
                name = unquote(key.format(*groups)).replace("+", " ").strip()
                if name:
                    yield Reference(kind, name[:300], match[0].rstrip(_PUNCTUATION))


def _is_plausible(project: str) -> bool:
    return project not in _NO_PROJECTS and _DIGITS.sub("", project) not in _NO_PROJECTS


def names_of(metadata: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The (kind, key) under which others refer to a document with such metadata."""
    issue, page = metadata.get("issue"), metadata.get("page")
    names = []
    if isinstance(issue, Mapping) and isinstance(issue.get("key"), str):
        names.append((ISSUE, issue["key"]))
    if isinstance(page, Mapping):
        number, space, title = page.get("id"), page.get("space"), page.get("title")
        if isinstance(number, str):
            names.append((PAGE, number))
        if isinstance(space, str) and isinstance(title, str):
            names.append((PAGE, f"{space}/{title}"))
    return tuple(names)
