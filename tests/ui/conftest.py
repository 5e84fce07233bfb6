"""One browser for all tests, a server with the sample site crawled, pages that accept no error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from ..soak import FACTOR  # noqa: TID252
from .asking import Script
from .browser import executable
from .late import late_answers
from .server import SETTINGS, Server, sample_site

WAIT_MS = 40_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]


@pytest.fixture(scope="module")  # its event loop is this thread's while it is open
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    with sample_site() as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data") / "quaero", SETTINGS)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    script = Script(tmp_path / "script")
    yield script
    script.say(end=True)


@pytest.fixture
def new_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens pages; an error on their console that holds no expected text fails the test.

    With `late`, a seed, answers come late.
    """
    errors: list[str] = []
    contexts = []

    def open_page(
        path: str = "/queue",
        *expected: str,
        width: int = 1440,
        height: int = 900,
        late: int | None = None,
        **options,
    ) -> Page:
        seed = len(contexts) if late is None and FACTOR > 1 else late
        context = browser.new_context(
            base_url=server.url,
            locale="en-US",
            viewport={"width": width, "height": height},
            **{"reduced_motion": "reduce", **options},  # no colour is on its way to another
        )
        contexts.append(context)
        if seed is not None:
            context.add_init_script(late_answers(seed))
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)

        def said(message: ConsoleMessage) -> None:
            if message.type == "error" and not any(text in message.text for text in expected):
                errors.append(message.text)

        page.on("console", said)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # of an answer still under way
        context.close()
    assert not errors


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker, as a script."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
