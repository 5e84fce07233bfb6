"""What a client may hear of: the list of jobs, one job's tree, its log, the queue, the workers."""

from __future__ import annotations

import re
from typing import NamedTuple

from quaero.errors import BadInput

MOST_TOPICS = 50
_PATTERN = re.compile(
    r"(?P<plain>jobs|queue|workers|system)"
    r"|job:(?P<job>[1-9]\d{0,17})"
    r"|logs:(?P<logs>[1-9]\d{0,17})(?:\?(?P<tree>tree)?(?:(?(tree)&)after=(?P<after>\d{1,18}))?)?",
    re.ASCII,
)


class Topic(NamedTuple):
    """A topic: its kind, the job it is of (0 for none), and whether a log is that of a tree."""

    kind: str
    job_id: int = 0
    tree: bool = False

    @property
    def text(self) -> str:
        """As clients write it and messages carry it."""
        if not self.job_id:
            return self.kind
        return f"{self.kind}:{self.job_id}{'?tree' if self.tree else ''}"

    @property
    def of_jobs(self) -> bool:
        """Whether jobs are told on it."""
        return self.kind in ("jobs", "job")


JOBS = Topic("jobs")
QUEUE = Topic("queue")
WORKERS = Topic("workers")
SYSTEM = Topic("system")


def parse(text: str) -> tuple[Topic, int | None]:
    """A topic, and for a log the id of the last line its reader has seen.

    Raises `BadInput`.
    """
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise BadInput(
            f"there is no topic {text[:100]!r}; there are jobs, queue, workers, system, job:<id>, "
            "logs:<id> and logs:<id>?tree, a log with after=<id> of the last line seen"
        )
    if found["plain"]:
        return Topic(found["plain"]), None
    if found["job"]:
        return Topic("job", int(found["job"])), None
    after = None if found["after"] is None else int(found["after"])
    return Topic("logs", int(found["logs"]), found["tree"] is not None), after
