"""Four processes write beside a whole server; sockets come and go and end with what is stored.

A little in the suite; under `dev.py soak` 200 sockets for a minute, at 5,000 changes a second.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

from ..processes import PATIENCE, Program  # noqa: TID252
from ..soak import FACTOR  # noqa: TID252

HERE = Path(__file__).parent
WRITERS, TREES, RATE = 4, 8, 5_000
CLIENTS, SECONDS = (200, 60.0) if FACTOR > 1 else (20, 1.5)


def address(told: Path) -> str:
    """Where a server that has just been started answers."""
    deadline = time.monotonic() + PATIENCE
    while not (found := re.search(r"http://[^/\s]+:\d+", told.read_text())):
        assert time.monotonic() < deadline, told.read_text()
        time.sleep(0.02)
    return found[0]


def test_every_socket_ends_with_what_is_stored(tmp_path: Path) -> None:
    told = tmp_path / "told.txt"
    with told.open("wb") as file:
        server = Program("--data-dir", tmp_path / "data", "serve", "--port", "0", stderr=file)
    try:
        url = address(told)
        watching = subprocess.Popen(
            [sys.executable, HERE / "watching_program.py", url, str(CLIENTS), "7"],
            stdin=PIPE, stdout=PIPE, text=True,
        )  # fmt: skip
        assert watching.stdout is not None
        assert watching.stdout.readline() == "watching\n"
        database = tmp_path / "data/quaero.db"
        writers = [
            subprocess.Popen(
                [sys.executable, HERE / "changing_program.py", database, str(seed), str(SECONDS),
                 str(RATE / WRITERS), str(TREES)],
                stdout=PIPE, text=True,
            )
            for seed in range(WRITERS)
        ]  # fmt: skip
        changes = sum(int(each.communicate()[0]) for each in writers)
        out, _ = watching.communicate("end\n")
    finally:
        server.close()
    assert [each.returncode for each in writers] == [0] * WRITERS
    assert watching.returncode == 0
    heard = json.loads(out)
    print(f"{changes / SECONDS:,.0f} changes/s, {heard}")
    assert changes > WRITERS * 100
    assert heard["frames"] > CLIENTS
