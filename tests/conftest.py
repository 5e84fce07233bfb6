"""What all tests share: how hard hypothesis looks, and an open database of every engine.

The suite runs 300 examples of each property, the same ones every time. With
`QUAERO_SOAK_EXAMPLES=20000` as many new ones are looked for, without a time limit, and what is
needed to repeat one that fails is printed.
"""

import gc
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from quaero.db.sqlite.tx import SqliteReadTx

from .opening import ENGINES, Opened
from .plans import Plans, caller

_SOAK = os.environ.get("QUAERO_SOAK_EXAMPLES")

settings.register_profile(
    "suite",
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak",
    settings.get_profile("suite"),
    max_examples=int(_SOAK or 1),
    derandomize=False,
    print_blob=True,
)
settings.load_profile("soak" if _SOAK else "suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _SOAK:
        for item in items:
            item.add_marker(pytest.mark.timeout(0))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at all tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def log_warnings() -> None:
    """Whatever level a command has set that another test ran."""
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture(scope="session", autouse=True)
def watch_plans() -> Iterator[None]:
    """Fail a test in which the program walks through a table that grows."""
    plans, execute = Plans(), SqliteReadTx.execute

    def watched(tx: SqliteReadTx, sql: str, args: Any = ()) -> Any:
        plans.check(sql, caller())
        return execute(tx, sql, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteReadTx, "execute", watched)
        yield


@pytest.fixture(params=ENGINES)
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """A new database with a clock that stands still; `opened.db` is the database."""
    with Opened(request.param) as opened:
        yield opened
