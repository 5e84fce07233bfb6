"""One look at the database for all clients: what changed, and how it is now.

A look is one read snapshot. It goes through the feed from the earliest place anybody is at, once;
finds out which topics each change concerns; and loads every job that is to be told, once. Those who
come back after a gap are served by the same look, from their own place on, so that nobody can be
told an older state after a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from quaero.api.live.topics import JOBS, Topic
from quaero.db.contract import ReadTx
from quaero.jobs import feed, read
from quaero.jobs.read import Summary

MOST_ENTRIES = 20_000
MOST_JOBS = 100
MOST_CLIMBED = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: the job topics that are heard live from `seq` on, and joins.

    `seq` None is the end of the feed. Each join is a place and the topics that go on from there.
    """

    seq: int | None
    topics: frozenset[Topic]
    joins: list[tuple[int | None, frozenset[Topic]]]


@dataclass(slots=True)
class Changed:
    """The jobs of a topic that changed; with `more` not all of them, and there are too many."""

    ids: list[int]
    more: bool = False


@dataclass(slots=True)
class Look:
    """What was found: `head` is where the next look goes on.

    `live` None, or a join's None, is for a place that is not known, or too far back.
    """

    at: int
    head: int
    behind: int
    live: dict[Topic, Changed] | None
    joined: list[dict[Topic, Changed] | None]
    jobs: dict[int, Summary]


@dataclass(slots=True)
class _Entries:
    """The feed from some place on: when each thing changed last."""

    roots: dict[int, int] = field(default_factory=dict)
    jobs: dict[int, dict[int, int]] = field(default_factory=dict)
    cut: dict[int, int] = field(default_factory=dict)


def look(tx: ReadTx, wanted: Wanted) -> Look:
    """Look once."""
    first, head = feed.span(tx)
    floor = max(first, head - MOST_ENTRIES)
    seq = head if wanted.seq is None else wanted.seq
    places = (seq, *(-1 if at is None else at for at, _ in wanted.joins))
    known = [place for place in places if floor <= place <= head]
    every = wanted.topics.union(*(topics for _, topics in wanted.joins))
    roots = _roots(tx, every)
    entries = _entries(tx, min(known, default=head), set(roots.values()))
    finder = _Finder(tx, entries, roots)

    def found(place: int | None, topics: frozenset[Topic]) -> dict[Topic, Changed] | None:
        if place is None or not floor <= place <= head:
            return None
        return finder.changed(topics, place)

    live = found(seq, wanted.topics)
    joined = [found(place, topics) for place, topics in wanted.joins]
    told = {
        job_id
        for each in (live, *joined)
        for changed in (each or {}).values()
        for job_id in changed.ids
    }
    jobs = {job.id: job for job in read.summaries(tx, sorted(told))} if told else {}
    return Look(tx.now, head, head - seq, live, joined, jobs)


def _roots(tx: ReadTx, topics: Iterable[Topic]) -> dict[int, int]:
    """The root of each job that has a topic; those that are gone are left out."""
    ids = sorted(topic.job_id for topic in topics if topic.kind == "job")
    if not ids:
        return {}
    rows = tx.execute(
        "select id, root_id from job where id in ints($1)", (msgspec.json.encode(ids).decode(),)
    )
    return dict(rows)


def _entries(tx: ReadTx, since: int, watched: set[int]) -> _Entries:
    entries = _Entries()
    rows = tx.execute(
        "select seq, root_id, data from event where seq > $1 order by seq limit $2",
        (since, MOST_ENTRIES),
    )
    for seq, root_id, data in rows:
        entries.roots[root_id] = seq
        if root_id in watched:
            ids = msgspec.json.decode(data)
            entries.jobs.setdefault(root_id, {}).update(dict.fromkeys(ids, seq))
            if len(ids) >= feed.IDS:
                entries.cut[root_id] = seq
    return entries


class _Finder:
    """Finds what changed in a topic since a place; the way up from a job is looked up once."""

    def __init__(self, tx: ReadTx, entries: _Entries, roots: Mapping[int, int]) -> None:
        self._tx = tx
        self._entries = entries
        self._roots = roots
        self._parents: dict[int, int | None] = {}

    def changed(self, topics: Iterable[Topic], since: int) -> dict[Topic, Changed]:
        """The topics that something changed in, and what."""
        found = {topic: self._in(topic, since) for topic in topics}
        return {topic: changed for topic, changed in found.items() if changed is not None}

    def _in(self, topic: Topic, since: int) -> Changed | None:
        if topic == JOBS:
            ids = [root for root, seq in self._entries.roots.items() if seq > since]
            if len(ids) > MOST_JOBS:
                return Changed([], more=True)
            return Changed(ids) if ids else None
        if topic.job_id not in self._roots:  # gone, or never there
            return Changed([topic.job_id])
        return self._below(topic.job_id, self._roots[topic.job_id], since)

    def _below(self, job_id: int, root_id: int, since: int) -> Changed | None:
        if self._entries.roots.get(root_id, 0) <= since:
            return None
        ids = [id_ for id_, seq in self._entries.jobs[root_id].items() if seq > since]
        cut = self._entries.cut.get(root_id, 0) > since
        if job_id != root_id and not cut and len(ids) <= MOST_CLIMBED:
            self._climb(ids)
            ids = [id_ for id_ in ids if self._lies_under(id_, job_id)]
        if cut or len(ids) > MOST_JOBS:
            return Changed([job_id], more=True)
        return Changed(ids) if ids else None

    def _climb(self, ids: Iterable[int]) -> None:
        """Learn the parents of jobs, up to the top."""
        missing = [id_ for id_ in ids if id_ not in self._parents]
        while missing:
            rows = self._tx.execute(
                "select id, parent_id from job where id in ints($1)",
                (msgspec.json.encode(missing).decode(),),
            )
            self._parents.update(rows)
            above = {parent for _, parent in rows if parent is not None}
            missing = sorted(above - self._parents.keys())

    def _lies_under(self, id_: int, job_id: int) -> bool:
        """Whether a job is in the tree of another; of one that is gone nobody can tell: it is."""
        if id_ not in self._parents:
            return True
        at: int | None = id_
        while at is not None and at != job_id:
            at = self._parents.get(at)
        return at == job_id
