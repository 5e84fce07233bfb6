"""Include and exclude patterns: what a user writes to name a set of addresses.

A pattern is a *glob*, matched against a whole address: `*` is any run of characters (`**` the
same), `?` is any one character, everything else is itself. It is compared with the address without
its scheme (`docs.example.org/api/*`), or with path and query if it begins with a slash
(`/api/*`), or with scheme and all if it begins with `http://` or `https://`. A pattern that
begins with `re:` is a regular expression, searched for anywhere in the whole address.

All patterns of a list become one automaton of RE2, so matching takes time in proportion to the
length of the address, whatever was written and however many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

import ada_url
import re2

from quaero.errors import BadPattern

# For the program and its states: a thousand globs fit, and what does not is refused in 0.1 s.
_MEMORY = 16 * 1024 * 1024
_WILDCARDS = re.compile(r"\*+|\?")
_UNSUPPORTED = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]|\(\?>|\(\?\(")
_KEPT = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class Patterns:
    """Some patterns as one matcher; immutable, and cheap to ask."""

    __slots__ = ("_matcher", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        """Compile `texts`; raises BadPattern naming the first that cannot be used."""
        self.texts = tuple(texts)
        expressions = [f"(?:{_expression(text)})" for text in self.texts]
        self._matcher = _joined(expressions) if expressions else None

    def __bool__(self) -> bool:
        return self._matcher is not None

    def match(self, url: str) -> bool:
        """Tell whether any of the patterns matches the canonical address `url`."""
        return self._matcher is not None and self._matcher.search(url) is not None


def _expression(text: str) -> str:
    """Return the regular expression, for a search in the whole address, of one pattern."""
    if not text or text == "re:":
        raise BadPattern("A pattern is empty. Write one such as '/docs/*', or leave it out.")
    if not text.startswith("re:"):
        return _from_glob(text)
    expression = text.removeprefix("re:")
    try:
        _compiled(expression)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadPattern(_explained(text, error)) from None
    return expression


def _from_glob(glob: str) -> str:
    scheme, separator, rest = glob.partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        return rf"\A{scheme.lower()}://{_host_and_path(rest, glob)}\z"
    if glob.startswith("/"):
        return rf"\Ahttps?://[^/]*{_escaped(glob, glob)}\z"
    return rf"\Ahttps?://{_host_and_path(glob, glob)}\z"


def _host_and_path(text: str, glob: str) -> str:
    host, slash, path = text.partition("/")
    if not slash and not _WILDCARDS.search(host):
        raise BadPattern(
            f"The pattern {glob!r} matches no address, because it is compared with the whole one. "
            f"Write '*{glob}*' for addresses that contain it, or '{glob}/*' for all of a host."
        )
    wildcard = _WILDCARDS.search(host)
    start = wildcard.start() if wildcard else len(host)
    name = _escaped(_ascii_host(host[:start]), glob)
    return name + _beyond_wildcard(host[start:], glob) + _escaped(slash + path, glob)


def _beyond_wildcard(text: str, glob: str) -> str:
    """Return the expression of what may stand in a host or, as a wildcard is before it, a path."""
    spellings = dict.fromkeys((_escaped(_ascii_host(text), glob), _escaped(text, glob)))
    return f"(?:{'|'.join(spellings)})"


def _ascii_host(host: str) -> str:
    """Return the host part of a glob as addresses spell it: lower case, international as ASCII."""
    if host.isascii():
        return host.lower()
    return ".".join(_ascii_label(label) for label in host.split("."))


def _ascii_label(label: str) -> str:
    ascii_label: bytes = ada_url.idna_to_ascii(label)
    return ascii_label.decode() or label


def _escaped(text: str, glob: str) -> str:
    """Return the expression of a piece of a glob, its characters escaped as in an address."""
    try:
        text = quote(text, safe=_KEPT)
    except UnicodeEncodeError:
        raise BadPattern(f"The pattern {glob!r} is not valid text. Write it again.") from None
    literals: list[str] = [re2.escape(piece) for piece in _WILDCARDS.split(text)]
    wildcards = ["." if mark == "?" else ".*" for mark in _WILDCARDS.findall(text)]
    return literals[0] + "".join(a + b for a, b in zip(wildcards, literals[1:], strict=True))


def _joined(expressions: list[str]) -> re2._Regexp:
    # One alternation, not an RE2 set: a set that runs out of memory answers "no match".
    try:
        return _compiled("|".join(expressions))
    except re2.error:
        raise BadPattern(
            f"The {len(expressions)} patterns are together too large. Use fewer or simpler ones."
        ) from None


def _compiled(expression: str) -> re2._Regexp:
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _MEMORY
    return re2.compile(expression, options)


def _explained(text: str, error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"The pattern {text!r} is not valid text. Write it again."
    if _UNSUPPORTED.search(text):
        return (
            f"The pattern {text!r} cannot be used: look-around and back-references are not "
            "supported. Use two patterns instead, one to include and one to exclude."
        )
    cause = error.args[0]
    reason = cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)
    return (
        f"The pattern {text!r} is not a regular expression ({reason}). Correct it, or leave out "
        "'re:' to write a glob such as '/docs/*'."
    )
