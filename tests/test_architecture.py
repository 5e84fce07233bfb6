"""The shape of the source: which part may know which, what modules are called, how long they are.

A room is a package or a module directly under `quaero`. Rooms lie on floors, and imports point down
only, wherever in a module they stand. What may be imported on the same floor is listed.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "quaero"

FLOORS = [
    {
        "errors",
        "clock",
        "collector",
        "durable",
        "forms",
        "loops",
        "program_log",
        "settings",
        "site_server",
    },
    {"db"},
    {"queue"},
    {"jobs"},
    {"work"},
    {"crawl", "documents", "sources", "summarize", "workflows", "upkeep", "reports"},
    {"api", "mcp"},
    {"app", "sample_site"},
    {"cli"},
    {"__main__"},
    {"testing"},
]

BESIDE = {
    "settings": {"errors"},
    "crawl": {"documents"},
    "sources": {"crawl", "documents"},
    "summarize": {"crawl", "documents", "sources"},
    "workflows": {"documents", "sources"},
    "reports": {"documents", "sources"},
    "upkeep": {"crawl", "documents", "reports", "sources", "summarize"},
}

# Who serves a site to be crawled: the demo, and tests.
SERVE_A_SITE = {"sample_site.py", "cli/demo.py", "testing/site.py"}

# Who may speak to terminals and as an HTTP server.
AT_HOME = {
    "typer": {"cli"},
    "rich": {"cli"},
    "fastapi": {"api"},
    "starlette": {"api", "mcp"},
    "uvicorn": {"api"},
}

NAMES_THAT_SAY_NOTHING = {
    f"{name}{ending}"
    for name in ("util", "helper", "common", "manager", "service", "base", "misc")
    for ending in ("", "s")
}

MOST_LINES = 450

MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


def room_of(module: Path) -> str:
    return module.relative_to(SOURCE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imports_of(text: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module of `package` imports, at any depth."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                origin = ".".join([*above, origin] if origin else above)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def imports(module: Path) -> list[tuple[int, str]]:
    package = ".".join(["quaero", *module.relative_to(SOURCE).parts[:-1]])
    return list(imports_of(module.read_text(encoding="utf-8"), package))


def rooms_imported(module: Path) -> Iterator[tuple[int, str]]:
    rooms = {room_of(each) for each in MODULES}
    for line, name in imports(module):
        parts = name.split(".")
        if parts[0] == "quaero" and len(parts) > 1 and parts[1] in rooms:
            yield line, parts[1]


def may_import(room: str, other: str) -> bool:
    if other == room or other in BESIDE.get(room, set()):
        return True
    return floor_of(other) < floor_of(room)


def test_the_imports_of_a_module_are_found_at_any_depth_and_in_any_form() -> None:
    text = """
import quaero.db
from quaero import jobs
from quaero.queue.send import send as post
from . import scope
from ..errors import BadUrl
def later():
    if True:
        import quaero.cli.program, apsw
"""
    found = {name for _, name in imports_of(text, "quaero.crawl")}
    assert found == {
        "quaero.db",
        "quaero.jobs",
        "quaero.queue.send.send",
        "quaero.crawl.scope",
        "quaero.errors.BadUrl",
        "quaero.cli.program",
        "apsw",
    }


@pytest.mark.parametrize(
    ("room", "other"),
    [("queue", "jobs"), ("jobs", "crawl"), ("documents", "crawl"), ("db", "queue"),
     ("work", "documents"), ("crawl", "cli"), ("errors", "settings"), ("clock", "db"),
     ("app", "cli"), ("api", "app"), ("reports", "api"), ("cli", "testing"), ("workflows", "crawl")],
)  # fmt: skip
def test_the_rules_forbid_what_the_design_forbids(room: str, other: str) -> None:
    assert not may_import(room, other)


def test_every_room_has_a_floor() -> None:
    known = {"__init__"}.union(*FLOORS)
    assert {room_of(module) for module in MODULES} <= known


def test_imports_point_down() -> None:
    wrong = [
        f"{name_of(module)}:{line} imports {other}"
        for module in MODULES
        if name_of(module) != "__init__.py"
        for line, other in rooms_imported(module)
        if not may_import(room_of(module), other)
    ]
    assert not wrong


def test_the_package_itself_imports_nothing_of_quaero() -> None:
    assert not list(rooms_imported(SOURCE / "__init__.py"))


def importers_of(*rooms: str) -> set[str]:
    return {
        name_of(module)
        for module in MODULES
        for _, other in rooms_imported(module)
        if other in rooms and room_of(module) != other
    }


def test_no_part_of_the_program_imports_what_is_made_for_tests() -> None:
    assert importers_of("testing") == set()


def test_only_the_demo_and_tests_serve_a_site_to_be_crawled() -> None:
    assert importers_of("sample_site", "site_server") == SERVE_A_SITE


def test_only_the_rooms_at_the_edge_know_terminals_and_http_servers() -> None:
    wrong = [
        f"{name_of(module)}:{line} imports {name}"
        for module in MODULES
        for line, name in imports(module)
        if room_of(module) not in AT_HOME.get(name.split(".")[0], {room_of(module)})
    ]
    assert not wrong


def test_a_name_says_what_a_module_is() -> None:
    names = {part.removesuffix(".py") for each in MODULES for part in each.parts}
    assert not names & NAMES_THAT_SAY_NOTHING


def test_no_module_is_too_long_to_read_at_one_sitting() -> None:
    lengths = {name_of(each): each.read_text(encoding="utf-8").count("\n") for each in MODULES}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name_of(each)
        for each in MODULES
        if each.stat().st_size and not ast.get_docstring(ast.parse(each.read_text("utf-8")))
    ]
    assert not silent


def test_the_web_process_loads_nothing_that_fetches_or_reads_pages() -> None:
    heavy = ["aiohttp", "lxml", "quaero.crawl.fetch", "quaero.crawl.extract"]
    code = (
        f"import quaero.api.app, quaero.app, sys; print(*sorted({{*{heavy}}} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
