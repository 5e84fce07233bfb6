"""Logs of jobs: how they are found."""

import pytest

from quaero.jobs import logs
from quaero.jobs.logs import Level


@pytest.mark.parametrize("levels", [{Level.WARN}, {Level.ERROR}, {Level.WARN, Level.ERROR}])
def test_grave_entries_are_found_without_a_walk_through_the_others(opened, levels) -> None:
    """By the index that has only them: who watches a crawl asks ten times a second."""

    class Explained:
        def __init__(self, tx) -> None:
            self.plan = ""
            self.tx = tx

        def execute(self, sql, args=()):
            rows = self.tx.execute(f"explain query plan {sql}", args)
            self.plan = "; ".join(row[3] for row in rows)
            return []

    def plan(tx) -> str:
        explained = Explained(tx)
        logs.read(explained, logs.Query(1, tree=True, levels=frozenset(levels)))
        return explained.plan

    assert "job_log_root_grave" in opened.read(plan)
