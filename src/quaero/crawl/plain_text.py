"""Texts that are no HTML, and HTML that no tree is built of, as a page's text.

Both are linear in the input and keep every word.
"""

from __future__ import annotations

import re
from html import unescape

from quaero.crawl.markdown import without_controls

_INVISIBLE = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style|template|noscript|svg|head)\b(?:[^>]*>.*?(?:</\1\s*>|\Z)|[^>]*\Z)",
    re.DOTALL | re.IGNORECASE,
)
_BLOCK = re.compile(
    r"</?(?:p|div|br|hr|li|ul|ol|dl|dt|dd|tr|table|pre|h[1-6]|section|article|main|header|footer|nav"
    r"|aside|blockquote|form|body|html|title|address|caption|center|details|dialog|dir|fieldset"
    r"|figcaption|figure|legend|menu|optgroup|option|summary)\b[^<>]*>",
    re.IGNORECASE,
)
_CELL = re.compile(r"</?t[dh]\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<[!?][^<>]*>")
_SPACES = re.compile(r"[ \t\f\v\xa0]{2,}|[\t\f\v\xa0]")  # whatever is not one blank already
_TITLE = re.compile(r"<title\b[^<>]*>([^<]{1,2000})", re.IGNORECASE)
_HEAD_END = re.compile(r"</head[\s>]|<body[\s>]", re.IGNORECASE)
_LONGEST_HEAD = 64 * 1024
_HEADING = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


def text_of_markup(source: str) -> str:
    """Return the text of HTML without making a tree: tags removed, a line for each block.

    The cells of a row stand on one line, with a blank between.
    """
    text = _CELL.sub(" ", _BLOCK.sub("\n", _INVISIBLE.sub(" ", source)))
    text = unescape(_TAG.sub("", text))
    lines = (_SPACES.sub(" ", line).strip() for line in without_controls(text).split("\n"))
    return _ended("\n\n".join(line for line in lines if line))


def title_of_markup(source: str) -> str:
    """Return what stands in the first `<title>`, or ""."""
    found = _TITLE.search(source)
    return unescape(found[1]) if found else ""


def head_of_markup(source: str) -> str:
    """Return what stands before the body; where no end of the head is seen, the beginning."""
    end = _HEAD_END.search(source, 0, _LONGEST_HEAD)
    return source[: end.start() if end is not None else _LONGEST_HEAD]


def tidy(text: str) -> str:
    r"""Return a text with `\n` line ends, no spaces at them, no control characters."""
    text = without_controls(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _ended("\n".join(line.rstrip() for line in text.split("\n")).strip("\n"))


def _ended(text: str) -> str:
    return f"{text}\n" if text else ""


def headings_of(text: str) -> list[tuple[int, str]]:
    """Return the ATX headings of a Markdown text outside of fenced code."""
    found = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence and (heading := _HEADING.match(line)):
            found.append((len(heading[1]), _without_closing(line[heading.end() :])))
    return found


def _without_closing(heading: str) -> str:
    """Take the `#`s that may end an ATX heading from it (CommonMark 0.31, 4.2)."""
    text = heading.rstrip(" \t")
    shorter = text.rstrip("#")
    return shorter.rstrip(" \t") if shorter[-1:] in {" ", "\t"} else text
