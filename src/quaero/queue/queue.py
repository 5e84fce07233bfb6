"""A named queue of a database, for use with any other part of Quaero or with none.

    db = SqliteDatabase.open(Path("app.db"))
    mail = Queue.open(db, "mail")
    db.write_sync(mail.send, {"to": "ann@example.org"})
    for delivery in db.write_sync(mail.receive):
        print(delivery.payload)
        db.write_sync(mail.complete, delivery)

Every verb is a function of the database: run it with `db.write`, `db.write_sync`, or inside a
function of yours, in one transaction with your own statements.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from quaero.clock import SECOND
from quaero.db.contract import Database, ReadTx, Tx, together
from quaero.errors import BadInput, NotFound, StaleLease
from quaero.queue import settle
from quaero.queue.backoff import backoff
from quaero.queue.claim import Claim, claim
from quaero.queue.message import Delivery, Held, Lane, NewMessage, State, Token
from quaero.queue.send import send, send_alike
from quaero.queue.stats import QueueStats, stats

PURGE_AT_ONCE = 1_000
DIED = "the process that ran it died"
_DEEPEST_QUEUE_NAME = 200


def open_queue(tx: Tx, name: str) -> int:
    """The id of the queue with that name, made where there is none."""
    if not name or len(name) > _DEEPEST_QUEUE_NAME or not name.isprintable():
        raise BadInput(f"{name!r} is no queue name; use 1 to 200 printable characters")
    tx.execute("insert into queue(name) values($1) on conflict do nothing", (name,))
    ((id_,),) = tx.execute("select id from queue where name = $1", (name,))
    return int(id_)


class Queue:
    """The verbs of one queue. Times are in seconds here, and microseconds below."""

    def __init__(
        self, id_: int, name: str, *, visibility_timeout: float = 300.0, max_receive: int = 3
    ) -> None:
        if visibility_timeout <= 0:
            raise BadInput(f"visibility timeout {visibility_timeout} must be more than 0 s")
        if max_receive < 1:
            raise BadInput(f"max_receive {max_receive} must be at least 1")
        self.id = id_
        self.name = name
        self.lease = int(visibility_timeout * SECOND)
        self.max_receive = max_receive
        self._random = random.Random()

    @classmethod
    def open(cls, db: Database, name: str, **options: Any) -> Queue:
        """Open the named queue of `db`, making it where there is none; blocks for one write."""
        return cls(db.write_sync(open_queue, name), name, **options)

    # -- sending

    def _send_together(self, tx: Tx, calls: Sequence[tuple[Any, Any]]) -> list[int]:
        """Several sends that waited at the same time, as one."""
        options = calls[0][1]
        if options.keys() & {"dedup", "payload"} or any(kw != options for _, kw in calls):
            return send(tx, self.id, [self._new(*args, **kwargs) for args, kwargs in calls])
        payloads = [encode(*args) for args, _ in calls]
        return list(send_alike(tx, self.id, self._new(**options), payloads))

    @together(_send_together)
    def send(
        self,
        tx: Tx,
        payload: Any = None,
        *,
        type: str = "",  # noqa: A002 - the word of the message's field
        priority: int = 0,
        delay: float = 0,
        lane: Lane | None = None,
        dedup: str | None = None,
    ) -> int:
        """Send one message; returns its id, or that of the message which has its `dedup` key.

        `payload` is anything JSON can hold. Raises `BadInput` where it is not.
        """
        new = self._new(payload, type=type, priority=priority, delay=delay, lane=lane, dedup=dedup)
        return send(tx, self.id, [new])[0]

    @staticmethod
    def _new(
        payload: Any = None,
        *,
        type: str = "",  # noqa: A002
        priority: int = 0,
        delay: float = 0,
        lane: Lane | None = None,
        dedup: str | None = None,
    ) -> NewMessage:
        return NewMessage(
            type,
            encode(payload),
            priority=priority,
            delay=_micros(delay) if delay else 0,
            lane=lane,
            dedup=dedup,
        )

    def send_many(self, tx: Tx, messages: Sequence[NewMessage]) -> list[int]:
        """Send messages in order; returns their ids."""
        return send(tx, self.id, messages)

    # -- receiving and settling

    def receive(self, tx: Tx, limit: int = 1, *, holder: int = 0) -> list[Delivery]:
        """Lease up to `limit` messages.

        Leases that have run out are given back first: after `max_receive` charged receives the
        message becomes a dead letter.
        """
        self.sweep(tx)
        return claim(tx, self.id, Claim(limit, self.lease, holder))

    def sweep(self, tx: Tx) -> None:
        """Give back deliveries whose lease has run out."""
        late = settle.expired(tx, self.id)
        if not late:
            return
        spent = [each for each in late if each.receives >= self.max_receive]
        settle.bury(tx, [(each, "lease ran out") for each in spent])
        settle.release(
            tx,
            [
                settle.Release(each, error="lease ran out")
                for each in late
                if each.receives < self.max_receive
            ],
        )

    def take_back(self, tx: Tx, deliveries: Sequence[Held]) -> None:
        """Take back what a dead process had started; each is charged with that receive."""
        spent = [each for each in deliveries if each.receives >= self.max_receive]
        settle.bury(tx, [(each, DIED) for each in spent])
        left = [each for each in deliveries if each.receives < self.max_receive]
        settle.release(tx, [settle.Release(each, error=DIED) for each in left])

    def complete(self, tx: Tx, *deliveries: Delivery | Token) -> None:
        """The work is done; the messages are deleted.

        Raises `StaleLease`, and deletes none, where one of the leases was lost.
        """
        settle.complete(tx, self._held(tx, deliveries))

    def release(
        self,
        tx: Tx,
        delivery: Delivery | Token,
        *,
        error: str | None = None,
        delay: float | None = None,
        charge: bool = True,
    ) -> State:
        """Give a delivery back to be tried again, after `delay` seconds or the back-off's time.

        At `max_receive` charged receives it becomes a dead letter. Returns the message's new state.
        Raises `StaleLease`.
        """
        (held,) = self._held(tx, [delivery])
        if charge and held.receives >= self.max_receive:
            settle.bury(tx, [(held, error or "given back")])
            return State.DEAD
        wait = backoff(held.receives, self._random) if delay is None else _micros(delay)
        settle.release(tx, [settle.Release(held, wait, error, charge)])
        return State.DELAYED if wait else State.READY

    def dead_letter(self, tx: Tx, delivery: Delivery | Token, error: str) -> None:
        """Give a delivery up. Raises `StaleLease`."""
        (held,) = self._held(tx, [delivery])
        settle.bury(tx, [(held, error)])

    def extend(self, tx: Tx, *deliveries: Delivery | Token) -> None:
        """Renew leases for a full visibility timeout. Raises `StaleLease`."""
        tokens = [_token(each) for each in deliveries]
        if lost := set(tokens) - settle.extend(tx, tokens, self.lease):
            raise _stale(min(lost))

    # -- everything else

    def dead(self, tx: ReadTx, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        """Dead letters by id, from the one after `after` on, with their errors."""
        return dead_letters(tx, self.id, limit, after)

    def requeue(self, tx: Tx, *ids: int) -> int:
        """Make dead letters ready again; returns how many. Raises `NotFound` when none is dead."""
        done = settle.requeue(tx, _of_queue(tx, self.id, ids))
        if ids and not done:
            raise NotFound(f"no dead letter with id {', '.join(map(str, ids))}")
        return len(done)

    def purge(self, tx: Tx, limit: int = PURGE_AT_ONCE) -> int:
        """Remove up to `limit` messages that nobody holds, dead ones included; returns how many.

        Call it until it returns 0.
        """
        return len(settle.discard(tx, unheld(tx, self.id, limit)))

    def pause(self, tx: Tx) -> None:
        """Deliver nothing until `resume`, but what lies in the lane of commands.

        What is in flight goes on.
        """
        tx.execute("update queue set paused = 1 where id = $1", (self.id,))
        tx.signal(f"queue:{self.id}")

    def resume(self, tx: Tx) -> None:
        """Deliver again."""
        tx.execute("update queue set paused = 0 where id = $1", (self.id,))
        tx.signal(f"queue:{self.id}")

    def stats(self, tx: ReadTx) -> QueueStats:
        """The queue's counts."""
        return stats(tx, self.id)

    def _held(self, tx: Tx, deliveries: Sequence[Delivery | Token]) -> list[Held]:
        tokens = list(dict.fromkeys(_token(each) for each in deliveries))
        good = settle.held(tx, tokens)
        for token in tokens:
            if not settle.stands(good, token):
                raise _stale(token)
        return [good[token.id] for token in tokens]


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that was given up; times are wall times in microseconds."""

    id: int
    type: str
    payload: str | None
    job_id: int
    receives: int
    created_at: int
    errors: list[tuple[int, int, str]]


def dead_letters(tx: ReadTx, queue_id: int, limit: int, after: int) -> list[DeadLetter]:
    """Dead letters of a queue by id, from the one after `after` on."""
    rows = tx.execute(
        """
        select id, type, payload, job_id, receives, created_at from message
         where queue_id = $1 and state = 3 and id > $2 order by id limit $3
        """,
        (queue_id, after, limit),
    )
    return [
        DeadLetter(id_, type_, payload, job_id, receives, created, _trail(tx, id_))
        for id_, type_, payload, job_id, receives, created in rows
    ]


def _trail(tx: ReadTx, message_id: int) -> list[tuple[int, int, str]]:
    return [(lease_no, at, error) for lease_no, at, error in settle.trail(tx, message_id)]


def unheld(tx: ReadTx, queue_id: int, limit: int) -> list[int]:
    """The ids of up to `limit` messages of the queue that are not leased."""
    ids: list[int] = []
    for state in State:
        if state is not State.LEASED and len(ids) < limit:
            ids += [
                row[0]
                for row in tx.execute(
                    f"select id from message where queue_id = $1 and state = {state:d} limit $2",
                    (queue_id, limit - len(ids)),
                )
            ]
    return ids


def _of_queue(tx: ReadTx, queue_id: int, ids: Sequence[int]) -> list[int]:
    rows = tx.execute(
        "select id from message where id in ints($1) and queue_id = $2",
        (msgspec.json.encode(ids).decode(), queue_id),
    )
    return [row[0] for row in rows]


def encode(payload: Any = None) -> str:
    """A payload as JSON text. Raises `BadInput` for what JSON cannot hold."""
    try:
        return msgspec.json.encode(payload).decode()
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise BadInput(f"the payload cannot be written as JSON: {error}") from error


def decode(text: str | None) -> Any:
    """The payload of a delivery."""
    return None if text is None else msgspec.json.decode(text)


def _token(delivery: Delivery | Token) -> Token:
    return delivery if isinstance(delivery, Token) else delivery.token


def _stale(token: Token) -> StaleLease:
    return StaleLease(
        f"the lease {token.lease_no} of message {token.id} was lost; nothing was changed"
    )


def _micros(seconds: float) -> int:
    if not 0 <= seconds < 1e9:
        raise BadInput(f"delay {seconds} must be 0 or more seconds, and less than 30 years")
    return int(seconds * SECOND)


__all__ = ["DeadLetter", "Queue", "decode", "encode", "open_queue"]
