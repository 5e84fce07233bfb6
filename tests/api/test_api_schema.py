"""The interface keeps to its own description: over 2,000 made-up requests, right and wrong ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from quaero.api.app import create_app
from quaero.api.parts import WebParts
from quaero.api.routes import logs
from quaero.app import registry_without_worker
from quaero.clock import SECOND
from quaero.crawl.login import Login
from quaero.db.contract import Tx
from quaero.documents.model import NewDocument
from quaero.documents.store import save
from quaero.jobs import run
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.run import Failed
from quaero.queue.claim import Claim
from quaero.queue.queue import open_queue
from quaero.settings import load
from quaero.sources import records
from quaero.sources.capture import Capture
from quaero.sources.keys import KeyFile
from quaero.sources.logins import Logins
from quaero.sources.probe import Probe
from quaero.sources.vault import Keys
from quaero.workflows import definitions, runs
from quaero.workflows.text import check

from ..opening import Opened  # noqa: TID252

CASES = 30
SHARES = 8
THERE = 30
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
    allow_header_conformance,
]
# What a description cannot say: a cursor of another list, an id that is taken, a state in the way,
# a code that nobody was shown.
SENSIBLE = ["2xx", "400", "403", "404", "409", "412", "422", "428"]


def _page(number: int) -> NewDocument:
    url, text = f"https://docs.example.org/{number}", f"# Page {number}\n\nAll about harbours."
    return NewDocument(
        url=url, title=f"Page {number}", text=text, content_hash=str(number), job_id=1, root_id=1
    )


def _dead_letters(tx: Tx, queue_id: int) -> None:
    """Fail the third of the jobs that is claimed first."""
    works = run.claim(tx, queue_id, Claim(THERE // 3, 60 * SECOND))
    failed = [Failed(work, tx.now, error="no", permanent=True) for work in works]
    run.settle_all(tx, failed, 3, Random(1))


class Accepting:
    """Finds every login accepted, and fetches nothing."""

    async def probe(self, login: Login, url: str | None = None) -> Probe:
        return Probe(True, f"{url or login.name} answers 200")


async def _store(logins: Logins) -> None:
    for number in range(THERE):
        url = f"https://wiki{number}.example.org/"
        await logins.add(Capture(base_url=url, captured_at=1, headers={"X-Key": "k"}))


def _flow(tx: Tx, queue_id: int, name: str, actions: Any) -> None:
    """A definition with a schedule and a run."""
    text = f'id = "{name}"\n[schedule]\ncron = "0 2 * * *"\n'
    text += '[[steps]]\nname = "tidy"\naction = "cleanup"\n'
    definition = check(text, "toml", actions).definition
    assert definition is not None
    definitions.save(tx, definition, text, "toml")
    runs.begin(tx, queue_id, name, actions)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description of an application with a few jobs."""
    with Opened() as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "FOLLOW_SECONDS", 0.0)
        queue_id = opened.write(open_queue, "quaero_jobs")
        chosen = load(None, {"data_dir": str(opened.folder)}, {}, opened.folder)
        keys = Keys(KeyFile(tmp_path_factory.mktemp("keys") / "keys", opened.folder))
        logins = Logins(opened.db, keys, opened.clock, Accepting())  # type: ignore[arg-type]
        parts = WebParts(
            db=opened.db,
            settings=chosen,
            registry=registry_without_worker(chosen, opened.db),
            queue_id=queue_id,
            clock=opened.clock,
            started_at=opened.clock.wall(),
            logins=logins,
        )
        seeds = '{"seeds": ["https://docs.example.org/"]}'
        opened.write(create, queue_id, [JobSpec("crawler", seeds) for _ in range(THERE)])
        opened.write(_dead_letters, queue_id)
        opened.write(save, [_page(number) for number in range(THERE)])
        for number in range(THERE):
            url = f"https://docs{number}.example.org/"
            opened.write(records.create, {"name": f"docs{number}", "base_url": url})
        asyncio.run(_store(logins))
        for number in range(3):
            opened.write(_flow, queue_id, f"flow-{number}", parts.registry.known())
        config = SchemathesisConfig.from_dict(
            {
                "base-url": "http://localhost",
                "checks": {"positive_data_acceptance": {"expected-statuses": SENSIBLE}},
            }
        )
        app = create_app(parts)
        found = schemathesis.openapi.from_dict(app.openapi(), config=config)
        found.app = app
        yield found


@pytest.mark.parametrize("share", range(SHARES))
def test_every_endpoint_does_what_its_description_says(described: Any, share: int) -> None:
    operations = sorted((each.ok() for each in described.get_all_operations()), key=_label)
    assert len(operations) * CASES >= 2_000
    for operation in operations[share::SHARES]:
        _try(operation)


def _aim(case: Any) -> None:
    """Mostly ask for what is there: ids as drawn are nearly always too large."""
    for name, value in case.path_parameters.items():
        if isinstance(value, str):
            case.path_parameters[name] = f"flow-{len(value) % 4}"
        else:
            case.path_parameters[name] = value % (THERE + 5) + 1


def _label(operation: Any) -> str:
    return str(operation.label)


def _try(operation: Any) -> None:
    """Ask for one endpoint, half the time with something that it must refuse."""

    def ask(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            _aim(case)
        case.call_and_validate(checks=CHECKS)

    for mode in GenerationMode:
        try:
            cases = operation.as_strategy(generation_mode=mode)
            settings(
                max_examples=CASES // 2,
                deadline=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(given(cases)(ask))()
        except (Unsatisfiable, SkipTest):
            assert mode is GenerationMode.NEGATIVE  # nothing it takes can be wrong
