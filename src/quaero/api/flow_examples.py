"""Examples of what the interface takes and gives for workflows."""

from __future__ import annotations

from typing import Any

from quaero.api.examples import JOB_ITEM

TEXT = """\
id = "handbook"
name = "The handbook"

[parameters.seed]
default = "https://docs.example.org/"

[schedule]
cron = "30 2 * * 1-5"
timezone = "Europe/Berlin"

[[steps]]
name = "collect"
action = "crawler"

[steps.config]
seeds = ["{{ parameters.seed }}"]

[[steps]]
name = "tidy"
action = "cleanup"
depends_on = ["collect"]
"""

VALUE: dict[str, Any] = {
    "id": "handbook",
    "name": "The handbook",
    "parameters": {"seed": {"default": "https://docs.example.org/"}},
    "schedule": {"cron": "30 2 * * 1-5", "timezone": "Europe/Berlin"},
    "steps": [
        {
            "name": "collect",
            "action": "crawler",
            "config": {"seeds": ["{{ parameters.seed }}"]},
        },
        {"name": "tidy", "action": "cleanup", "depends_on": ["collect"]},
    ],
}

TO_WRITE: dict[str, Any] = {"value": {**VALUE, "enabled": False}, "format": "toml", "text": TEXT}

VERDICT: dict[str, Any] = {
    "valid": False,
    "faults": [
        {
            "line": 15,
            "field": "steps[1].depends_on[0]",
            "pointer": "/steps/1/depends_on/0",
            "detail": "there is no step 'colect' in steps; others are collect",
        }
    ],
    "value": VALUE,
}

SCHEDULE: dict[str, Any] = {
    "definition_id": "handbook",
    "name": "The handbook",
    "enabled": True,
    "cron": "30 2 * * 1-5",
    "timezone": "Europe/Berlin",
    "words": "At 02:30 on Monday through Friday (Europe/Berlin)",
    "missed": "once",
    "overlap": "skip",
    "paused": False,
    "blocked": False,
    "next_at": "2026-11-23T01:30:00.000000Z",
    "next": ["2026-11-23T01:30:00.000000Z", "2026-11-24T01:30:00.000000Z"],
    "last_at": "2026-11-20T01:30:00.000000Z",
    "last_run_id": 7,
    "last_note": None,
    "left_out": 0,
}

DEFINITION_ITEM: dict[str, Any] = {
    "id": "handbook",
    "name": "The handbook",
    "description": "",
    "type": "",
    "tags": [],
    "origin": "own",
    "format": "toml",
    "path": None,
    "enabled": True,
    "auto_start": False,
    "actions": {"collect": "crawler", "tidy": "cleanup"},
    "schedule": SCHEDULE,
    "runs": [
        {
            "id": 7,
            "status": "completed",
            "warnings": 0,
            "cause": "schedule",
            "began_at": "2026-11-20T01:30:00.000000Z",
            "completed_at": "2026-11-20T01:31:12.000000Z",
            "duration": 71.9,
        }
    ],
    "problem": None,
    "created_at": "2026-11-01T08:00:00.000000Z",
    "changed_at": "2026-11-02T08:00:00.000000Z",
    "rev": 3,
}

DEFINITION: dict[str, Any] = {**DEFINITION_ITEM, "text": TEXT, "value": VALUE}

STEPS: dict[str, Any] = {
    "definition_id": "handbook",
    "items": [
        {
            "name": "tidy",
            "phase": "core",
            "action": "cleanup",
            "description": "",
            "condition": None,
            "on_error": "fail",
            "each": False,
            "needs": ["collect"],
            "waiting_for": ["collect"],
            "outcome": None,
            "job": {**JOB_ITEM, "id": 9, "parent_id": 7, "type": "workflow_step", "name": "tidy"},
        }
    ],
}
