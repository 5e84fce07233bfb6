"""One paragraph's text and marks as Markdown that a CommonMark reader reads back the same.

A paragraph is collected as text with marks between (control characters, which page text never
contains). Here spaces are collapsed, marks become syntax where CommonMark (0.31, section 6) would
recognise them and vanish where it would not, and whatever in the text would be read as syntax is
escaped, and nothing else.
"""

from __future__ import annotations

import re

CODE, CODE_END = "\x01", "\x02"
STRONG, STRONG_END = "\x03", "\x04"
EMPHASIS, EMPHASIS_END = "\x05", "\x06"
DELETED, DELETED_END = "\x07", "\x08"
LINK, LINK_ADDRESS, LINK_END = "\x0e", "\x0f", "\x10"
BREAK = "\x11"
IMAGE, IMAGE_ADDRESS, IMAGE_END = "\x12", "\x13", "\x14"
LITERAL, LITERAL_END = "\x17", "\x18"

_MARK = re.compile("[\x01-\x18]")
# Patterns that begin with one set of characters are searched for many times faster than others.
_PIECE = re.compile(
    "([\x01\x03-\x08\x0e\x0f\x11\x12\x17](?:(?<=[\x03-\x08\x0e\x11])|(?<=\x01)[^\x02]*\x02"
    "|(?<=\x0f)[^\x10]*\x10|(?<=\x17)[^\x18]*\x18|(?<=\x12)[^\x14]*\x14))"
)
_OPENERS = re.compile("[\x01\x03\x05\x07\x0e][\x01\x03\x05\x07\x0e \x11]*[ \x11]")
_CLOSERS = re.compile(
    "(?<![ \x11])[ \x11]+(?:[\x02\x04\x06\x08]|\x0f[^\x10]*\x10)"
    "(?:[\x02\x04\x06\x08 \x11]|\x0f[^\x10]*\x10)*"
)
_SPACES = re.compile("[ \x11]+")
_RUN = re.compile("(?:[\x01-\x08\x0e]|\x0f[^\x10]*\x10){2,}")
_OF_RUN = re.compile("\x0f[^\x10]*\x10|.")
# Marks around nothing, and of neighbours of one kind.
_VANISHING = frozenset(
    {"\x03\x04", "\x05\x06", "\x07\x08", "\x0e\x0f", "\x01\x02"}
    | {"\x02\x01", "\x04\x03", "\x06\x05", "\x08\x07"}
)
_UNTIDY = re.compile(
    "[\x01-\x08\x0e\x0f\x11](?:(?<=[\x01\x03\x05\x07\x0e])[ \x11]"
    "|(?<=[ \x11][\x02\x04\x06\x08\x0f])|(?<=\x11)|(?<=\x0e)\x0f|(?<=\x01)\x02|(?<=\x02)\x01"
    "|(?<=\x03)\x04|(?<=\x04)\x03|(?<=\x05)\x06|(?<=\x06)\x05|(?<=\x07)\x08|(?<=\x08)\x07)"
)
_AROUND_BREAK = re.compile(" *\x11 *")

# NUL stands for the end of a text where a mark follows or precedes.
_SPECIAL = re.compile(
    r"`+|(?:(?<=\S)|(?=\*+\S))\*+|_+|~~+|~(?=\0)|(?<=\0)~|<(?=[A-Za-z/!?\0])|&(?=#?\w{1,32};)"
    r"|\\(?=[!-/:-@\[-`{-~\0]|$)|\](?=[(\[])|\[(?=\^)|!(?=\[)"
)
_MAYBE_SPECIAL = re.compile(r"[`*_~<&\\\]\[!]")
_BRACKET = re.compile(r"(\\.)|[\[\]]")
_BLOCK_START = re.compile(
    r"(?m)^(?:(?:#{1,6}|[-+*])(?= |$)|>|~~~|(\d{1,9})([.)])(?= |$)"
    r"|\[(?=(?:[^\[\]\\\n]|\\.)*\]:)|\[(?=[ xX]\] )|_(?=[_ ]*$)|(?:=+|(?=[|: ]*-)[-:|][-:| ]*)$)"
)
_BACKTICKS = re.compile("`+")
_DELIMITERS = {STRONG: "**", EMPHASIS: "*", DELETED: "~~"}
_OPENING = {STRONG_END: STRONG, EMPHASIS_END: EMPHASIS, DELETED_END: DELETED}


