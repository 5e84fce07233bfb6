"""A watch over query plans: no statement of the program may walk through a table that grows.

Every statement that the tests run is explained once, on an empty database. What it reads by a scan
must be small by nature, be walked in the order of an index up to a limit, or belong to the few
functions whose purpose is to look at everything.
"""

import re
import sys
from typing import Any

import apsw

from quaero.db import migrations
from quaero.db.sqlite.sql import for_sqlite

GROWING = {
    "message", "delivery_error", "job", "job_attempt", "job_log", "event", "idempotency", "crawl",
    "crawl_url", "crawl_waiting", "page_links", "document", "document_text", "document_tag",
    "document_version", "document_reference", "document_name", "document_note", "model_call",
    "need", "run", "body", "document_body",
}  # fmt: skip
LOOK_AT_ALL = {
    "quaero.queue.check",
    "quaero.jobs.check",
    "quaero.documents.counts",
    "quaero.documents.export",
    "quaero.documents.read",  # newest first until the page is full
    "quaero.documents.search",  # the same, where nothing but a date or an exclusion is asked for
    "quaero.reports.jobs",  # a bounded number of rows, which tests/reports counts
    "quaero.queue.holders",  # what is leased, by an index of that alone
    "quaero.db.sqlite.leaseclock",
}
_NAMED = re.compile(r"\b(?:from|join|update|into|,)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
_SCAN = re.compile(r"^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")


class Plans:
    """Explains each statement once; the caller's module decides whether it may look at all."""

    def __init__(self) -> None:
        self._connection = apsw.Connection(":memory:")
        migrations.migrate(self._connection)
        self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self._known: set[str] = set()

    def check(self, sql: str, module: str) -> None:
        """Raise `AssertionError` where a statement walks through a growing table."""
        if sql in self._known or not module.startswith("quaero.") or module in LOOK_AT_ALL:
            return
        self._known.add(sql)
        for table, index in self._scans(for_sqlite(sql)):
            first_few = re.search(rf"from {table} order by \w+ limit", sql)
            bounded = first_few or (index and re.search(r"\blimit\b", sql))
            assert table not in GROWING or bounded, f"{module} walks through {table}:\n{sql}"

    def _scans(self, sql: str) -> list[tuple[str, str | None]]:
        names = {alias or table: table for table, alias in _NAMED.findall(sql)}
        steps = self._connection.execute(f"explain query plan {sql}", _Anything()).fetchall()
        found = [_SCAN.match(step[3]) for step in steps]
        return [(names.get(each[1], each[1]), each[2]) for each in found if each]


class _Anything(dict[str, Any]):
    """Bindings for whatever a statement asks for."""

    def __missing__(self, key: str) -> None:
        return None


def caller() -> str:
    """The module that runs a statement, its transaction apart."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__") == "quaero.db.sqlite.tx":
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))
