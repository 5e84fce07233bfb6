"""The program `quaero` as processes, with a configuration and a database of a test's own."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WORK = [sys.executable, "-m", "quaero", "work"]
CONFIG = """
data_dir = "{folder}"
[queue]
poll_interval = "100ms"
concurrency = {concurrency}
max_receive = {max_receive}
[work]
grace = "{grace}"
memory = "{memory}"
job_types = ["{job_types}"]
"""


def configure(folder: Path, job_types: str, **settings) -> Path:
    """Write a configuration; returns the database's path."""
    given = {"concurrency": 5, "max_receive": 2, "grace": "2s", "memory": "1GB"} | settings
    text = CONFIG.format(folder=folder, job_types=job_types, **given)
    (folder / "quaero.toml").write_text(text)
    return folder / "quaero.db"


@contextlib.contextmanager
def worker(folder: Path, *arguments):
    """A `quaero work` with its supervisor; killed with its children if it is left running."""
    places = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    config = ["--config", str(folder / "quaero.toml")]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*WORK, *config, *arguments], env=environ, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
