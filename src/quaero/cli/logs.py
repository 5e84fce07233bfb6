"""The program's own log on standard error."""

from __future__ import annotations

import logging
import sys


def log_to_stderr(level: str) -> None:
    """Write log records from this level up, a line each, without control characters."""
    from quaero.cli.output import safe

    class Lines(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return safe(super().format(record), lines=True)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    names = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
    logging.basicConfig(level=names[level], handlers=[handler], force=True)
