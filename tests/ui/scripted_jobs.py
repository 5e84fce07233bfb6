"""A job type that does what a file says, line by line, as the file grows.

A line is one JSON object: `{"log": "text", "times": 1, "level": "info"}`, `{"fail": "reason"}` or
`{"end": true}`.
"""

import asyncio
import json
from pathlib import Path

from pydantic import BaseModel

from quaero.errors import Permanent
from quaero.work.registry import Result, executor

LOOK_SECONDS = 0.03


class Script(BaseModel):
    """The file with the lines."""

    script: str


@executor("scripted", Script)
async def scripted(job, payload):
    done = 0
    while True:
        whole, _, _ = Path(payload.script).read_text(encoding="utf-8").rpartition("\n")
        lines = whole.splitlines()  # without one that is being written
        for line in lines[done:]:
            wish = json.loads(line)
            if "fail" in wish:
                raise Permanent(wish["fail"])
            if "end" in wish:
                return Result(None)
            for number in range(wish.get("times", 1)):
                write = getattr(job.log, wish.get("level", "info"))
                write(wish["log"].replace("{n}", str(number)))
        done = len(lines)
        await asyncio.sleep(LOOK_SECONDS)


job_types = [scripted]
