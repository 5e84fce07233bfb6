"""The program's own log, through `logging`; the log of a job is something else (`jobs.logs`).

What a handler or filter of the application raises is told at stderr, as `logging` does for those
that come with Python, and stops neither a slot, a transaction nor a thread that had something to
say.
"""

from __future__ import annotations

import logging
from typing import Any


class ProgramLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that does not raise what its handlers raise."""

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Hand an entry to the handlers."""
        options["stacklevel"] = options.get("stacklevel", 1) + 1  # who called, and not this line
        try:
            self.logger.log(level, msg, *args, **options)
        except Exception:  # noqa: BLE001 - it is somebody else's code
            name = self.logger.name
            record = self.logger.makeRecord(name, level, __file__, 0, msg, args, None)
            logging.Handler().handleError(record)


def program_log(name: str) -> ProgramLog:
    """The logger of that name."""
    return ProgramLog(logging.getLogger(name))