def unescape(text: str) -> str:
    """Undo the four character references that lexbor writes, no-break spaces as spaces."""
    if "&" in text:
        text = text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">")
        text = text.replace("&quot;", '"').replace("&amp;", "&")
    return text


def render(raw: str) -> str:
    """Return the paragraph as Markdown, `""` if nothing is to be seen in it.

    Line breaks come out as a backslash and a newline. What only matters at the start of a line
    is left to `escape_start`.
    """
    text = " ".join(unescape(raw).split())
    if text.isprintable():  # which marks are not
        return _escape(text)
    return _render_marks(_tidy(text))


def plain(raw: str) -> str:
    """Return the paragraph's text without any mark, images as their alternative text."""
    text = re.sub("\x0f[^\x10]*\x10|\x13[^\x14]*\x14", "", unescape(raw))
    return " ".join(_MARK.sub("", text.replace(BREAK, " ")).split())


def without_bold(raw: str) -> str:
    """Return the paragraph without marks of bold text."""
    return raw.replace(STRONG, "").replace(STRONG_END, "")


def escape_start(text: str) -> str:
    """Escape what would be read as a heading, list, quote, rule or table at a line's start."""
    if "\n" not in text and _BLOCK_START.match(text) is None:
        return text
    return _BLOCK_START.sub(_escaped_start, text)


