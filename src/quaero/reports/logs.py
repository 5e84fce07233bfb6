"""Logs as people ask for them: of which jobs, and in pages, with a limit on how many entries a
search looks at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quaero.db.contract import ReadTx
from quaero.errors import BadInput
from quaero.jobs.logs import Level, LogLine, Query, read
from quaero.reports.jobs import place_of

SCANNED = 20_000


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries in order; `next` is the id to go on after, None where there is nothing more.

    With `searched` the search was stopped after `SCANNED` entries: there may be more.
    """

    items: list[LogLine]
    next: int | None
    searched: bool


def of_tree(tx: ReadTx, job_id: int, *, tree: bool | None) -> bool:
    """Whether the log of the whole tree is meant; by default it is for a top-level job.

    Raises `NotFound`, or `BadInput` for the tree of a job that is no root but has jobs below it.
    """
    top, alone = place_of(tx, job_id)
    if tree and not top and not alone:
        raise BadInput(f"job {job_id} is not top-level; the log of a tree is that of its root")
    return top and tree is not False


def page(tx: ReadTx, query: Query) -> LogPage:
    """A page of the entries that a query asks for."""
    stop = _place_ahead(tx, query) if _is_search(query) else None
    lines = read(tx, replace(query, until=stop))
    if len(lines) == query.limit:
        return LogPage(lines, lines[-1].id, searched=False)
    return LogPage(lines, stop, searched=stop is not None)


def _is_search(query: Query) -> bool:
    """Whether no index leads to the entries; those from `warn` up of a tree have one."""
    levels = query.levels is not None or query.at_least > Level.DEBUG
    graves = query.tree and query.levels is None and query.at_least >= Level.WARN
    return bool(query.text) or (levels and not graves)


def _place_ahead(tx: ReadTx, query: Query) -> int | None:
    """The id of the last of `SCANNED` entries ahead; None if there are no more than that."""
    column = "root_id" if query.tree else "job_id"
    sign, direction = (">", "asc") if query.ascending else ("<", "desc")
    after = query.after if query.after is not None else (0 if query.ascending else 2**63 - 1)
    rows = tx.execute(
        f"""
        select id from job_log where {column} = $1 and id {sign} $2
         order by id {direction} limit 2 offset {SCANNED - 1}
        """,
        (query.job_id, after),
    )
    return int(rows[0][0]) if len(rows) == 2 else None
