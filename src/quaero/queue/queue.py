"""A named queue of a database, for use with any other part of Quaero or with none.

    db = SqliteDatabase.open("app.db")
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
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from quaero.db.contract import Database, ReadTx, Tx, together
from quaero.errors import BadInput, NotFound, StaleLease
from quaero.queue import given, settle
from quaero.queue.backoff import backoff
from quaero.queue.claim import Claim, claim
from quaero.queue.message import Delivery, Held, Lane, NewMessage, State, Token
from quaero.queue.send import send, send_alike
from quaero.queue.stats import QueueStats, stats

PURGE_AT_ONCE = 1_000
DIED = "the process that ran it died"


def _at_home(tx: Tx, name: str) -> tuple[int, str]:
    return open_queue(tx, name), tx.home


def open_queue(tx: Tx, name: str) -> int:
    """The id of the queue with that name, made where there is none."""
    given.queue_name(name)
    tx.execute("insert into queue(name) values($1) on conflict do nothing", (name,))
    ((id_,),) = tx.execute("select id from queue where name = $1", (name,))
    return int(id_)


class Queue:
    """The verbs of one queue. Times are in seconds here, and microseconds below."""

    def __init__(
        self, id_: int, name: str, *, visibility_timeout: float = 300.0, max_receive: int = 3
    ) -> None:
        lease = given.micros(visibility_timeout, "visibility_timeout")
        if not lease:
            raise BadInput(f"visibility_timeout {visibility_timeout} must be more than 0 s")
        self.id = id_
        self.home: str | None = None  # of a queue that is named by its id alone
        self.name = name
        self.lease = lease
        self.max_receive = given.whole(max_receive, "max_receive", least=1)
        self._random = random.Random()

    @classmethod
    def open(
        cls,
        db: Database,
        name: str,
        *,
        visibility_timeout: float = 300.0,
        max_receive: int = 3,
    ) -> Queue:
        """Open the named queue of `db`, making it where there is none; blocks for one write.

        `visibility_timeout` is in seconds. Raises `BadInput` for a name or options that cannot be.
        """
        if not hasattr(db, "write_sync"):
            raise BadInput(f"{db!r} is no open database; give what SqliteDatabase.open returned")
        queue = cls(
            0,
            given.queue_name(name),
            visibility_timeout=visibility_timeout,
            max_receive=max_receive,
        )
        queue.id, queue.home = db.write_sync(_at_home, name)
        return queue

    def _admit(self, tx: ReadTx, verb: str) -> None:
        """Refuse a verb that was called by itself, or with another database."""
        given.transaction(tx, verb)
        if self.home is not None and tx.home != self.home:
            raise BadInput(
                f"the queue {self.name!r} is one of {self.home}, and this transaction is of "
                f"{tx.home}; open the queue there, with Queue.open"
            )

    # -- sending

    def _send_together(self, tx: Tx, calls: Sequence[tuple[Any, Any]]) -> list[int]:
        """Several sends that waited at the same time, as one."""
        self._admit(tx, "send")
        options = calls[0][1]
        if options.keys() & {"dedup", "payload"} or any(kw != options for _, kw in calls):
            return send(tx, self.id, [self.message(*args, **kwargs) for args, kwargs in calls])
        payloads = [encode(*args) for args, _ in calls]
        return list(send_alike(tx, self.id, self.message(**options), payloads))

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

        `payload` is anything JSON can hold, and is received as JSON text; `delay` is in seconds.
        Raises `BadInput` for what cannot be sent.
        """
        self._admit(tx, "send")
        new = self.message(
            payload, type=type, priority=priority, delay=delay, lane=lane, dedup=dedup
        )
        return send(tx, self.id, [new])[0]

    @staticmethod
    def message(
        payload: Any = None,
        *,
        type: str = "",  # noqa: A002
        priority: int = 0,
        delay: float = 0,
        lane: Lane | None = None,
        dedup: str | None = None,
    ) -> NewMessage:
        """A message for `send_many`, made of what `send` takes. Raises `BadInput`."""
        return NewMessage(
            given.text(type, "type") if type != "" else type,
            encode(payload),
            priority=given.whole(priority, "priority") if priority != 0 else 0,
            delay=given.micros(delay) if delay != 0 else 0,
            lane=lane if lane is None else given.lane(lane),
            dedup=dedup if dedup is None else given.text(dedup, "dedup"),
        )

    def send_many(self, tx: Tx, messages: Iterable[NewMessage]) -> list[int]:
        """Send messages, such as `message` makes, in order; returns their ids.

        Raises `BadInput`, and sends none, where one cannot be sent.
        """
        self._admit(tx, "send_many")
        return send(tx, self.id, [given.message(each) for each in messages])

    # -- receiving and settling

    def receive(self, tx: Tx, limit: int = 1, *, holder: int = 0) -> list[Delivery]:
        """Lease up to `limit` messages.

        Leases that have run out are given back first: after `max_receive` charged receives the
        message becomes a dead letter. Raises `BadInput` for a limit below 1.
        """
        self._admit(tx, "receive")
        given.whole(limit, "limit", least=1)
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
        self._admit(tx, "complete")
        settle.complete(tx, self._held(tx, deliveries))

    def release(
        self,
        tx: Tx,
        delivery: Delivery | Token,
        *,
        error: str | BaseException | None = None,
        delay: float | None = None,
        charge: bool = True,
    ) -> State:
        """Give a delivery back to be tried again, after `delay` seconds or the back-off's time.

        At `max_receive` charged receives it becomes a dead letter. Returns the message's new state.
        Raises `StaleLease`.
        """
        self._admit(tx, "release")
        wait = None if delay is None else given.micros(delay)
        said = None if error is None else given.error_text(error)
        (held,) = self._held(tx, [delivery])
        if charge and held.receives >= self.max_receive:
            settle.bury(tx, [(held, said or "given back")])
            return State.DEAD
        wait = backoff(held.receives, self._random) if wait is None else wait
        settle.release(tx, [settle.Release(held, wait, said, charge)])
        return State.DELAYED if wait else State.READY

    def dead_letter(self, tx: Tx, delivery: Delivery | Token, error: str | BaseException) -> None:
        """Give a delivery up. Raises `StaleLease`."""
        self._admit(tx, "dead_letter")
        (held,) = self._held(tx, [delivery])
        settle.bury(tx, [(held, given.error_text(error))])

    def extend(self, tx: Tx, *deliveries: Delivery | Token) -> None:
        """Renew leases for a full visibility timeout. Raises `StaleLease`."""
        self._admit(tx, "extend")
        tokens = [given.token(each) for each in deliveries]
        if lost := set(tokens) - settle.extend(tx, tokens, self.lease):
            raise _stale(min(lost))

    # -- everything else

    def dead(self, tx: ReadTx, limit: int = 100, after: int = 0) -> list[DeadLetter]:
        """Dead letters by id, from the one after `after` on, with their errors."""
        self._admit(tx, "dead")
        return dead_letters(tx, self.id, given.whole(limit, "limit", least=0), after)

    def requeue(self, tx: Tx, *ids: int) -> int:
        """Make dead letters ready again; returns how many. Raises `NotFound` when none is dead."""
        self._admit(tx, "requeue")
        for id_ in ids:
            given.whole(id_, "the id of a dead letter")
        done = settle.requeue(tx, _of_queue(tx, self.id, ids))
        if ids and not done:
            raise NotFound(f"no dead letter with id {', '.join(map(str, ids))}")
        return len(done)

    def purge(self, tx: Tx, limit: int = PURGE_AT_ONCE) -> int:
        """Remove up to `limit` messages that nobody holds, dead ones included; returns how many.

        Call it until it returns 0.
        """
        self._admit(tx, "purge")
        given.whole(limit, "limit", least=0)
        return len(settle.discard(tx, unheld(tx, self.id, limit, newest(tx))))

    def pause(self, tx: Tx) -> None:
        """Deliver nothing until `resume`, but what lies in the lane of commands.

        What is in flight goes on.
        """
        self._admit(tx, "pause")
        tx.execute("update queue set paused = 1 where id = $1", (self.id,))
        tx.signal(f"queue:{self.id}")

    def resume(self, tx: Tx) -> None:
        """Deliver again."""
        self._admit(tx, "resume")
        tx.execute("update queue set paused = 0 where id = $1", (self.id,))
        tx.signal(f"queue:{self.id}")

    def stats(self, tx: ReadTx) -> QueueStats:
        """The queue's counts."""
        self._admit(tx, "stats")
        return stats(tx, self.id)

    def _held(self, tx: Tx, deliveries: Sequence[Delivery | Token]) -> list[Held]:
        tokens = list(dict.fromkeys(given.token(each) for each in deliveries))
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