def code_span(text: str) -> str:
    """Return `text` as a code span, fenced by more backticks than it contains in a row."""
    if not text:
        return ""
    if "`" not in text:
        return f"`{text}`"
    longest = max(map(len, _BACKTICKS.findall(text)))
    fence = "`" * (longest + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _tidy(text: str) -> str:
    """Move spaces out of marks, drop marks around nothing, join neighbouring code."""
    if _UNTIDY.search(text) is None:
        return text
    before = ""
    while before != text:
        before = text
        text = _OPENERS.sub(_spaces_first, text)
        text = _CLOSERS.sub(_spaces_last, text)
        text = _RUN.sub(_without_vanishing, text)
    text = _AROUND_BREAK.sub(BREAK, " ".join(text.split()))
    return text.strip(BREAK)


def _spaces_first(match: re.Match[str]) -> str:
    return "".join(_SPACES.findall(match[0])) + _SPACES.sub("", match[0])


def _spaces_last(match: re.Match[str]) -> str:
    return _SPACES.sub("", match[0]) + "".join(_SPACES.findall(match[0]))


def _without_vanishing(match: re.Match[str]) -> str:
    kept: list[str] = []
    for mark in _OF_RUN.findall(match[0]):
        if kept and kept[-1][0] + mark[0] in _VANISHING:
            kept.pop()
        else:
            kept.append(mark)
    return "".join(kept)


def _render_marks(text: str) -> str:
    out: list[str] = []
    opened: list[tuple[str, int]] = []
    pieces = _PIECE.split(text)
    links = 0
    for place, piece in enumerate(pieces):
        if not piece:
            continue
        mark = piece[0]
        if place % 2 == 0:
            if _MAYBE_SPECIAL.search(piece) is None:
                out.append(piece)
                continue
            out.append(_between_marks(piece, in_link=links > 0))
        elif mark == CODE:
            code = piece[1:-1].strip()
            begins_link = links == 1 and opened[-1] == (LINK, len(out) - 1)
            # else the fences would run together
            is_free = begins_link or _last_character(out, len(out)) != "`"
            out.append(code_span(code) if is_free else _between_marks(code, in_link=links > 0))
        elif mark == LINK or mark in _DELIMITERS:
            links += mark == LINK
            opened.append((mark, len(out)))
            out.append("")
        elif mark == LINK_ADDRESS:
            links -= 1
            if opened and opened[-1][0] == LINK:
                _close_link(out, opened, piece[1:-1])
        elif mark in _OPENING:
            if opened and opened[-1][0] == _OPENING[mark]:
                _close(out, opened, pieces, place)
        else:
            out.append(_single(piece))
    return "".join(out).strip()


def _single(piece: str) -> str:
    mark, content = piece[0], piece[1:-1]
    if mark == LITERAL:
        return content
    if mark == IMAGE:
        alternative, _, address = content.partition(IMAGE_ADDRESS)
        return f"![{_bracketed(alternative.strip())}]({address})"
    return "\\\n"


def _bracketed(text: str) -> str:
    return _BRACKET.sub(_escaped_bracket, _escape(text))


def _escaped_bracket(match: re.Match[str]) -> str:
    return match[1] or "\\" + match[0]


def _close(out: list[str], opened: list[tuple[str, int]], pieces: list[str], end: int) -> None:
    """Write the delimiters of the innermost mark if they would be recognised where they stand.

    It ends at the place `end` of `pieces`. A mark within a mark is written only where its
    delimiters cannot be read as anything else: at the edge of the outer one or clearly between
    words.
    """
    mark, start = opened.pop()
    content = "".join(out[start:])
    previous = _last_character(out, start)
    ends_outer, following = _what_follows(pieces, end)
    outer = [place for other, place in opened if other != LINK]
    if outer:
        opens = outer[-1] == start - 1 or _is_clear(previous, content[:1])
        closes = ends_outer or _is_clear(following, content[-1:])
        if not (opens and closes) or any(mark == other for other, _ in opened):
            return
    touches = previous == _DELIMITERS[mark][0]  # the end of what stands before would run into it
    if content.strip() and not touches and _flanks(previous, content, following):
        out[start] = _DELIMITERS[mark]
        out.append(_DELIMITERS[mark])


def _last_place(out: list[str], end: int) -> int:
    place = end - 1
    while place >= 0 and not out[place]:
        place -= 1
    return place


def _last_character(out: list[str], end: int) -> str:
    place = _last_place(out, end)
    return out[place][-1] if place >= 0 else " "


def _what_follows(pieces: list[str], end: int) -> tuple[bool, str]:
    """Say whether a mark ends here too, and what the next character is after marks of emphasis.

    Links, images and code count as punctuation.
    """
    ends = False
    for place in range(end + 1, len(pieces)):
        piece = pieces[place]
        if piece:
            if piece[0] in _OPENING:
                ends = True
            elif piece[0] not in _DELIMITERS:
                return ends, "[" if _MARK.match(piece) else piece[0]
    return ends, " "


def _flanks(previous: str, content: str, following: str) -> bool:
    """CommonMark 6.2: a left-flanking opener before `content` and a right-flanking closer after."""
    opens = not _is_punctuation(content[0]) or not previous.isalnum()
    closes = not _is_punctuation(content[-1]) or not following.isalnum()
    return opens and closes


def _is_clear(outside: str, inside: str) -> bool:
    """Say whether a delimiter between these characters can only open (or only close)."""
    return outside.isspace() or (not outside.isalnum() and inside.isalnum())


def _is_punctuation(character: str) -> bool:
    return not character.isalnum() and not character.isspace()


def _close_link(out: list[str], opened: list[tuple[str, int]], address: str) -> None:
    _, start = opened.pop()
    if "".join(out[start:]).strip() and not any(mark == LINK for mark, _ in opened):
        place = _last_place(out, start)
        if place >= 0 and out[place][-1] == "!":  # which would make it an image
            out[place] = out[place][:-1] + "\\!"
        out[start] = "["
        out.append(f"]({address})")


def _escape(text: str) -> str:
    return text if _MAYBE_SPECIAL.search(text) is None else _SPECIAL.sub(_escaped, text)


def _between_marks(text: str, *, in_link: bool) -> str:
    text = _SPECIAL.sub(_escaped, f"\0{text}\0")[1:-1]
    return _BRACKET.sub(_escaped_bracket, text) if in_link else text


def _escaped(match: re.Match[str]) -> str:
    run = match[0]
    if run[0] == "_":
        return run if _keeps_underscores(match) else run.replace("_", r"\_")
    if run[0] in "`*~":
        return "".join("\\" + character for character in run)
    return "\\" + run


def _keeps_underscores(match: re.Match[str]) -> bool:
    text, start, end = match.string, match.start(), match.end()
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return (before.isalnum() and after.isalnum()) or (before.isspace() and after.isspace())


def _escaped_start(match: re.Match[str]) -> str:
    if match[1]:
        return f"{match[1]}\\{match[2]}"
    return "\\" + match[0]
