"""Examples of what the interface takes and gives, shown in its description."""

from __future__ import annotations

from typing import Any

NO_COUNTS: dict[str, int] = {
    "pending": 0, "running": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0, "done": 0
}  # fmt: skip

JOB_ITEM: dict[str, Any] = {
    "id": 7,
    "parent_id": None,
    "root_id": 7,
    "depth": 0,
    "type": "crawler",
    "phase": "core",
    "name": "https://docs.example.org/",
    "status": "running",
    "priority": 0,
    "attempt": 1,
    "round": 1,
    "rerun_of": None,
    "held": False,
    "waiting": True,
    "stopping": False,
    "created_at": "2026-11-22T06:30:00.000000Z",
    "run_at": None,
    "started_at": "2026-11-22T06:30:00.020000Z",
    "completed_at": None,
    "duration": 12.3,
    "wait": 0.02,
    "progress_current": 3,
    "progress_total": 10,
    "progress_text": "following links",
    "counts": {
        "pending": 1, "running": 2, "completed": 3, "failed": 0, "cancelled": 0, "total": 6,
        "done": 3,
    },
    "warnings": 0,
    "error": None,
    "actions": ["cancel", "fail", "copy", "update"],
}  # fmt: skip

JOB: dict[str, Any] = {
    **JOB_ITEM,
    "description": "The handbook, once a week.",
    "payload": {"seeds": ["https://docs.example.org/"], "max_pages": 100},
    "result": None,
    "attempts": [],
    "max_child_failures": 0,
    "failure_action": "continue",
    "needs": [],
    "logs_count": {"debug": 0, "info": 3, "warn": 0, "error": 0},
    "logs_capped": False,
    "documents": 3,
    "documents_capped": False,
}

NEW_JOB: dict[str, Any] = {
    "type": "crawler",
    "payload": {"seeds": ["https://docs.example.org/"], "max_pages": 100},
    "name": "The handbook",
    "priority": 5,
}

LOG_LINE: dict[str, Any] = {
    "id": 4711,
    "job_id": 9,
    "attempt": 1,
    "at": "2026-11-22T06:30:01.250000Z",
    "level": "warn",
    "message": "all links of this page were refused",
    "fields": {"links": 12},
    "type": "crawler_url",
    "name": "https://docs.example.org/install",
}

PROBLEM: dict[str, Any] = {
    "type": "/api/docs#bad-payload",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "payload of 'crawler': seeds: Field required (got {})",
    "instance": "/api/jobs",
    "errors": [{"pointer": "/payload/seeds", "detail": "Field required"}],
}

DOCUMENT: dict[str, Any] = {
    "id": 12,
    "source_id": 0,
    "url": "https://docs.example.org/install",
    "site": "docs.example.org",
    "source_type": "web",
    "entity_type": "page",
    "title": "Installation",
    "description": None,
    "language": "en",
    "author": None,
    "published": None,
    "modified": "2026-10-01",
    "words": 640,
    "bytes": 4012,
    "detail_level": "full",
    "version": 2,
    "first_seen": "2026-10-02T08:00:00.000000Z",
    "fetched_at": "2026-11-22T06:30:01.000000Z",
    "changed_at": "2026-11-22T06:30:01.000000Z",
    "gone_at": None,
    "job_id": 9,
    "root_id": 7,
    "tags": ["handbook"],
}

WHOLE_DOCUMENT: dict[str, Any] = {
    **DOCUMENT,
    "summary": {
        "text": "Unpack it and run `make`.",
        "maker": "extractive",
        "made_at": "2026-11-22T06:40:00.000000Z",
        "current": True,
    },
    "keywords": None,
    "text": "# Installation\n\nUnpack it and run `make`.",
    "metadata": {"headings": ["Installation"]},
    "etag": None,
    "last_modified": None,
    "content_hash": "5f0c2f7c1f5b7d3a9b6c0a4b1f0e2d3c",
}

NEW_SOURCE: dict[str, Any] = {
    "name": "handbook",
    "kind": "web",
    "base_url": "https://docs.example.org/",
    "settings": {"exclude": ["/drafts/*"], "max_pages": 500},
    "tags": ["handbook"],
}

SOURCE: dict[str, Any] = {
    "id": 3,
    "name": "handbook",
    "kind": "web",
    "base_url": "https://docs.example.org/",
    "credential": None,
    "settings": {"exclude": ["/drafts/*"], "max_pages": 500},
    "tags": ["handbook"],
    "enabled": True,
    "health": "warnings",
    "detail": "2 pages of the last run failed",
    "documents": 311,
    "gone": 4,
    "active": False,
    "run": {**JOB_ITEM, "status": "completed", "waiting": False, "warnings": 2},
    "created_at": "2026-11-20T08:00:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
}

LOGIN: dict[str, Any] = {
    "id": 3,
    "base_url": "https://wiki.example.org/",
    "site": "example.org",
    "kind": "cookies",
    "cookies": 2,
    "tokens": 0,
    "user_agent": None,
    "captured_at": "2026-11-22T06:30:00.000000Z",
    "updated_at": "2026-11-22T06:30:01.000000Z",
    "expires_at": "2026-12-22T06:30:00.000000Z",
    "state": "good",
    "warning": None,
    "tested_at": "2026-11-22T06:31:00.000000Z",
    "test_ok": True,
    "test_detail": "https://wiki.example.org/ answers 200 with “Home”",
}
