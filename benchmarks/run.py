"""`python3 dev.py bench [WHAT] [--rounds N] [--write]`.

WHAT is one of messages, scale, jobs, api, live, crawl, beside, summaries, workflows,
cleanup, all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from harness import machine, scratch

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="dev.py bench")
    parser.add_argument("what", nargs="?", default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the huge databases")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    asked = parser.parse_args()
    sys.setswitchinterval(0.0005)
    lines = [f"Measured on {time.strftime('%Y-%m-%d')}: {machine()}.", ""]
    if asked.what in ("messages", "all"):
        lines += _messages(asked.rounds)
    if asked.what in ("scale", "all"):
        import scale

        with scratch() as folder:
            lines += scale.run(folder, asked.scale)
    if asked.what in ("jobs", "all"):
        import jobs

        for each in jobs.run(asked.rounds):
            lines += each.table()
    if asked.what in ("api", "all"):
        import api

        with scratch() as folder:
            lines += api.run(folder, asked.scale)
    if asked.what in ("live", "all"):
        import live

        for each in live.run(asked.rounds):
            lines += each.table()
    if asked.what in ("crawl", "all"):
        import crawl

        with scratch() as folder:
            lines += crawl.run(folder)
    if asked.what in ("beside", "all"):
        import beside

        with scratch() as folder:
            lines += beside.run(folder, min(asked.rounds, 3))
    if asked.what in ("summaries", "all"):
        import summaries

        with scratch() as folder:
            lines += summaries.run(folder)
    if asked.what in ("workflows", "all"):
        import workflows

        with scratch() as folder:
            lines += workflows.run(folder)
    if asked.what in ("cleanup", "all"):
        import cleanup

        with scratch() as folder:
            lines += cleanup.run(folder, asked.scale)
    print("\n".join(lines))
    if asked.write:
        head = RESULTS.read_text("utf-8").partition("<!-- figures -->")[0]
        RESULTS.write_text(head + "<!-- figures -->\n\n" + "\n".join(lines), "utf-8")


def _messages(rounds: int) -> list[str]:
    import messages

    lines = []
    for each in messages.run(rounds):
        lines += each.table()
    lines += ["### From idle to the handler's start", "",
              "| sender | p50 from the send's call | one small commit alone |",
              "|---|---:|---:|"]  # fmt: skip
    for name, other in (("same process", False), ("another process", True)):
        with scratch() as folder:
            wait, commit = messages.latency(folder, other=other)
        lines.append(f"| {name} | {wait:.2f} ms | {commit:.2f} ms |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
