"""The command line as a whole: help, options, output, exit codes."""

import inspect
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import quaero
from quaero import app
from quaero.cli import program
from quaero.errors import (
    BadInput,
    Conflict,
    CorruptDatabase,
    NotFound,
    QuaeroError,
    StorageError,
)

from .conftest import NASTY, Cli, call, finish, start

EXAMPLE = re.compile(r"^Example: (quaero .*)$", re.MULTILINE)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by its path, groups left out."""
    command = command or typer.main.get_command(program.app)
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


COMMANDS = dict(commands())


def options(command: Any) -> list[Any]:
    """What people can give it, `--help` apart."""
    return [each for each in command.params if not each.hidden and each.name != "help"]


# -- help


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(
    path: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = cli(*path.split(), "--help")
    assert shown.code == 0
    help_text = COMMANDS[path].help
    (example,) = EXAMPLE.findall(help_text)
    assert example.startswith(f"quaero {path}") or "--config" in example
    called: list[dict[str, Any]] = []
    tree = typer.main.get_command(program.app)
    for _, command in commands(tree):
        command.callback = lambda **given: called.append(given)
    monkeypatch.setattr(program, "tree", lambda: tree)
    assert cli(*shlex.split(example)[1:]).code == 0
    assert len(called) == 1


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_has_help(path: str) -> None:
    for each in options(COMMANDS[path]):
        assert each.help, f"{path}: {each.name}"
        assert each.help.endswith((".", ")")), f"{path}: {each.name}"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_used_by_a_test(path: str) -> None:
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("*.py"))
    name = path.rsplit(maxsplit=1)[-1]
    assert re.search(rf'"{name}"|[ "]{name}[ "]', tests), path
    for each in options(COMMANDS[path]):
        for option in each.opts:
            assert not option.startswith("--") or option in tests, f"{path} {option}"


def test_every_command_prints_json_on_request_but_those_that_run_on_or_print_a_text() -> None:
    without = {path for path, command in COMMANDS.items() if "as_json" not in _names(command)}
    assert without == {"demo", "serve", "work", "definitions export"}


def _names(command: Any) -> set[str]:
    return {each.name for each in command.params}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["jobs"],
        ["documents"],
        ["sources"],
        ["queue"],
        ["db"],
        ["config"],
        ["auth"],
        ["definitions"],
        ["schedules"],
    ],
)
def test_a_group_without_a_command_shows_its_help(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert done.err.startswith(f"Usage: {' '.join(['quaero', *arguments])}")
    assert "Commands:" in done.err


def test_help_says_where_to_begin_and_what_exit_codes_mean(cli: Cli) -> None:
    text = " ".join(cli("--help").out.split())
    assert "Begin with `quaero demo`" in text
    assert "quaero crawl https://docs.example.org/" in text
    for code, error in (
        (1, QuaeroError),
        (2, BadInput),
        (3, NotFound),
        (4, Conflict),
        (5, StorageError),
    ):
        assert error.exit_code == code
        assert f" {code} " in text
    assert "130 interrupted" in text


def test_the_version_is_shown(cli: Cli) -> None:
    assert cli("--version").out == f"quaero {quaero.__version__}\n"


def test_help_loads_nothing_that_works() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "quaero", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "typer" in loaded
    assert not loaded & {"aiohttp", "pydantic", "apsw", "rich", "asyncio", "msgspec", "selectolax"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown(shell: str) -> None:
    done = finish(start("--show-completion", shell))
    if done.code:  # it asks which shell it is in
        done = finish(start("--show-completion", env=os.environ | {"SHELL": f"/bin/{shell}"}))
    assert "quaero" in done.out.lower()


# -- global options


POSITIONS = [
    ["--data-dir", "{}", "jobs", "list", "--json"],
    ["--data-dir={}", "jobs", "list", "--json"],
    ["jobs", "--data-dir", "{}", "list", "--json"],
    ["jobs", "list", "--data-dir", "{}", "--json"],
    ["jobs", "list", "--json", "--data-dir={}"],
]


@pytest.mark.parametrize("arguments", POSITIONS)
def test_global_options_stand_before_and_after_the_command(
    cli: Cli, data: Path, arguments: list[str]
) -> None:
    done = cli(*(each.format(data) for each in arguments))
    assert (done.code, len(done.json)) == (0, 2)


@pytest.mark.parametrize("before", [True, False])
def test_the_configuration_file_is_named_on_either_side(
    cli: Cli, tmp_path: Path, before: bool
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[queue]\nconcurrency = 7\n")
    option, command = ["--config", str(file)], ["config", "show", "--json"]
    done = cli(*(option + command if before else command + option))
    setting = done.json["settings"]["queue.concurrency"]
    assert (setting["value"], setting["source"], setting["where"]) == ("7", "file", f"{file}:2")
    assert done.json["file"] == str(file)


def test_the_data_directory_comes_from_the_environment_too(
    cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUAERO_DATA_DIR", str(data))
    assert len(cli("jobs", "list", "--json").json) == 2
    assert cli("jobs", "list", "--data-dir", tmp_path / "none").code == 3


def test_what_follows_two_dashes_is_no_global_option(looking: Cli) -> None:
    assert looking("search", "--", "-draft").code == 0
    assert "there is no option --config" in looking("search", "--", "--config").err


# -- output


SHOWING = [
    ["documents", "list"],
    ["documents", "show", "3"],
    ["documents", "show", "2"],
    ["search", "dangerous"],
    ["jobs", "logs", "1"],
    ["jobs", "list", "--parent", "1"],
]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("arguments", SHOWING, ids=" ".join)
def test_text_from_outside_cannot_steer_the_terminal(
    looking: Cli, arguments: list[str], as_json: bool
) -> None:
    done = looking(*arguments, *(["--json"] if as_json else []))
    assert done.code == 0
    assert not CONTROL.search(done.out + done.err)


def test_a_title_keeps_its_words_without_its_control_characters(looking: Cli) -> None:
    titles = [each["title"] for each in looking("documents", "list", "--json").json]
    assert any("red" in title and "bell" in title for title in titles)
    assert NASTY not in looking("documents", "list").out


def test_errors_cannot_steer_the_terminal_either(looking: Cli) -> None:
    for arguments in (["crawl", f"http://{NASTY}/"], ["jobs", "logs", "1", "--level", NASTY], [NASTY],
                      ["jobs", "list", f"--{NASTY}"], ["jobs", "show", NASTY]):  # fmt: skip
        done = looking(*arguments)
        assert done.code == 2
        assert not CONTROL.search(done.err), arguments


@pytest.mark.parametrize("arguments", [["config", "show"], ["documents", "show", "1", "--json"]])
def test_a_reader_that_goes_away_is_no_error(data: Path, arguments: list[str]) -> None:
    process = start("--data-dir", data, *arguments)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert finish(process).err in ("", "configuration file: none\n")
    assert process.returncode == 0


def test_an_encoding_that_lacks_letters_is_no_error(data: Path) -> None:
    environ = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = finish(start("--data-dir", data, "documents", "show", "2", "--json", env=environ))
    assert (done.code, done.err) == (0, "")
    assert done.json["id"] == 2


@pytest.mark.parametrize(
    ("environ", "marked"), [({}, "\x1b[1mNeap\x1b[0m"), ({"NO_COLOR": "1"}, "[Neap]")]
)
def test_colours_are_for_terminals_that_want_them(
    data: Path, environ: dict[str, str], marked: str
) -> None:
    arguments = ["--data-dir", data, "search", "neap"]
    base = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    ours, theirs = pty.openpty()
    process = start(*arguments, stdout=theirs, env=base | {"TERM": "xterm"} | environ)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert finish(process).code == 0
    assert marked in shown.decode()
    assert "[Neap] tides" in call(*arguments).out, "no terminal"


# -- exit codes


def test_a_damaged_database_is_a_storage_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "quaero.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    done = cli("--data-dir", tmp_path, "jobs", "list")
    assert done.code == CorruptDatabase.exit_code == 5
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_an_interrupt_is_told_by_the_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quaero.settings.load", interrupted)
    assert cli("config", "show").code == 130


def test_an_interrupt_while_the_program_loads_ends_it_quietly():
    program = """
