"""`quaero demo` and `quaero demo --kill`: they end by themselves and say what came of it."""

import subprocess
import sys
from pathlib import Path


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quaero", "--data-dir", str(folder), "demo", *options]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )


def test_the_demo_crawls_searches_and_shows_a_page(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "40 new" in done.stderr
    assert "robots" in done.stderr
    assert "documents show" in done.stderr
    assert "#" in done.stdout


def test_the_demo_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    done = demo(tmp_path, "--kill")
    assert done.returncode == 0, done.stderr
    said = done.stderr + done.stdout
    assert "killed" in said
    assert "lost" in said
