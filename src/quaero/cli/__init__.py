"""The command `quaero`, one file a group of commands.

Starting must be quick, so these files import only what describes the commands; whatever does the
work is imported by the command that needs it.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process, and exit; Ctrl-C while it loads ends it quietly."""
    try:
        from quaero.cli.streams import fill_closed
        from quaero.collector import collect_rarely

        fill_closed()
        collect_rarely()
        from quaero.cli.program import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    _be_left_to_end()
    sys.exit(code)


def _be_left_to_end() -> None:
    """All is done or given up: another Ctrl-C has nothing to end but the interpreter's own end."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
