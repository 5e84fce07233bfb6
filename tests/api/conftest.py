"""The web application over a real database, asked without a network."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from quaero.api.app import create_app
from quaero.api.parts import WebParts
from quaero.app import open_logins, registry_without_worker
from quaero.crawl.fetch import Fetcher
from quaero.jobs import JobSpec
from quaero.jobs.create import create
from quaero.queue.queue import open_queue
from quaero.settings import load
from quaero.sources.prober import SiteProber
from quaero.work.cpu import CpuHelpers

from ..opening import Opened  # noqa: TID252

Machinery = tuple[Fetcher, CpuHelpers]
HOME = "http://localhost:8080"


@pytest.fixture
def key_file() -> Iterator[Path]:
    """Where the keys of logins are kept."""
    with tempfile.TemporaryDirectory(prefix="quaero-keys-") as folder:
        yield Path(folder) / "keys"


@pytest.fixture
def overtake(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has a new job follow each read of the application, from then on."""
    reads = opened.db.read

    async def overtaken(fn: Any, *args: Any, **how: Any) -> Any:
        found = await reads(fn, *args, **how)
        await opened.db.write(create, 1, [JobSpec("page", "{}")])
        return found

    return lambda: monkeypatch.setattr(opened.db, "read", overtaken)


@pytest.fixture
async def machinery(opened: Opened) -> AsyncIterator[Machinery]:
    """What fetches pages and reads them, for tests of logins."""
    helpers = CpuHelpers(1)
    async with Fetcher(clock=opened.clock) as fetcher:
        yield fetcher, helpers
    await helpers.close()


@pytest.fixture
def make_app(opened: Opened, key_file: Path, machinery: Machinery) -> Callable[..., FastAPI]:
    """Makes the application, with a token or settings of one's own."""

    queue_id = opened.write(open_queue, "quaero_jobs")

    prober = SiteProber(*machinery, opened.clock, ())

    def make(*, token: str | None = None, **options: Any) -> FastAPI:
        chosen = {"data_dir": str(opened.folder), "auth.key_file": str(key_file)} | {
            name.replace("__", "."): value for name, value in options.items()
        }
        settings = load(None, chosen, {}, Path(opened.folder))
        parts = WebParts(
            db=opened.db,
            settings=settings,
            registry=registry_without_worker(settings, opened.db),
            queue_id=queue_id,
            clock=opened.clock,
            started_at=opened.clock.wall(),
            token=token,
            logins=open_logins(settings, opened.db, prober, opened.clock),
        )
        return create_app(parts)

    return make


@pytest.fixture
def app(make_app: Callable[..., FastAPI]) -> FastAPI:
    return make_app()


@pytest.fixture
async def web(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with client_of(app) as client:
        yield client


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HOME)
