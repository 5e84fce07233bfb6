"""The pages for other programs: what they show runs as it stands."""

import ast
import asyncio
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def programs(page: str) -> list[str]:
    return PYTHON.findall((ROOT / page).read_text("utf-8"))


def run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/queue.md", "docs/how-to/jobs.md"])
def test_each_function_of_a_page_has_types(page: str) -> None:
    for program in programs(page):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                types = [node.returns, *(each.annotation for each in node.args.args)]
                assert None not in types, f"{page}: {node.name}"


@pytest.mark.parametrize("page", ["docs/how-to/queue.md", "docs/how-to/jobs.md"])
def test_it_is_told_where_the_errors_of_a_page_are(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    errors = importlib.import_module("quaero.errors")
    named = {"StaleLease", "StorageError", "BadInput", "Permanent", "RetryLater"}
    assert any(f"`{name}" in text or f"raise {name}" in text for name in named)
    assert all(hasattr(errors, name) for name in named)
    assert "in `quaero.errors`" in text


def test_the_page_of_the_queue_runs_and_runs_again(tmp_path: Path) -> None:
    first, _ = programs("docs/how-to/queue.md")
    for _ in range(2):
        said = run(first, tmp_path)
        assert said.startswith('{"order":7}\nQueueStats(')
        assert said.endswith(" []\n")


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    (program,) = (each for each in programs("README.md") if "Queue.open" in each)
    assert json.loads(run(program, tmp_path)) == {"to": "ann@example.org"}


def test_the_page_of_jobs_prints_what_it_says(tmp_path: Path) -> None:
    (program,) = programs("docs/how-to/jobs.md")
    assert run(program, tmp_path) == "completed {'pages': 3} 3\n"


async def test_the_server_of_the_page_takes_a_message_and_delivers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, server = programs("docs/how-to/queue.md")
    made: dict[str, object] = {}
    delivered: asyncio.Queue[str] = asyncio.Queue()
    exec(compile(server, "server.py", "exec", dont_inherit=True), made)
    made["print"] = delivered.put_nowait
    app, lifespan, send = (made[name] for name in ("app", "lifespan", "send"))
    async with lifespan(app), asyncio.timeout(20):  # type: ignore[operator]
        await send("ann@example.org")  # type: ignore[operator]
        assert await delivered.get() == '{"to":"ann@example.org"}'
