"""How the live socket shows things: the same pictures as the endpoints give."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from quaero.api.answers import job_item, log_line, when
from quaero.api.live.views import Views
from quaero.api.parts import WebParts
from quaero.api.routes.queue import queue_numbers, worker_of
from quaero.clock import rfc3339
from quaero.db.contract import ReadTx
from quaero.jobs.read import counts_by_status
from quaero.queue.holders import Holders
from quaero.queue.stats import stats
from quaero.reports.health import Health, LoopHealth, ProcessHealth, health
from quaero.reports.workers import workers
from quaero.workflows import folder, overview, schedules


def views(parts: WebParts) -> Views:
    """The pictures of one application."""
    holders = Holders(parts.db.path, parts.clock)

    def queue(tx: ReadTx) -> dict[str, Any]:
        top = counts_by_status(tx, top=True)
        return {
            "stats": queue_numbers(stats(tx, parts.queue_id)),
            "top": {status.word: n for status, n in top.items()},
        }

    def at_work(tx: ReadTx) -> list[Any]:
        return [worker_of(each) for each in workers(tx, holders, parts.queue_id)]

    def how_all_is(tx: ReadTx) -> dict[str, Any]:
        return health_picture(health(tx, parts.db.path))

    return Views(
        job=job_item, line=log_line, queue=queue, workers=at_work, health=how_all_is,
        schedules=schedules_picture,
    )  # fmt: skip


def schedules_picture(tx: ReadTx) -> dict[str, Any]:
    """What changes of schedules by itself, or by others, of the first 200; and of definitions."""
    count, changed_at = overview.newest(tx)
    troubled = [each for each in folder.files(tx) if each.problem is not None]
    return {
        "schedules": _schedules(tx),
        "definitions": {"count": count, "changed_at": when(changed_at)},
        "files": [{"path": each.path, "problem": each.problem} for each in troubled],
    }


def _schedules(tx: ReadTx) -> list[dict[str, Any]]:
    return [
        {
            "definition_id": each.definition_id,
            "paused": each.paused,
            "blocked": each.blocked,
            "next_at": when(each.next_at),
            "last_at": when(each.last_at),
            "last_run_id": each.last_run_id,
            "last_note": each.last_note,
            "left_out": each.left_out,
        }
        for each in schedules.listing(tx)
    ]


def health_picture(found: Health) -> dict[str, Any]:
    """How the program is, with its processes and their loops."""
    return {
        "status": found.status,
        "problems": found.problems,
        "processes": [_process(each) for each in found.processes],
        "disk": asdict(found.disk),
        "commit_seconds": found.commit_seconds,
        "feed": {"head": found.feed_head, "lag": found.feed_lag},
    }


def _process(process: ProcessHealth) -> dict[str, Any]:
    state = process.state
    return {
        "id": state.id,
        "role": state.role,
        "pid": state.pid,
        "host": state.host,
        "alive": state.alive,
        "started_at": rfc3339(state.started_at),
        "told_at": rfc3339(state.at),
        "rss_bytes": state.report.rss,
        "commits": state.report.commits,
        "commit_seconds": state.report.commit_seconds,
        "loops": [_loop(each) for each in process.loops],
    }


def _loop(loop: LoopHealth) -> dict[str, Any]:
    return {
        "name": loop.name,
        "period_seconds": loop.period,
        "turns": loop.turns,
        "last_at": when(loop.last_at),
        "late": loop.late,
        "error": loop.error,
    }
