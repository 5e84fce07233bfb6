"""The command `quaero`, one file a group of commands.

Starting must be quick, so these files import only what describes the commands; whatever does the
work is imported by the command that needs it.
"""

from __future__ import annotations

import sys

from quaero.collector import collect_rarely


def main() -> None:
    """Run the command line of this process, and exit."""
    collect_rarely()
    from quaero.cli.program import run

    sys.exit(run(sys.argv[1:]))
