"""A tree of jobs in the order in which it is drawn: each job, then everything below it.

Read a page at a time. The place in between is the path of ids from the top to the last job shown,
so that it is found again though that job may be gone meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quaero.db.contract import ReadTx
from quaero.errors import BadInput, NotFound
from quaero.jobs.model import MAX_DEPTH
from quaero.jobs.read import Filter, Summary, listing, summaries

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A page of a tree; `next` is the path of its last job, None where the tree ends."""

    items: list[Summary]
    next: Path | None


def outline(tx: ReadTx, job_id: int, after: Sequence[int] = (), limit: int = 50) -> Outline:
    """The jobs of a tree that follow the one at the end of the path `after`.

    Raises `NotFound`, or `BadInput` for a path that leads elsewhere.
    """
    top = summaries(tx, [job_id])
    if not top:
        raise NotFound(f"there is no job {job_id}")
    if after and (after[0] != job_id or len(after) > MAX_DEPTH + 1):
        raise BadInput("the place belongs to another tree; begin at the top")
    items: list[Summary] = []
    last: Path = ()
    for path, job in _following(tx, top[0], tuple(after), limit + 1):
        if len(items) == limit:
            return Outline(items, last)
        items.append(job)
        last = path
    return Outline(items, None)


def _following(tx: ReadTx, top: Summary, after: Path, most: int) -> Iterator[tuple[Path, Summary]]:
    """Each job after a path, with its own path; up to `most` are read at a time."""
    if not after:
        yield (top.id,), top
        after = (top.id,)
    yield from _below(tx, after, 0, most)
    for length in range(len(after) - 1, 0, -1):
        yield from _below(tx, after[:length], after[length], most)


def _below(tx: ReadTx, parent: Path, seen: int, most: int) -> Iterator[tuple[Path, Summary]]:
    """Everything below a job, from its child after `seen` on."""
    while True:
        children = listing(tx, Filter(parent_id=parent[-1], before=seen, limit=most))
        for child in children:
            path = (*parent, child.id)
            yield path, child
            if child.counts.total:
                yield from _below(tx, path, 0, most)
        if len(children) < most:
            return
        seen = children[-1].id
