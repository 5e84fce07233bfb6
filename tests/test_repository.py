"""What a clone holds: the files a reader expects, and nothing that ties it to one machine."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

EXPECTED = ["LICENSE", "README.md", "pyproject.toml", "constraints.txt", "dev.py", ".ci/run"]
SOURCES = ["src", "tests", "benchmarks", "docs"]
LEFT_TO_DO = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
NOT_RUN = re.compile(r"\b(?:skip[i]f|xfai[l]|import[o]rskip|skip[T]est|(?:pytest|mark)\.ski[p])\b")
INSTALLING = ["pyproject.toml", "constraints.txt", "dev.py", ".ci/run"]
A_PLACE_OF_PACKAGES = re.compile(r"://|index-?url|find-links|\[\[?tool\.uv\.index")
README_LINES = 150


def texts() -> Iterator[tuple[str, str]]:
    """Every text of ours: its path in the repository and what it says."""
    paths = [each for each in ROOT.iterdir() if each.is_file()]
    paths += [ROOT / ".ci" / "run"]
    for folder in SOURCES:
        paths += [each for each in (ROOT / folder).rglob("*") if each.is_file()]
    for path in sorted(paths):
        if "__pycache__" in path.parts:
            continue
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def dev() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "dev.py"), run_name="dev")


@pytest.mark.parametrize("name", EXPECTED)
def test_the_expected_files_are_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_nothing_is_left_to_do_in_the_code() -> None:
    left = [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if LEFT_TO_DO.search(line)
    ]
    assert not left


def test_no_test_is_ever_skipped() -> None:
    assert not [path for path, text in texts() if NOT_RUN.search(text)]


@pytest.mark.parametrize("name", INSTALLING)
def test_where_packages_come_from_is_left_to_the_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not A_PLACE_OF_PACKAGES.search(text)


def test_constraints_are_names_and_versions_only() -> None:
    pattern = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*( ; [a-z_0-9 '<>=.]+)?")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert lines
    assert not [line for line in lines if not pattern.fullmatch(line)]
    names = [line.split("==")[0] for line in lines]
    assert names == sorted(set(names))


def test_constraints_name_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *groups["dev"], *groups["bench"]]
    names = {re.split(r"[\[<>=~!; ]", each)[0].lower().replace("_", "-") for each in wanted}
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert names <= {line.split("==")[0] for line in text.splitlines()}


def test_the_licence_is_the_one_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first = (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()[0]
    assert first.split()[0] == project["license"]


def test_the_readme_is_short_and_begins_with_the_name() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES
    assert not lines or lines[0] == "# Quaero"


def test_the_readme_names_only_verbs_that_there_are() -> None:
    named = re.findall(r"dev\.py ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) <= set(dev()["GROUPS"])


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "dev.py", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_dev_lists_its_verbs_and_knows_no_others() -> None:
    listed = run_dev()
    assert listed.returncode == 0
    verbs = re.findall(r"^  ([a-z]+) ", listed.stdout, flags=re.MULTILINE)
    assert sorted(verbs) == sorted(dev()["GROUPS"])
    wrong = run_dev("frobnicate")
    assert wrong.returncode == 2
    assert "There is no verb 'frobnicate'." in wrong.stderr


def test_dev_installs_groups_that_the_project_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    used = {group for groups in dev()["GROUPS"].values() for group in groups}
    assert used <= set(project["dependency-groups"])


def test_a_soak_looks_for_20_000_examples_unless_another_number_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soak_examples = dev()["soak_examples"]
    monkeypatch.setenv("QUAERO_SOAK_EXAMPLES", "")  # put back as it was, whatever follows
    monkeypatch.delenv("QUAERO_SOAK_EXAMPLES")
    assert soak_examples() == 20_000
    assert os.environ["QUAERO_SOAK_EXAMPLES"] == "20000"
    monkeypatch.setenv("QUAERO_SOAK_EXAMPLES", "200")
    assert soak_examples() == 200
    for wrong in ("0", "many", ""):
        monkeypatch.setenv("QUAERO_SOAK_EXAMPLES", wrong)
        with pytest.raises(SystemExit, match="whole number from 1"):
            soak_examples()


def test_a_soak_runs_the_models_and_the_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = dev()["soak_tests"]()
    assert {"tests/jobs/test_model.py", "tests/queue/test_model.py"} <= set(found)
    assert {path.parent.name for path in map(Path, found)} == {
        "jobs",
        "queue",
        "crash",
        "api",
        "workflows",
        "ui",
        "workflows",
    }


def test_ci_can_be_run_and_only_calls_the_tests() -> None:
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    lines = run.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[-1].startswith("python3 ")
    assert lines[-1].endswith('dev.py" test')
