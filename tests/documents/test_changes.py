"""What has changed between two texts: right for any, shown with some lines around, and in time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaero.db import SqliteDatabase
from quaero.documents import store, versions
from quaero.documents.changes import CONTEXT, Changes, Line, Part, compare
from quaero.errors import BadInput, NotFound

TEXTS = st.lists(st.sampled_from(["", "a", "b c", "b d", "# e", "鍵 が"]), max_size=30).map(
    "\n".join
)
PATIENCE = 10.0  # what the worst texts of 50,000 lines take is a tenth of it


def lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def said(line: Line) -> str:
    return "".join(part.text for part in line.parts)


def applied(old: str, changes: Changes) -> list[str]:
    """The new lines, made of the old ones and the changes."""
    before, made, at = lines(old), [], 0
    for hunk in changes.hunks:
        made += before[at : hunk.old - 1]
        assert len(made) == hunk.new - 1
        at = hunk.old - 1
        for line in hunk.lines:
            if line.kind != "added":
                assert before[at] == said(line)
                at += 1
            if line.kind != "removed":
                made.append(said(line))
    return made + before[at:]


@given(TEXTS, TEXTS)
def test_the_old_text_and_its_changes_make_the_new_one(old: str, new: str) -> None:
    changes = compare(old, new)
    assert applied(old, changes) == lines(new)
    kinds = [line.kind for hunk in changes.hunks for line in hunk.lines]
    assert (changes.removed, changes.added) == (kinds.count("removed"), kinds.count("added"))
    assert changes.exact
    for hunk in changes.hunks:
        same = "".join(" " if line.kind == "same" else "x" for line in hunk.lines)
        assert "x" in same
        assert max(map(len, same.split("x"))) <= 2 * CONTEXT
        assert len(same) - len(same.lstrip()) <= CONTEXT >= len(same) - len(same.rstrip())
    if lines(old) == lines(new):
        assert changes.hunks == []


def test_within_a_line_the_words_are_marked() -> None:
    old = "one\n\nThe lamp is lit at dusk.\n\nlast"
    (hunk,) = compare(old, old.replace("at dusk", "in fog")).hunks
    assert (hunk.old, hunk.new) == (1, 1)
    assert [line.kind for line in hunk.lines] == [
        "same",
        "same",
        "removed",
        "added",
        "same",
        "same",
    ]
    start, end = Part("The lamp is lit ", False), Part(".", False)
    assert hunk.lines[2].parts == [
        start, Part("at", True), Part(" ", False), Part("dusk", True), end
    ]  # fmt: skip
    assert hunk.lines[3].parts == [
        start, Part("in", True), Part(" ", False), Part("fog", True), end
    ]  # fmt: skip


def test_signs_of_scripts_without_spaces_are_words() -> None:
    (hunk,) = compare("灯台の鍵は箱にある", "灯台の鍵は海にある").hunks
    assert hunk.lines[0].parts == [
        Part("灯台の鍵は", False), Part("箱", True), Part("にある", False)
    ]  # fmt: skip


def test_a_line_that_is_another_has_no_marks() -> None:
    (hunk,) = compare("the keeper rows ashore", "no oil was left on board").hunks
    assert [line.parts for line in hunk.lines] == [
        [Part("the keeper rows ashore", False)], [Part("no oil was left on board", False)]
    ]  # fmt: skip


def test_what_occurs_too_often_to_be_compared_is_told_as_replaced() -> None:
    shuffled = random.Random(1)
    old = [f"line {number % 120}" for number in range(12_000)]
    new = old.copy()
    shuffled.shuffle(new)
    changes = compare("\n".join(["begin", *old, "end"]), "\n".join(["begin", *new, "end"]))
    assert not changes.exact
    assert (changes.removed, changes.added) == (12_000, 12_000)
    assert applied("\n".join(["begin", *old, "end"]), changes) == ["begin", *new, "end"]


@pytest.mark.parametrize("often", [1, 2, 3])
def test_the_worst_texts_are_compared_in_time(often: int) -> None:
    shuffled = random.Random(often)
    old = [f"line {number}" for number in range(50_000 // often**2)] * often
    new = old.copy()
    shuffled.shuffle(new)
    began = time.process_time()
    compare("\n".join(old), "\n".join(new))
    assert time.process_time() - began < PATIENCE


def test_words_that_occur_again_and_again_in_many_lines_are_compared_in_time() -> None:
    chosen = random.Random(1)
    starts = [" ".join(chosen.choices("abcde", k=58)) for _ in range(10_000)]
    old, new = (
        "\n".join(f"{start} {' '.join(chosen.choices('abcde', k=40))}" for start in starts)
        for _ in range(2)
    )
    began = time.process_time()
    changes = compare(old, new)
    assert time.process_time() - began < PATIENCE
    assert applied(old, changes) == lines(new)
    marks = [any(part.marked for part in line.parts) for line in changes.hunks[0].lines]
    assert marks[0]
    assert not marks[-1]


def test_versions_are_paired_by_number_or_as_the_last_two(db: SqliteDatabase, page) -> None:
    for number in range(1, 4):
        (saved,) = db.write_sync(store.save, [page("a", f"text {number}", title=f"t{number}")])
    first, second, third = (versions.Text(n, f"t{n}", f"text {n}") for n in (1, 2, 3))
    for given_, expected in (
        ((None, None), (second, third)),
        ((1, None), (first, third)),
        ((None, 2), (first, second)),
        ((1, 2), (first, second)),
    ):
        assert db.read_sync(versions.pair, saved.id, *given_) == expected
    for given_ in ((None, 1), (7, 8), (1, 9)):
        with pytest.raises(NotFound):
            db.read_sync(versions.pair, saved.id, *given_)
    for given_ in ((3, 3), (2, 1)):
        with pytest.raises(BadInput, match="not earlier"):
            db.read_sync(versions.pair, saved.id, *given_)
    with pytest.raises(NotFound, match="no document 99"):
        db.read_sync(versions.pair, 99, None, None)