def newest(tx: ReadTx) -> int:
    """The id of the message that was sent last, to whatever queue."""
    ((last,),) = tx.execute("select last from sequence where name = 'message'")
    return int(last)


def unheld(tx: ReadTx, queue_id: int, limit: int, up_to: int) -> list[int]:
    """The ids of up to `limit` messages of the queue, none after `up_to`, that are not leased."""
    ids: list[int] = []
    for state in State:
        if state is not State.LEASED and len(ids) < limit:
            ids += [
                row[0]
                for row in tx.execute(
                    f"""
                    select id from message
                     where queue_id = $1 and state = {state:d} and id <= $3 limit $2
                    """,
                    (queue_id, limit - len(ids), up_to),
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
    """A payload as JSON text. Raises `BadInput` for what JSON cannot hold.

    Dates, UUIDs and bytes (as base64) become text, sets become lists, NaN and infinity null.
    """
    try:
        return msgspec.json.encode(payload).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadInput(f"the payload cannot be written as JSON: {error}") from error


def decode(text: str | None) -> Any:
    """The payload of a delivery."""
    return None if text is None else msgspec.json.decode(text)


def _stale(token: Token) -> StaleLease:
    return StaleLease(
        f"the lease {token.lease_no} of message {token.id} was lost; nothing was changed"
    )


__all__ = ["DeadLetter", "Queue", "decode", "encode", "open_queue"]
