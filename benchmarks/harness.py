"""What all measurements share: rounds in which contestants alternate, classed by the disk.

The disk of such machines has two regimes: an fdatasync takes 0.1 to 0.2 ms in bursts and 3 to 4 ms
when throttled. So every round begins with a probe, contestants follow one another within it, and
figures are medians over the rounds of one class.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BURST_MS = 1.0


@dataclass
class Figures:
    """One contestant in one round: seconds and CPU seconds for `n` units, and commits made."""

    n: int
    seconds: float
    cpu: float
    commits: float = float("nan")
    note: str = ""

    @property
    def rate(self) -> float:
        return self.n / self.seconds


@dataclass
class Contest:
    """What was measured of one question."""

    title: str
    rounds: list[tuple[str, dict[str, Figures]]] = field(default_factory=list)

    def table(self, ours: str = "quaero") -> list[str]:
        lines = [
            f"### {self.title}", "",
            "| disk | contestant | per second | CPU µs each | commits each | ours is |",
            "|---|---|---:|---:|---:|---:|",
        ]  # fmt: skip
        for regime in ("burst", "throttled"):
            rounds = [figures for name, figures in self.rounds if name == regime]
            if not rounds:
                continue
            for name in rounds[0]:
                of = [each[name] for each in rounds]
                ratio = statistics.median(each[ours].rate / each[name].rate for each in rounds)
                lines.append(
                    f"| {regime} ({len(rounds)} rounds) | {name} {of[0].note} "
                    f"| {statistics.median(f.rate for f in of):,.0f} "
                    f"| {statistics.median(f.cpu / f.n * 1e6 for f in of):.1f} "
                    f"| {statistics.median(f.commits / f.n for f in of):.3f} "
                    f"| {'-' if name == ours else f'{ratio:.1f}x'} |"
                )
        return [*lines, ""]


def probe(folder: Path, times: int = 25) -> tuple[str, float]:
    """The disk's regime now, and the median of an fdatasync in milliseconds."""
    path = folder / "probe"
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.pwrite(file, bytes(1 << 20), 0)
        os.fsync(file)
        took = []
        for n in range(times):
            began = time.perf_counter()
            os.pwrite(file, b"x" * 4096, 4096 * n)
            os.fdatasync(file)
            took.append((time.perf_counter() - began) * 1e3)
    finally:
        os.close(file)
    median = statistics.median(took)
    return ("burst" if median < BURST_MS else "throttled"), median


def contest(title: str, contestants: dict[str, Callable[[Path], Figures]], rounds: int) -> Contest:
    """Run the contestants in turn, `rounds` times, in fresh folders."""
    made = Contest(title)
    for _ in range(rounds):
        with scratch() as folder:
            regime, median = probe(folder)
            figures = {}
            for name, run in contestants.items():
                place = folder / name.replace(" ", "-")
                place.mkdir()
                figures[name] = run(place)
            after, _ = probe(folder)
            print(f"{title}: {regime} ({median:.2f} ms)" + ("" if after == regime else " -> mixed"))
            for name, each in figures.items():
                print(f"  {name:<12} {each.rate:>12,.0f}/s {each.cpu / each.n * 1e6:>9.1f} µs CPU")
            if after == regime:
                made.rounds.append((regime, figures))
    return made


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the real disk, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="quaero-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def timed() -> Iterator[Callable[[], tuple[float, float]]]:
    """Wall and CPU seconds of this process since the block began."""
    began, cpu = time.perf_counter(), cpu_seconds()
    yield lambda: (time.perf_counter() - began, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """CPU seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def machine() -> str:
    """The machine in a line."""
    import apsw

    cores = os.cpu_count()
    return f"{cores} cores, {platform.system()}, Python {platform.python_version()}, SQLite " + (
        apsw.sqlite_lib_version()
    )