import os, signal, sys
class Pressed:
    def find_spec(self, name, *_):
        if name == "quaero.cli.program":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressed())
sys.argv = ["quaero", "jobs", "list"]
from quaero.cli import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize(
    ("words", "code"), [(["db", "migrate"], 0), (["config", "show"], 0), (["nonsense"], 2)]
)
def test_streams_that_are_closed_lead_nowhere(tmp_path, closed, words, code):
    closing = "; ".join(f"os.close({number})" for number in closed)
    program = f"""
import os, sys
{closing}
os.execv(sys.executable, [sys.executable, "-m", "quaero", *{words!r}])
"""
    environ = os.environ | {"QUAERO_DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, check=False
    )
    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr


def test_a_folder_that_is_no_more_is_an_error_in_words(tmp_path):
    program = """
import os, sys
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
os.execv(sys.executable, [sys.executable, "-m", "quaero", "config", "show"])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "error: the folder you are in is no more; go to another one (cd)\n"


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_data_directory_that_leads_nowhere_is_called_so(cli: Cli, tmp_path, target):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    done = cli("jobs", "list", "--data-dir", str(link))
    assert (done.code, done.out) == (2, "")
    assert f"{link} is a link that leads nowhere; name a folder" in done.err


def test_what_is_interrupted_before_it_has_begun_is_closed(monkeypatch):
    for name in ("collect_rarely", "leave_alone_what_is_there"):
        monkeypatch.setattr(app, name, lambda: None)

    def pressed(main):
        raise KeyboardInterrupt

    async def begun():
        raise AssertionError

    monkeypatch.setattr("uvloop.run", pressed)
    main = begun()
    with pytest.raises(KeyboardInterrupt):
        app.run(main)
    assert inspect.getcoroutinestate(main) == inspect.CORO_CLOSED


@pytest.mark.parametrize("module", ["no.such.module", "that_is_broken"])
def test_a_module_of_job_types_that_cannot_be_loaded_is_refused_before_anything_is_made(
    cli: Cli, tmp_path, monkeypatch, module
):
    (tmp_path / "that_is_broken.py").write_text("job_types = [")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("QUAERO_WORK_JOB_TYPES", module)
    done = cli("crawl", "http://127.0.0.1:1/", "--data-dir", str(tmp_path / "data"))
    assert (done.code, done.out) == (2, "")
    assert f"work.job_types: '{module}' cannot be loaded" in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("verb", ["save", "validate"])
def test_a_folder_named_as_a_definition_is_wrong_input(cli: Cli, tmp_path, verb):
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    done = cli("definitions", verb, str(folder), "--data-dir", str(tmp_path / "data"))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {folder} cannot be read: Is a directory\n"
