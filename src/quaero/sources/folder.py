"""`folder`: the files of a local tree as documents.

One job walks the tree in the order of addresses and commits batch by batch: documents, what is
gone, and the place it has reached, so a killed run goes on there and a cancelled one keeps what it
has. A file whose time and size are the stored ones is not read; one that was read and has the same
text costs no new version. What is stored and no longer met is marked gone, except below folders
that could not be looked into and files that patterns leave out.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from quaero.clock import SECOND, Clock
from quaero.crawl import frontier
from quaero.db.contract import Database, ReadTx, Tx
from quaero.documents import store
from quaero.documents.model import NewDocument, Outcome
from quaero.documents.store import Seen, Validators
from quaero.documents.tags import add_tags
from quaero.jobs.model import JobRow
from quaero.jobs.run import Effect
from quaero.sources.folder_reading import LARGEST
from quaero.sources.folder_walk import File, PathRules, Unseen, Walk
from quaero.sources.payloads import FOLDER, Folder
from quaero.sources.runs import folder_validation
from quaero.work.context import JobContext
from quaero.work.cpu import CpuHelpers
from quaero.work.phases import after_pre
from quaero.work.registry import JobType, Later, Result

BATCH = 200
BATCH_BYTES = 8 * 1024 * 1024
LOOKED_AT = 500
SAMPLES = 5
RACY = 2 * SECOND
_READ = "quaero.sources.folder_reading:read_files"
_END = "\U0010ffff"


def folder_type(db: Database, helpers: CpuHelpers, clock: Clock) -> JobType[Folder]:
    """The job type."""

    async def run(job: JobContext, folder: Folder) -> Result | Later:
        waiting = await after_pre(db, job, [folder_validation(folder)])
        if waiting is not None:
            return waiting
        return await _Run(db, helpers, clock, job, folder).whole()

    return replace(FOLDER, run=run)


@dataclass(slots=True)
class _Batch:
    """What a batch leaves: documents, files that are as they were, what is gone or refused."""

    documents: list[NewDocument] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)


class _Run:
    """One attempt at a run."""

    def __init__(
        self, db: Database, helpers: CpuHelpers, clock: Clock, job: JobContext, folder: Folder
    ) -> None:
        self._db = db
        self._helpers = helpers
        self._clock = clock
        self._job = job
        self._folder = folder
        state = job.state or {}
        self._place: str = state.get("after", "")
        self._read: int = state.get("read", 0)
        self._met: int = state.get("met", 0)

    async def whole(self) -> Result:
        """Walk to the end; the last commit is that of the run itself."""
        folder = self._folder
        rules = PathRules(folder.include, folder.exclude, folder.within, folder.max_depth)
        walk = await asyncio.to_thread(Walk, folder.base, rules, self._place)
        limited = False
        try:
            while met := await asyncio.to_thread(walk.take, BATCH):
                met, limited = self._within_limit(met)
                await self._batch(met)
                self._job.progress(self._met, None, "reading files")
                if limited:
                    break
        finally:
            await asyncio.to_thread(walk.close)
        if limited:
            self._job.log.warn(
                f"the limit of {folder.max_files} files is reached; raise max_files to go on"
            )
        else:
            await self._sweep(())
        report = await self._db.read(frontier.report, self._job.id)
        value: dict[str, Any] = {"files": self._read, "limited": limited}
        if report is not None:
            value |= {
                name: getattr(report, name) for name in ("created", "changed", "unchanged", "gone")
            }
            value["refused"] = {reason: number for reason, (number, _) in report.refused.items()}
        return Result(value)

    def _within_limit(self, met: list[File | Unseen]) -> tuple[list[File | Unseen], bool]:
        """As much of a batch as the limit of files allows, and whether that was not all."""
        most = self._folder.max_files
        if not most:
            return met, False
        kept: list[File | Unseen] = []
        room = most - self._read
        for each in met:
            if isinstance(each, File) and each.refusal is None:
                if not room:
                    return kept, True
                room -= 1
            kept.append(each)
        return kept, False

    async def _batch(self, met: Sequence[File | Unseen]) -> None:
        """Do what a stretch of the walk calls for, in commits of a bounded size."""
        wanted = [each.url for each in met if isinstance(each, File) and each.refusal is None]
        known = await self._db.read(_known, self._folder.source, wanted)

        def weight(each: File | Unseen) -> int:
            return each.size if isinstance(each, File) and self._is_new(each, known) else 0

        for some in _by_size(met, weight):
            await self._some(some, known)

    async def _some(
        self, some: Sequence[File | Unseen], known: Mapping[str, Validators]
    ) -> None:  # fmt: skip
        """Read what has changed of some entries; one commit writes it with the place reached."""
        batch, changed = _Batch(), []
        for each in some:
            if isinstance(each, Unseen) or each.refusal is not None:
                self._refuse(batch, each)
            elif not self._is_new(each, known):
                batch.seen.append(
                    Seen(
                        each.url,
                        self._folder.source,
                        job_id=self._job.id,
                        root_id=self._job.root_id,
                    )
                )
            elif each.size > LARGEST:
                self._refuse(batch, replace(each, refusal="size"))
            else:
                changed.append(each)
        await self._read_into(batch, changed)
        await self._sweep(some)
        self._place = _end_of(some[-1])
        self._read += len(changed) + len(batch.seen)
        self._met += sum(isinstance(each, File) for each in some)
        await self._commit(batch)

    def _is_new(self, each: File | Unseen, known: Mapping[str, Validators]) -> bool:
        """Whether an entry is a file that is to be read."""
        if isinstance(each, Unseen) or each.refusal is not None:
            return False
        old = known.get(each.url)
        return old is None or old.etag != _mark(each) or self._folder.refresh == "always"

    async def _read_into(self, batch: _Batch, files: Sequence[File]) -> None:
        """Have a helper read files; a batch gets their documents."""
        if not files:
            return
        pages = await self._helpers.run(
            _READ, self._folder.base, [(each.path, each.url) for each in files]
        )
        now = self._clock.wall()
        for file, page in zip(files, pages, strict=True):
            if "refusal" in page:
                self._job.log.warn(f"{file.url} is not read: {page['detail']}")
                self._refuse(batch, replace(file, refusal=page["refusal"]))
            else:
                batch.documents.append(self._document(file, page, now))

    async def _sweep(self, some: Sequence[File | Unseen]) -> None:
        """Mark as gone what is stored up to the last of some entries and was not met."""
        present = frozenset(each.url for each in some if isinstance(each, File))
        unseen = tuple(each.prefix for each in some if isinstance(each, Unseen))
        after, last = self._place, _end_of(some[-1]) if some else _END
        while stored := await self._db.read(_stored, self._folder.source, after, last):
            after = stored[-1]
            gone = [url for url in stored if url not in present and not url.startswith(unseen)]
            if gone:
                await self._commit(_Batch(gone=gone))

    async def _commit(self, batch: _Batch) -> None:
        state = {"after": self._place, "read": self._read, "met": self._met}
        effect: Effect = partial(_write, folder=self._folder, batch=batch)
        await self._job.checkpoint(state, [effect])

    def _refuse(self, batch: _Batch, each: File | Unseen) -> None:
        reason = each.reason if isinstance(each, Unseen) else each.refusal or ""
        where = each.prefix if isinstance(each, Unseen) else each.url
        batch.refused[reason] += 1
        kept = batch.samples.setdefault(reason, [])
        if len(kept) < SAMPLES:
            kept.append(where)
        if reason == "unreadable" and isinstance(each, Unseen):
            self._job.log.warn(f"{where} cannot be looked into; what is stored of it stays")

    def _document(self, file: File, page: dict[str, Any], now: int) -> NewDocument:
        """The document of a file; the mark of one changed just now is not trusted next time."""
        fresh = now - file.changed // 1_000 < RACY
        return NewDocument(
            url=file.url,
            title=page["title"],
            text=page["text"],
            content_hash=page["content_hash"],
            source_id=self._folder.source,
            source_type="folder",
            words=page["words"],
            description=page["description"],
            language=page["language"],
            author=page["author"],
            published=page["published"],
            modified=page["modified"],
            etag=None if fresh else _mark(file),
            metadata={
                "path": file.path.decode("utf-8", "replace"),
                "headings": page["headings"],
                "front_matter": page["front_matter"],
            },
            tags=(*self._folder.tags, *page["tags"]),
            job_id=self._job.id,
            root_id=self._job.root_id,
        )


def _mark(file: File) -> str:
    """What a file that was not changed has in common with itself."""
    return f"{file.changed:x}-{file.size:x}"


def _end_of(each: File | Unseen) -> str:
    """The last address that an entry stands for."""
    return each.url if isinstance(each, File) else each.end


def _by_size(
    met: Sequence[File | Unseen], weight: Callable[[File | Unseen], int]
) -> Iterator[list[File | Unseen]]:
    """Entries in groups of a bounded weight, in their order."""
    group: list[File | Unseen] = []
    size = 0
    for each in met:
        heavy = weight(each)
        if group and size + heavy > BATCH_BYTES:
            yield group
            group, size = [], 0
        group.append(each)
        size += heavy
    if group:
        yield group


# -- the database


def _known(tx: ReadTx, source: int, urls: Sequence[str]) -> dict[str, Validators]:
    return store.validators(tx, source, urls)


def _stored(tx: ReadTx, source: int, after: str, last: str) -> list[str]:
    """The next addresses of a range that are stored and not gone."""
    rows = tx.execute(
        """
        select url from document where source_id = $1 and url > $2 and url <= $3
           and gone_at is null order by url limit $4
        """,
        (source, after, last, LOOKED_AT),
    )
    return [url for (url,) in rows]


def _write(tx: Tx, job: JobRow, *, folder: Folder, batch: _Batch) -> None:
    """What a batch leaves, and its counts in the run's report."""
    identity = frontier.identity_of([folder.base], folder.source)
    frontier.begin(tx, job.id, identity, folder.max_files)
    totals = Counter[str]()
    for saved in store.save(tx, batch.documents):
        kept = saved.outcome is Outcome.KEPT_FULL
        totals[str(Outcome.UNCHANGED if kept else saved.outcome)] += 1
    if batch.seen:
        ids = store.touch(tx, batch.seen)
        add_tags(tx, itertools.product(ids, folder.tags))
        totals["unchanged"] += len(ids)
    if batch.gone:
        totals["gone"] += len(store.mark_gone(tx, folder.source, batch.gone))
    frontier.note_admitted(tx, job.id, len(batch.documents) + len(batch.seen))
    frontier.refuse(tx, job.id, batch.refused, batch.samples)
    frontier.add_totals(tx, job.id, totals)
