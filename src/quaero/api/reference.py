"""What the description of the interface has besides operations: errors, and the socket's words."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from typing import Any

from quaero.api import examples
from quaero.errors import QuaeroError

# Errors of the interface itself: slug, status, meaning.
_OWN = (
    ("bad-request", 422, "A part of the request is wrong; `errors` names each by a pointer."),
    ("method-not-allowed", 405, "The path exists, but not with this method; see `Allow`."),
    ("content-type", 415, "The body is of a type that is not taken here."),
    ("too-large", 413, "The body is too large."),
    ("large-head", 431, "The head of the request is larger than 64 KB."),
    ("too-slow", 408, "The body did not arrive in time."),
    ("foreign-host", 421, "The server was called by a name that is not its own."),
    ("foreign-origin", 403, "A page of another site asked."),
    ("no-token", 401, "This server asks for a token."),
    ("ending", 503, "The server is ending; try again in a moment."),
)

_FEED = "bWE3ZjpyOjEyMw"

SOCKET_MESSAGES: tuple[dict[str, Any], ...] = (
    {
        "name": "ask",
        "from": "client",
        "meaning": "Subscribe to topics, and go on from the last cursor seen; null begins now. "
        "Topics: queue, jobs, workers, system, job:ID, logs:ID, logs:ID?tree (with &after=LINE).",
        "example": {"subscribe": ["jobs", "job:7", "logs:7?tree"], "resume": {"feed": _FEED}},
    },
    {
        "name": "leave",
        "from": "client",
        "meaning": "Hear no more of topics.",
        "example": {"unsubscribe": ["logs:7?tree"]},
    },
    {
        "name": "ping",
        "from": "client",
        "meaning": "Ask whether the server still hears; any number.",
        "example": {"ping": 1},
    },
    {
        "name": "hello",
        "meaning": "The first message of a connection. Every frame is an array of messages.",
        "example": {"type": "hello"},
    },
    {
        "name": "subscribed",
        "meaning": "All topics heard now, and the cursor they go on from.",
        "example": {"type": "subscribed", "topics": ["jobs", "job:7"], "feed": _FEED},
    },
    {
        "name": "job",
        "meaning": "A job as it is now; `child` where it lies below the job of the topic.",
        "example": {"type": "job", "topic": "jobs", "job": examples.JOB_ITEM},
    },
    {
        "name": "tree",
        "meaning": "More jobs below this one changed than fit: load the visible ones anew.",
        "example": {"type": "tree", "topic": "job:7", "id": 7},
    },
    {
        "name": "deleted",
        "meaning": "A job is gone.",
        "example": {"type": "deleted", "topic": "jobs", "id": 7},
    },
    {
        "name": "feed",
        "meaning": "The cursor after the messages before it; keep the last one for `resume`.",
        "example": {"type": "feed", "feed": _FEED},
    },
    {
        "name": "log",
        "meaning": "New lines of a log; with `gap` some were left out before them. A line of more "
        "than 4,000 characters, in its message or its fields, comes short, with `cut`: the whole "
        "of it is at the job's logs.",
        "example": {
            "type": "log",
            "topic": "logs:7?tree",
            "lines": [
                {
                    "id": 91,
                    "job_id": 8,
                    "attempt": 1,
                    "at": "2026-11-22T06:30:00.120000Z",
                    "level": "info",
                    "message": "fetched",
                    "fields": {"status": 200},
                    "type": "crawler_url",
                    "name": "https://docs.example.org/guide/",
                }
            ],
            "gap": False,
        },
    },
    {
        "name": "queue",
        "meaning": "The queue's numbers and the top-level jobs by status, while they change.",
        "example": {
            "type": "queue",
            "stats": {
                "name": "quaero_jobs",
                "paused": False,
                "ready": 12,
                "delayed": 1,
                "in_flight": 5,
                "dead": 0,
                "scheduled": 0,
                "parked": 0,
                "suspect": 0,
                "oldest_ready_seconds": 0.4,
            },
            "top": {"pending": 0, "running": 1, "completed": 3, "failed": 0, "cancelled": 0},
        },
    },
    {
        "name": "workers",
        "meaning": "The worker processes, while they change.",
        "example": {
            "type": "workers",
            "workers": [
                {
                    "id": 1,
                    "pid": 4242,
                    "host": "desk",
                    "started_at": "2026-11-22T06:29:58.000000Z",
                    "alive": True,
                    "slots": 5,
                    "running": [],
                }
            ],
        },
    },
    {
        "name": "health",
        "meaning": "How the program is, as `GET /api/health` says it, while it changes.",
        "example": {"type": "health", "health": {"status": "ok", "problems": []}},
    },
    {
        "name": "schedule",
        "meaning": "The schedules (topic system), the first 200 by id, with how many definitions "
        "there are and which files of their folder are wrong, while any of it changes.",
        "example": {
            "type": "schedule",
            "schedules": [
                {
                    "definition_id": "handbook",
                    "paused": False,
                    "blocked": False,
                    "next_at": "2026-11-23T01:30:00.000000Z",
                    "last_at": "2026-11-20T01:30:00.000000Z",
                    "last_run_id": 7,
                    "last_note": None,
                    "left_out": 0,
                }
            ],
            "definitions": {"count": 3, "changed_at": "2026-11-02T08:00:00.000000Z"},
            "files": [],
        },
    },
    {
        "name": "reset",
        "meaning": "What was seen is out of date: load anew, with a `topic` only that. Of a log it "
        "says that lines were deleted.",
        "example": {"type": "reset", "reason": "the place in the feed is not known any more"},
    },
    {"name": "error", "meaning": "A frame was not understood.",
     "example": {"type": "error", "detail": "this is not understood: …"}},
    {"name": "pong", "meaning": "The answer to a ping.", "example": {"type": "pong", "n": 1}},
)  # fmt: skip


def errors() -> list[dict[str, Any]]:
    """Every kind of problem: its slug, status, meaning, and the command line's exit code."""
    found = [
        {
            "slug": kind.slug,
            "status": kind.status,
            "title": HTTPStatus(kind.status).phrase,
            "meaning": inspect.getdoc(kind) or "",
            "exit_code": kind.exit_code,
        }
        for kind in _kinds(QuaeroError)
    ]
    found += [
        {"slug": slug, "status": status, "title": HTTPStatus(status).phrase, "meaning": meaning}
        for slug, status, meaning in _OWN
    ]
    return found


def _kinds(kind: type[QuaeroError]) -> list[type[QuaeroError]]:
    """An error and all below it, each slug once."""
    found = {kind.slug: kind}
    for below in kind.__subclasses__():
        for each in _kinds(below):
            found.setdefault(each.slug, each)
    return list(found.values())
