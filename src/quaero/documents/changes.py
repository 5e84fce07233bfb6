"""What has changed between two texts: lines taken away and put in, and within them the words.

Lines are compared by `difflib` (Ratcliff and Obershelp), without those that both texts begin and
end with. It takes the longer the more often lines occur again and again; beyond a bound all lines
between are told as taken away and put in anew, and `exact` says that they were not compared. Words
are compared as far as a bound on all of them goes; lines after that have no marks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

from quaero.documents.letters import UNSPACED

CONTEXT = 3
"""Lines that are shown around what has changed."""

MOST_PAIRS = 50_000
"""Pairs of equal lines, or of equal words of two lines, up to which they are compared."""

MOST_WORD_PAIRS = 5_000_000
"""The same for the words of all lines together: about a second."""

SIGNS = {"same": " ", "removed": "-", "added": "+"}
"""What stands before a line of each kind in a text that shows changes."""

_POPULAR_FROM = 200  # lines: from here on `difflib` leaves out those that are more than 1 % of all
_ALIKE = 0.4  # of their words: less in common, and a line is another
_WORD = re.compile(rf"[^\W{UNSPACED}]+|\s+|.", re.DOTALL)

Operation = tuple[Literal["equal", "replace", "delete", "insert"], int, int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a line; `marked` if it differs from the line that stands for it."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line in its parts, as it is in both texts, only in the old or only in the new."""

    kind: Literal["same", "removed", "added"]
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that have changed, with some around; `old` and `new` number the first, from 1."""

    old: int
    new: int
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Changes:
    """All that has changed; `removed` and `added` count lines."""

    exact: bool
    removed: int
    added: int
    hunks: list[Hunk]


def compare(old: str, new: str) -> Changes:
    """Compare two texts."""
    before, after = _lines(old), _lines(new)
    operations, exact = _operations(before, after)
    changed = [each for each in operations if each[0] != "equal"]
    effort = _Effort()
    return Changes(
        exact,
        sum(each[2] - each[1] for each in changed),
        sum(each[4] - each[3] for each in changed),
        [_hunk(group, before, after, effort) for group in _grouped(operations)],
    )


@dataclass(slots=True)
class _Effort:
    """How many pairs of words may still be looked at."""

    left: int = MOST_WORD_PAIRS


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _operations(before: Sequence[str], after: Sequence[str]) -> tuple[list[Operation], bool]:
    """What makes the old lines the new ones, in order, and whether all of them were compared."""
    most = min(len(before), len(after))
    start = next((n for n in range(most) if before[n] != after[n]), most)
    rest = most - start
    end = next((n for n in range(rest) if before[-1 - n] != after[-1 - n]), rest)
    old_end, new_end = len(before) - end, len(after) - end
    between, exact = _between(before[start:old_end], after[start:new_end])
    found: list[Operation] = [("equal", 0, start, 0, start)]
    found += [(kind, a + start, b + start, c + start, d + start) for kind, a, b, c, d in between]
    found.append(("equal", old_end, len(before), new_end, len(after)))
    return [each for each in found if each[1] < each[2] or each[3] < each[4]], exact


def _between(before: Sequence[str], after: Sequence[str]) -> tuple[list[Operation], bool]:
    if _pairs(before, after) > MOST_PAIRS:
        return [("replace", 0, len(before), 0, len(after))], False
    return SequenceMatcher(None, before, after).get_opcodes(), True


def _pairs(before: Sequence[str], after: Sequence[str]) -> int:
    """How many pairs of equal entries there are to look at."""
    known = Counter(after)
    popular = len(after) // 100 + 1 if len(after) >= _POPULAR_FROM else len(after)
    return sum(
        number * known[entry]
        for entry, number in Counter(before).items()
        if known[entry] <= popular
    )


def _grouped(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in groups that have no more than their surroundings between them."""
    group: list[Operation] = []
    for kind, old, old_end, new, new_end in operations:
        if kind != "equal":
            group.append((kind, old, old_end, new, new_end))
            continue
        length = old_end - old
        if group and length > 2 * CONTEXT:
            group.append((kind, old, old + CONTEXT, new, new + CONTEXT))
            yield group
            group = []
        if group:
            group.append((kind, old, old_end, new, new_end))
        else:
            before = min(length, CONTEXT)
            group = [(kind, old_end - before, old_end, new_end - before, new_end)]
    if any(kind != "equal" for kind, *_ in group):
        kind, old, old_end, new, new_end = group[-1]
        if kind == "equal":
            after = min(old_end - old, CONTEXT)
            group[-1] = (kind, old, old + after, new, new + after)
        yield group


def _hunk(
    group: Sequence[Operation], before: Sequence[str], after: Sequence[str], effort: _Effort
) -> Hunk:
    lines: list[Line] = []
    for kind, old, old_end, new, new_end in group:
        if kind == "equal":
            lines += [Line("same", [Part(text, marked=False)]) for text in before[old:old_end]]
        else:
            lines += _replaced(before[old:old_end], after[new:new_end], effort)
    return Hunk(group[0][1] + 1, group[0][3] + 1, lines)


def _replaced(before: Sequence[str], after: Sequence[str], effort: _Effort) -> list[Line]:
    """Lines taken away, then those in their place, each with what differs from its counterpart."""
    removed, added = [], []
    for old, new in zip_longest(before, after):
        old_parts, new_parts = _parts(old, new, effort)
        if old is not None:
            removed.append(Line("removed", old_parts))
        if new is not None:
            added.append(Line("added", new_parts))
    return removed + added


def _parts(old: str | None, new: str | None, effort: _Effort) -> tuple[list[Part], list[Part]]:
    """Two lines in parts; unmarked where one is missing or they have too little in common."""
    if old is not None and new is not None and effort.left > 0:
        before, after = _WORD.findall(old), _WORD.findall(new)
        pairs = _pairs(before, after)
        effort.left -= pairs
        if pairs <= MOST_PAIRS:
            operations = SequenceMatcher(None, before, after).get_opcodes()
            if _in_common(operations, before, after) >= _ALIKE:
                return _marked(operations, before, after)
    return [Part(old or "", marked=False)], [Part(new or "", marked=False)]


def _in_common(
    operations: Sequence[Operation], before: Sequence[str], after: Sequence[str]
) -> float:
    """The share of words that both lines have, where 1 is all of them; blanks do not count."""
    both = sum(
        not before[at].isspace()
        for kind, old, old_end, *_ in operations
        if kind == "equal"
        for at in range(old, old_end)
    )
    return 2 * both / max(1, sum(not word.isspace() for word in (*before, *after)))


def _marked(
    operations: Sequence[Operation], before: Sequence[str], after: Sequence[str]
) -> tuple[list[Part], list[Part]]:
    old_parts, new_parts = [], []
    for kind, old, old_end, new, new_end in operations:
        marked = kind != "equal"
        if old < old_end:
            old_parts.append(Part("".join(before[old:old_end]), marked))
        if new < new_end:
            new_parts.append(Part("".join(after[new:new_end]), marked))
    return old_parts, new_parts
