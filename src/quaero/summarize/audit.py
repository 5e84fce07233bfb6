"""The record of every call of a model: when, which, what for, how much, how long, how it ended.

What was sent and answered is kept only where the settings say so. Totals by operation and outcome
are kept apart, so they stay when old calls go.
"""

from __future__ import annotations

from dataclasses import dataclass

from quaero.db.contract import ReadTx, Tx

LARGEST_PAGE = 1_000
LONGEST_TEXT = 100_000
LONGEST_ERROR = 2_000
_SLICE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call; `duration` in microseconds, `error` None where it went well."""

    id: int = 0
    at: int = 0
    model: str
    operation: str
    job_id: int | None
    document_id: int | None
    tokens_in: int
    tokens_out: int
    duration: int
    error: str | None = None
    prompt: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """What all calls of an operation with one outcome (`ok`, `error`) cost together."""

    operation: str
    outcome: str
    calls: int
    tokens_in: int
    tokens_out: int
    duration: int


def note(tx: Tx, call: Call) -> None:
    """Write down a call that has just ended."""
    tx.execute(
        """
        insert into model_call(at, model, operation, job_id, document_id, tokens_in, tokens_out,
                               duration, error, prompt, answer)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        (tx.now, call.model, call.operation, call.job_id, call.document_id, call.tokens_in,
         call.tokens_out, call.duration, _cut(call.error, LONGEST_ERROR),
         _cut(call.prompt, LONGEST_TEXT), _cut(call.answer, LONGEST_TEXT)),
    )  # fmt: skip
    tx.execute(
        """
        insert into model_total(operation, outcome, calls, tokens_in, tokens_out, duration)
        values ($1, $2, 1, $3, $4, $5)
            on conflict(operation, outcome) do update
           set calls = model_total.calls + 1, tokens_in = model_total.tokens_in + $3,
               tokens_out = model_total.tokens_out + $4, duration = model_total.duration + $5
        """,
        (call.operation, "error" if call.error else "ok", call.tokens_in, call.tokens_out,
         call.duration),
    )  # fmt: skip


def _cut(text: str | None, most: int) -> str | None:
    return None if text is None else text[:most].replace("\0", "")


def listing(tx: ReadTx, *, before: int | None = None, limit: int = 50) -> list[Call]:
    """A page of calls, the newest first; `before` is the id of the last one seen."""
    rows = tx.execute(
        """
        select id, at, model, operation, job_id, document_id, tokens_in, tokens_out, duration,
               error, prompt, answer
          from model_call where id < $1 order by id desc limit $2
        """,
        (before if before is not None else 2**63 - 1, min(max(limit, 1), LARGEST_PAGE)),
    )
    return [
        Call(id=r[0], at=r[1], model=r[2], operation=r[3], job_id=r[4], document_id=r[5],
             tokens_in=r[6], tokens_out=r[7], duration=r[8], error=r[9], prompt=r[10],
             answer=r[11])
        for r in rows
    ]  # fmt: skip


def totals(tx: ReadTx) -> list[Total]:
    """The totals of all calls there ever were."""
    rows = tx.execute(
        """
        select operation, outcome, calls, tokens_in, tokens_out, duration from model_total
         order by operation, outcome
        """
    )
    return [Total(*row) for row in rows]


def prune(tx: Tx, before: int) -> int:
    """Delete up to a thousand calls made before a time; returns how many went."""
    rows = tx.execute(
        """
        delete from model_call where id in
            (select id from model_call where at < $1 order by at limit $2) returning 1
        """,
        (before, _SLICE),
    )
    return len(rows)
