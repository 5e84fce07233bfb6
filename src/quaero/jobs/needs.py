"""What jobs need of one another, for those that look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from quaero.db.contract import ReadTx
from quaero.jobs.model import Status


class Needed(NamedTuple):
    """A job that another needs: it has to end well, or with `any_end` only to end."""

    job_id: int
    id: int
    name: str
    status: Status
    any_end: bool

    @property
    def met(self) -> bool:
        """Whether the other need not wait for this one."""
        ended = not self.status.open
        return self.status is Status.COMPLETED or (self.any_end and ended)


def needs_of(tx: ReadTx, ids: Sequence[int]) -> list[Needed]:
    """What these jobs need, in the order of their ids."""
    rows = tx.execute(
        """
        select d.job_id, n.id, n.name, n.status, d.any_end
          from need d join job n on n.id = d.needs_id
         where d.job_id in ints($1) order by d.job_id, n.id
        """,
        (msgspec.json.encode(ids).decode(),),
    )
    return [Needed(row[0], row[1], row[2], Status(row[3]), bool(row[4])) for row in rows]
