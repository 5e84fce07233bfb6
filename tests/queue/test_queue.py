"""Every promise of SPEC section 3, by example, through `Queue` and `write`."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from quaero.clock import SECOND
from quaero.db import SqliteDatabase
from quaero.errors import BadInput, NotFound, StaleLease
from quaero.queue import Delivery, Lane, NewMessage, Queue, State, Token, check, lanes, settle
from quaero.queue.backoff import backoff
from quaero.queue.claim import Claim, claim, next_due, park, suspects
from quaero.queue.message import COMMANDS
from quaero.queue.queue import decode, open_queue
from quaero.queue.stats import lane_stats

from ..opening import Opened  # noqa: TID252

HOUR = 3600


class Mail:
    """A queue whose verbs run in a transaction each; checked after every one."""

    def __init__(self, opened: Opened, name: str = "mail", **options: Any) -> None:
        self.opened = opened
        self.queue = Queue.open(opened.db, name, **options)

    def __getattr__(self, verb: str) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            result = self.opened.write(getattr(self.queue, verb), *args, **kwargs)
            assert self.opened.read(check.faults) == []
            return result

        return run

    def ids(self, limit: int = 10) -> list[int]:
        return [each.id for each in self.receive(limit)]

    def one(self) -> Delivery:
        (delivery,) = self.receive()
        return delivery

    def claim(self, limit: int = 10, **options: Any) -> list[Delivery]:
        want = Claim(limit, self.queue.lease, **options)
        return self.opened.write(claim, self.queue.id, want)

    def give_back(self, delivery: Delivery, **how: Any) -> None:
        def fn(tx: Any) -> None:
            held = settle.held(tx, [delivery.token])[delivery.id]
            settle.release(tx, [settle.Release(held, **how)])

        self.opened.write(fn)
        assert self.opened.read(check.faults) == []

    def counts(self) -> dict[str, int]:
        stats = self.stats()
        names = ("ready", "delayed", "in_flight", "dead", "scheduled", "parked", "suspect")
        return {name: n for name in names if (n := getattr(stats, name))}


@pytest.fixture
def mail(opened: Opened) -> Mail:
    return Mail(opened)


# -- sending


async def _all(writes: list[Any]) -> list[Any]:
    return await asyncio.gather(*writes, return_exceptions=True)


@pytest.mark.parametrize("name", ["mail", "post"])
def test_a_queue_of_another_database_is_refused(opened: Opened, tmp_path: Path, name: str) -> None:
    mail = Queue.open(opened.db, "mail")
    with SqliteDatabase.open(tmp_path / "other.db") as other:
        Queue.open(other, name)
        for verb in (mail.send, mail.receive, mail.stats):
            with pytest.raises(BadInput, match=r"'mail' is one of .*; open the queue there"):
                other.write_sync(verb)
        writes = [other.write(mail.send, 1), other.write(mail.send, 2)]
        said = asyncio.run(_all(writes))
        assert [type(each) for each in said] == [BadInput, BadInput]
        assert other.write_sync(Queue.open(other, name).receive) == []


def test_what_was_sent_is_received_once_with_its_payload(mail: Mail) -> None:
    payload = {"to": "ann@example.org", "n": [1, 2.5, None, True, "ü\U0001f600"]}
    id_ = mail.send(payload, type="letter", priority=3)
    got = mail.one()
    assert (got.id, got.type, got.priority, got.receives, got.job_id) == (id_, "letter", 3, 1, 0)
    assert decode(got.payload) == payload
    assert mail.receive() == []


def test_many_are_sent_in_order_and_received_in_batches(mail: Mail) -> None:
    ids = mail.send_many([NewMessage("m", str(n)) for n in range(2_500)])
    assert ids == sorted(ids)
    received: list[int] = []
    for limit in (1, 999, 1_000, 1_000):
        received += mail.ids(limit)
    assert received == ids


def test_nothing_to_send_sends_nothing(mail: Mail) -> None:
    assert mail.send_many([]) == []
    assert mail.counts() == {}


def test_sending_belongs_to_the_callers_transaction(mail: Mail) -> None:
    def fn(tx: Any) -> None:
        mail.queue.send(tx, "never")
        raise KeyError("undo")

    with pytest.raises(KeyError):
        mail.opened.write(fn)
    assert mail.counts() == {}
    assert mail.receive() == []


async def test_many_senders_at_once_each_get_their_own_outcome(opened: Opened) -> None:
    def open_mail(tx: Any) -> Queue:
        return Queue(open_queue(tx, "mail"), "mail")

    mail = await opened.db.write(open_mail)
    payloads = [object() if n == 7 else n for n in range(20)]
    sends = (opened.db.write(mail.send, payload, dedup="k") for payload in payloads)
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    assert isinstance(outcomes.pop(7), BadInput)
    assert set(outcomes) == {outcomes[0]}
    assert (await opened.db.read(mail.stats)).ready == 1


async def test_senders_at_once_may_differ_in_any_way(opened: Opened) -> None:
    mail = await asyncio.to_thread(Queue.open, opened.db, "mail")
    lane = Lane("host", max_running=9)
    given: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((1,), {}), ((), {"payload": 2}), ((), {}), ((3,), {"priority": 1}),
        ((4,), {"lane": lane}), ((5,), {"type": "t"}), ((6,), {}),
    ]  # fmt: skip
    for calls in (given, [((n,), {"lane": lane, "priority": 2}) for n in range(5)]):
        sends = (opened.db.write(mail.send, *args, **kwargs) for args, kwargs in calls)
        ids = await asyncio.gather(*sends)
        got = {each.id: each for each in await opened.db.write(mail.receive, 20)}
        for id_, (args, kwargs) in zip(ids, calls, strict=True):
            assert decode(got[id_].payload) == (args[0] if args else kwargs.get("payload"))
            assert got[id_].priority == kwargs.get("priority", 0)
            assert got[id_].type == kwargs.get("type", "")
            assert bool(got[id_].lane_id) is ("lane" in kwargs)
        assert (await opened.db.read(mail.stats)).ready == 0
        await opened.db.write(mail.complete, *got.values())


def test_queues_of_one_database_share_nothing(opened: Opened) -> None:
    one, other = Mail(opened, "one"), Mail(opened, "other")
    one.send(1, dedup="k", lane=Lane("host"))
    two = other.send(2, dedup="k", lane=Lane("host"))
    assert len(one.receive(10)) == 1
    assert other.ids() == [two]
    assert Mail(opened, "one").queue.id == one.queue.id


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_bad_queue_name_is_refused(opened: Opened, name: str) -> None:
    with pytest.raises(BadInput, match="queue name"):
        Queue.open(opened.db, name)


@pytest.mark.parametrize(
    "bad",
    [
        {"payload": object()},
        {"payload": {1: object()}},
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"lane": Lane("host", 0)},
        {"lane": Lane("host", -1)},
        {"lane": Lane("host", 1, -5)},
        {"lane": Lane("host", 1, 0.3)},  # seconds, by mistake
        {"lane": Lane("host", 1.5)},
        {"priority": 2**63},
        {"priority": 0.5},
    ],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_written(mail: Mail, bad: Any) -> None:
    with pytest.raises(BadInput):
        mail.send(**{"payload": 1, **bad})
    assert mail.counts() == {}


@pytest.mark.parametrize("limit", [0, -1])
def test_less_than_one_message_cannot_be_received(mail: Mail, limit: int) -> None:
    mail.send(1)
    with pytest.raises(BadInput, match=f"limit {limit} must be at least 1"):
        mail.receive(limit)


@pytest.mark.parametrize("options", [{"visibility_timeout": 0}, {"max_receive": 0}])
def test_a_queue_that_could_not_work_is_refused(opened: Opened, options: Any) -> None:
    with pytest.raises(BadInput):
        Mail(opened, **options)


# -- order and time


def test_higher_priority_numbers_go_first_and_ties_in_order_of_sending(mail: Mail) -> None:
    low, mid, high, mid2, negative = (mail.send(0, priority=p) for p in (1, 5, 9, 5, -3))
    assert mail.ids() == [high, mid, mid2, low, negative]


def test_a_delayed_message_comes_when_its_time_has_passed(mail: Mail) -> None:
    id_ = mail.send(0, delay=10)
    mail.opened.clock.pass_time(9.9)
    assert mail.ids() == []
    assert mail.counts() == {"delayed": 1}
    mail.opened.clock.pass_time(0.2)
    assert mail.ids() == [id_]


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_step_of_the_wall_clock_neither_hides_nor_gives_away_work(mail: Mail, step: int) -> None:
    mail.send("held")
    held = mail.one()
    delayed = mail.send("delayed", delay=10)
    mail.opened.clock.step_wall(step)
    assert mail.ids() == []
    mail.extend(held)
    mail.opened.clock.pass_time(11)
    assert mail.ids() == [delayed]
    mail.opened.clock.pass_time(299)
    assert mail.ids() == [held.id]


def test_a_schedule_follows_the_wall_clock(mail: Mail) -> None:
    at = mail.opened.wall + HOUR * SECOND
    first, second = mail.send_many([NewMessage("m", at=at), NewMessage("m", at=at + 1)])
    assert mail.counts() == {"scheduled": 2}
    mail.opened.clock.pass_time(HOUR / 2)
    assert mail.ids() == []
    mail.opened.clock.step_wall(HOUR / 2)
    held = mail.one()
    assert held.id == first
    mail.complete(held)
    mail.opened.clock.step_wall(-HOUR)
    mail.opened.clock.pass_time(2)
    assert mail.ids() == []
    mail.opened.clock.pass_time(HOUR)
    assert mail.ids() == [second]


def test_a_schedule_in_the_past_is_ready_at_once(mail: Mail) -> None:
    ids = mail.send_many([NewMessage("m", at=mail.opened.wall - 1)])
    assert mail.ids() == ids


def test_when_to_look_again_is_known(mail: Mail) -> None:
    def due() -> int | None:
        return mail.opened.read(next_due, mail.queue.id)

    assert due() is None
    mail.send_many([NewMessage("m", at=mail.opened.wall + 40 * SECOND)])
    assert due() == mail.opened.lease_now + 40 * SECOND
    mail.opened.clock.step_wall(-10)
    assert due() == mail.opened.lease_now + 50 * SECOND
    mail.send(0, delay=30)
    assert due() == mail.opened.lease_now + 30 * SECOND
    mail.send(0, lane=Lane("slow", 5, 20 * SECOND))
    mail.send(0, lane=Lane("slow", 5, 20 * SECOND))
    mail.receive()
    assert due() == mail.opened.lease_now + 20 * SECOND


# -- deduplication


def test_a_deduplication_key_holds_while_its_message_is_not_settled(mail: Mail) -> None:
    first = mail.send(1, dedup="k")
    assert mail.send(2, dedup="k") == first
    held = mail.one()
    assert mail.send(3, dedup="k") == first
    mail.release(held, delay=0)
    assert mail.send(4, dedup="k") == first
    mail.complete(mail.one())
    assert mail.send(5, dedup="k") != first
    assert mail.counts() == {"ready": 1}


def test_a_dead_letter_frees_its_deduplication_key(mail: Mail) -> None:
    first = mail.send(1, dedup="k")
    mail.dead_letter(mail.one(), "bad")
    second = mail.send(2, dedup="k")
    assert second != first
    mail.requeue(first)
    assert mail.ids() == [first, second]


def test_a_batch_may_repeat_a_key(mail: Mail) -> None:
    taken = mail.send(0, dedup="a")
    ids = mail.send_many(
        [NewMessage("m", dedup=key) for key in ("a", "b", None, "b")],
    )
    assert ids[0] == taken
    assert ids[1] == ids[3]
    assert len({*ids}) == 3
    assert mail.counts() == {"ready": 3}


def test_purging_frees_deduplication_keys(mail: Mail) -> None:
    first = mail.send(1, dedup="k", delay=10)
    assert mail.purge() == 1
    assert mail.send(2, dedup="k") != first


# -- leases and tokens


def test_a_received_message_is_hidden_until_its_lease_runs_out(mail: Mail) -> None:
    mail.send(0)
    first = mail.one()
    mail.opened.clock.pass_time(299)
    assert mail.receive() == []
    mail.opened.clock.pass_time(1)
    again = mail.one()
    assert (again.id, again.lease_no, again.receives) == (first.id, 2, 2)


def test_extending_renews_for_a_full_visibility_timeout(mail: Mail) -> None:
    mail.send(0)
    held = mail.one()
    for _ in range(5):
        mail.opened.clock.pass_time(299)
        mail.extend(held)
    assert mail.receive() == []
    mail.complete(held)
    assert mail.counts() == {}


@pytest.mark.parametrize("how", ["expired", "completed", "released", "buried", "purged"])
@pytest.mark.parametrize(
    ("verb", "args"), [("complete", ()), ("extend", ()), ("release", ()), ("dead_letter", ("x",))]
)
def test_a_stale_token_changes_nothing_and_says_so(
    mail: Mail, how: str, verb: str, args: tuple[str, ...]
) -> None:
    mail.send(0)
    stale = mail.one()
    match how:
        case "expired":
            mail.opened.clock.pass_time(300)
            mail.one()
        case "completed":
            mail.complete(stale)
        case "released":
            mail.release(stale, delay=0)
        case "buried":
            mail.dead_letter(stale, "bad")
        case "purged":
            mail.opened.write(settle.discard, [stale.id])
    before = mail.opened.sql("select * from message") + mail.opened.sql("select * from lane")
    for token in (stale, stale.token):
        with pytest.raises(StaleLease, match=f"lease 1 of message {stale.id} was lost"):
            getattr(mail, verb)(token, *args)
    after = mail.opened.sql("select * from message") + mail.opened.sql("select * from lane")
    assert before == after


def test_one_stale_token_among_good_ones_undoes_all(mail: Mail) -> None:
    mail.send_many([NewMessage("m")] * 3)
    good = mail.receive(3)
    with pytest.raises(StaleLease):
        mail.complete(*good[:2], Token(good[2].id, 7))
    assert mail.counts() == {"in_flight": 3}
    with pytest.raises(StaleLease):
        mail.extend(*good, Token(999, 1))


def test_an_old_and_the_present_token_together_are_stale(mail: Mail) -> None:
    mail.send(0)
    old = mail.one()
    mail.release(old, delay=0)
    new = mail.one()
    with pytest.raises(StaleLease):
        mail.complete(old, new)
    assert mail.counts() == {"in_flight": 1}


def test_the_same_token_given_twice_settles_once(mail: Mail) -> None:
    mail.send(0, lane=Lane("host"))
    held = mail.one()
    mail.complete(held, held.token)
    assert mail.counts() == {}


def test_lease_numbers_never_repeat_even_for_uncharged_deliveries(mail: Mail) -> None:
    mail.send(0)
    seen = []
    for _ in range(5):
        held = mail.one()
        assert held.receives == 1
        seen.append(held.lease_no)
        mail.release(held, delay=0, charge=False)
    assert seen == [1, 2, 3, 4, 5]


def test_a_restart_of_the_machine_frees_leases_at_once(mail: Mail) -> None:
    mail.send(0)
    mail.one()
    mail.opened.restart()
    assert mail.receive() == []
    mail.opened.reboot()
    assert mail.one().receives == 2


def test_delays_and_messages_survive_a_restart(mail: Mail) -> None:
    ready, delayed = mail.send("ready"), mail.send("delayed", delay=100)
    mail.opened.reboot()
    assert mail.ids() == [ready]
    mail.opened.clock.pass_time(101)
    assert mail.ids() == [delayed]


# -- retries and dead letters


def test_a_failure_waits_longer_each_time_and_ends_as_a_dead_letter(mail: Mail) -> None:
    id_ = mail.send({"n": 1}, type="letter")
    for attempt, wait in ((1, 1), (2, 2)):
        held = mail.one()
        assert held.receives == attempt
        assert mail.release(held, error=f"no {attempt}") is State.DELAYED
        mail.opened.clock.pass_time(wait * 0.74)
        assert mail.receive() == []
        mail.opened.clock.pass_time(wait * 0.52)
    assert mail.release(mail.one(), error="no 3") is State.DEAD
    (letter,) = mail.dead()
    assert letter.payload == '{"n":1}'
    assert (letter.id, letter.type, letter.receives) == (id_, "letter", 3)
    assert [(lease_no, error) for lease_no, _, error in letter.errors] == [
        (1, "no 1"), (2, "no 2"), (3, "no 3"),
    ]  # fmt: skip
    times = [at for _, at, _ in letter.errors]
    assert times == sorted(times)
    assert mail.receive() == []


def test_backoff_doubles_is_capped_and_spreads() -> None:
    waits = [backoff(n, Random(3), jitter=0) / SECOND for n in range(1, 14)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == 600
    spread = {backoff(5, Random(seed)) / SECOND for seed in range(50)}
    assert len(spread) == 50
    assert 12 <= min(spread) < 14 < 18 < max(spread) <= 20


def test_leases_that_run_out_are_charged_and_end_as_a_dead_letter(opened: Opened) -> None:
    mail = Mail(opened, max_receive=2, visibility_timeout=10)
    id_ = mail.send(0)
    for _ in range(2):
        assert mail.ids() == [id_]
        opened.clock.pass_time(10)
    assert mail.ids() == []
    (letter,) = mail.dead()
    assert [error for _, _, error in letter.errors] == ["lease ran out"] * 2


def test_what_is_given_back_uncharged_never_dies(opened: Opened) -> None:
    mail = Mail(opened, max_receive=1)
    mail.send(0)
    for _ in range(4):
        assert mail.release(mail.one(), delay=0, charge=False) is State.READY
    assert mail.release(mail.one(), delay=0) is State.DEAD


def test_a_permanent_failure_is_a_dead_letter_at_once(mail: Mail) -> None:
    mail.send(0)
    mail.dead_letter(mail.one(), "404")
    assert mail.counts() == {"dead": 1}


def test_a_requeued_dead_letter_starts_anew_and_keeps_its_trail(opened: Opened) -> None:
    mail = Mail(opened, max_receive=1)
    id_ = mail.send(0)
    mail.release(mail.one(), error="first")
    assert mail.requeue(id_) == 1
    again = mail.one()
    assert (again.receives, again.lease_no) == (1, 2)
    mail.release(again, error="second")
    (letter,) = mail.dead()
    assert [error for _, _, error in letter.errors] == ["first", "second"]


def test_completing_a_requeued_message_removes_its_trail(mail: Mail) -> None:
    id_ = mail.send(0)
    mail.dead_letter(mail.one(), "bad")
    mail.requeue(id_)
    mail.complete(mail.one())
    assert mail.opened.sql("select * from delivery_error") == []


def test_only_dead_letters_of_the_queue_are_requeued(opened: Opened) -> None:
    mail, other = Mail(opened), Mail(opened, "other")
    id_ = mail.send(0)
    mail.dead_letter(mail.one(), "bad")
    ready = mail.send(0)
    with pytest.raises(NotFound, match=str(id_)):
        other.requeue(id_)
    with pytest.raises(NotFound):
        mail.requeue(ready)
    with pytest.raises(NotFound):
        mail.requeue(12_345)
    assert mail.requeue(id_, ready) == 1
    assert mail.requeue() == 0


def test_dead_letters_are_read_in_pages(mail: Mail) -> None:
    ids = mail.send_many([NewMessage("m")] * 5)
    for delivery in mail.receive(5):
        mail.dead_letter(delivery, "bad")
    first = mail.dead(2)
    assert [letter.id for letter in first] == ids[:2]
    assert [letter.id for letter in mail.dead(10, first[-1].id)] == ids[2:]


# -- pause, purge, parking, isolation


def test_a_paused_queue_delivers_nothing_and_settles_what_is_in_flight(mail: Mail) -> None:
    mail.send_many([NewMessage("m")] * 2)
    held = mail.one()
    mail.pause()
    assert mail.stats().paused
    assert mail.receive(10) == []
    mail.extend(held)
    mail.complete(held)
    mail.send(0)
    assert mail.counts() == {"ready": 2}
    mail.resume()
    assert len(mail.receive(10)) == 2


def test_purge_removes_all_but_what_is_in_flight(mail: Mail) -> None:
    mail.send(0, lane=Lane("host"))
    held = mail.one()
    mail.send_many(
        [
            NewMessage("m", lane=Lane("host")),
            NewMessage("m", delay=1),
            NewMessage("m", at=mail.opened.wall + SECOND),
            NewMessage("m"),
        ]
    )
    mail.dead_letter(mail.one(), "bad")
    assert mail.purge(3) == 3
    assert mail.purge() == 1
    assert mail.purge() == 0
    assert mail.counts() == {"in_flight": 1}
    mail.complete(held)
    assert mail.opened.sql("select * from delivery_error") == []


def test_a_message_of_an_unknown_type_is_parked_until_a_worker_knows_it(mail: Mail) -> None:
    strange = mail.send(0, type="strange", lane=Lane("host"))
    (held,) = mail.claim(types=("known",))
    mail.opened.write(park, mail.queue.id, [held.id])
    assert mail.counts() == {"parked": 1}
    assert mail.claim(types=("known",)) == []
    assert mail.claim() == []
    (again,) = mail.claim(types=("known", "strange"))
    assert (again.id, again.receives, again.lease_no) == (strange, 1, 2)
    mail.complete(again)


def test_suspects_are_only_claimed_alone(mail: Mail) -> None:
    suspect, other = mail.send("bad"), mail.send("good")
    mail.give_back(mail.claim(1)[0], charge=False, alone=True)
    assert mail.counts() == {"ready": 1, "suspect": 1}
    assert [each.id for each in mail.claim()] == [other]
    (held,) = mail.claim(alone=True)
    assert (held.id, held.receives) == (suspect, 1)
    assert mail.claim(alone=True) == []
    mail.complete(held)


def test_suspects_obey_priorities_and_their_lanes(mail: Mail) -> None:
    lane = Lane("host", 2)
    low, high, _ = (mail.send(0, priority=p, lane=lane) for p in (0, 1, 0))
    for delivery in [*mail.claim(), *mail.claim()]:
        mail.give_back(delivery, charge=False, alone=True)
    for delivery in mail.claim():
        mail.give_back(delivery, charge=False, alone=True)
    assert mail.counts() == {"suspect": 3}
    assert [each.id for each in mail.claim(5, alone=True)] == [high, low]
    assert mail.claim(5, alone=True) == []


def test_suspects_keep_their_lanes_interval(mail: Mail) -> None:
    lane = Lane("host", 5, 10 * SECOND)
    mail.send(0, lane=lane)
    mail.send(0, lane=lane)
    mail.give_back(mail.one(), charge=False, alone=True)
    assert mail.claim(alone=True) == []
    mail.opened.clock.pass_time(10)
    (suspect,) = mail.claim(5, alone=True)
    assert suspect.paced
    assert mail.claim() == []
    mail.opened.clock.pass_time(10)
    assert len(mail.claim()) == 1


# -- lanes


def test_a_lane_starts_no_more_than_its_limit(mail: Mail) -> None:
    for _ in range(5):
        mail.send(0, lane=Lane("host", 2))
    held = mail.receive(10)
    assert len(held) == 2
    assert mail.receive(10) == []
    mail.complete(held[0])
    assert len(mail.receive(10)) == 1
    mail.release(held[1], delay=0)
    assert len(mail.receive(10)) == 1
    mail.opened.clock.pass_time(300)
    assert len(mail.receive(10)) == 2


def test_a_lane_keeps_its_interval_between_starts(mail: Mail) -> None:
    ids = [mail.send(0, lane=Lane("host", 5, 10 * SECOND)) for _ in range(3)]
    first = mail.one()
    assert (first.id, first.paced) == (ids[0], True)
    mail.complete(first)
    mail.opened.clock.pass_time(9)
    assert mail.receive() == []
    mail.opened.clock.step_wall(HOUR)
    assert mail.receive() == []
    mail.opened.clock.pass_time(1)
    assert mail.ids() == [ids[1]]


def test_intervals_count_from_the_real_start(mail: Mail) -> None:
    for _ in range(2):
        mail.send(0, lane=Lane("host", 5, 10 * SECOND))
    held = mail.one()
    mail.opened.clock.pass_time(6)
    mail.opened.write(lanes.started, [(held.lane_id, mail.opened.lease_now)])
    mail.opened.clock.pass_time(9)
    assert mail.receive() == []
    mail.opened.clock.pass_time(1)
    assert len(mail.receive()) == 1


def test_a_held_lane_never_blocks_another(mail: Mail) -> None:
    blocked = [mail.send(0, lane=Lane("busy"), priority=9) for _ in range(50)]
    free, laned = mail.send(0), mail.send(0, lane=Lane("other"))
    assert mail.ids() == [blocked[0], free, laned]


def test_priority_decides_across_lanes_and_what_has_none(mail: Mail) -> None:
    a, b, c, d = (
        mail.send(0, priority=priority, lane=lane)
        for priority, lane in ((1, Lane("x", 5)), (3, Lane("y", 5)), (2, None), (4, Lane("x", 5)))
    )
    assert [*mail.ids(1), *mail.ids(1), *mail.ids(2)] == [d, b, c, a]


def test_lanes_take_turns_among_equals(mail: Mail) -> None:
    for key in "aaabbbccc":
        mail.send(0, lane=Lane(key, 9))
    lane_of = {}
    order = []
    for _ in range(9):
        delivery = mail.one()
        order.append(lane_of.setdefault(delivery.lane_id, len(lane_of)))
        mail.opened.clock.pass_time(0.001)
    assert order == [0, 1, 2] * 3


def test_with_and_without_a_lane_neither_starves_the_other(mail: Mail) -> None:
    laned = [mail.send(0, lane=Lane("host", 9)) for _ in range(2)]
    free = [mail.send(0) for _ in range(2)]
    assert [mail.one().id for _ in range(4)] == [*laned, *free]
    both = [mail.send(0, lane=lane) for lane in (None, None, Lane("host", 9), Lane("host", 9))]
    assert mail.ids(2) == [both[0], both[2]]


def test_a_lanes_best_priority_is_exact_after_the_best_was_removed(mail: Mail) -> None:
    best = mail.send(0, lane=Lane("x"), priority=9)
    low = mail.send(0, lane=Lane("x"), priority=0)
    mid = mail.send(0, lane=Lane("y"), priority=5)
    mail.opened.write(settle.discard, [best])
    assert mail.ids(1) == [mid]
    assert mail.ids(1) == [low]


def test_a_new_priority_holds_for_the_next_delivery(mail: Mail) -> None:
    first, second = (mail.send(0, lane=Lane(key), priority=5) for key in "xy")
    third = mail.send(0, priority=4)
    mail.opened.write(settle.reprioritise, [first], 0)
    held = mail.one()
    assert held.id == second
    mail.opened.write(settle.reprioritise, [second], 1)
    mail.release(held, delay=0)
    assert mail.ids() == [third, second, first]


def test_a_lane_whose_limit_was_lowered_starts_nothing_until_there_is_room(mail: Mail) -> None:
    for _ in range(6):
        mail.send(0, lane=Lane("host", 3))
    held = mail.receive(2)
    mail.send(0, lane=Lane("host", 1), delay=60)
    assert mail.receive(10) == []
    mail.complete(*held)
    assert len(mail.receive(10)) == 1


def test_a_lane_whose_limit_was_raised_starts_more_at_once(mail: Mail) -> None:
    for _ in range(3):
        mail.send(0, lane=Lane("host", 1))
    assert len(mail.receive(10)) == 1
    mail.send(0, lane=Lane("host", 3), delay=60)
    assert len(mail.receive(10)) == 2


def test_a_pace_slows_a_lane_besides_its_own_interval_from_now_on(mail: Mail) -> None:
    for _ in range(3):
        mail.send(0, lane=Lane("host", 5, 2 * SECOND))
    mail.complete(mail.one())
    mail.opened.clock.pass_time(1)
    mail.opened.write(lanes.set_pace, mail.queue.id, "host", 10 * SECOND)
    mail.opened.clock.pass_time(9)
    assert mail.receive() == []
    mail.opened.clock.pass_time(1)
    assert len(mail.receive(10)) == 1
    mail.opened.clock.pass_time(10)
    mail.opened.write(lanes.set_pace, mail.queue.id, "host", 0)
    assert len(mail.receive(10)) == 1


def test_a_paused_queue_delivers_what_is_asked_of_the_queue_itself(mail: Mail) -> None:
    mail.send("plain")
    mail.send("laned", lane=Lane("host"), priority=9)
    mail.send("upkeep", lane=Lane("upkeep"))
    command = mail.send("command", lane=COMMANDS)
    at = mail.opened.wall + 5 * SECOND
    (planned,) = mail.send_many([NewMessage("later", at=at, lane=COMMANDS)])
    mail.pause()
    assert mail.claim(lanes=("upkeep",)) == []
    assert [each.id for each in mail.claim()] == [command]
    mail.opened.clock.pass_time(5)
    (later,) = mail.claim()
    assert later.id == planned
    mail.give_back(later, charge=False, alone=True)
    assert mail.opened.read(suspects, mail.queue.id) == 1
    assert [each.id for each in mail.claim(alone=True)] == [planned]
    assert mail.opened.read(suspects, mail.queue.id) == 0
    mail.opened.write(mail.queue.resume)
    assert len(mail.claim()) == 3


def test_a_claim_for_one_lane_takes_nothing_else(mail: Mail) -> None:
    assert mail.claim(lanes=("upkeep",)) == []
    mail.send(0)
    mail.send(0, lane=Lane("host"), priority=9)
    low, high, _ = (mail.send(0, lane=Lane("upkeep", 2), priority=p) for p in (0, 1, 0))
    assert [each.id for each in mail.claim(lanes=("upkeep",))] == [high, low]
    assert mail.claim(lanes=("upkeep",)) == []
    assert mail.counts() == {"ready": 3, "in_flight": 2}


def test_a_claim_for_one_lane_finds_what_was_delayed_scheduled_or_parked_in_it(mail: Mail) -> None:
    upkeep = Lane("upkeep", 3)
    delayed = mail.send("later", type="known", lane=upkeep, delay=5)
    at = mail.opened.wall + 5 * SECOND
    (planned,) = mail.send_many([NewMessage("known", at=at, lane=upkeep)])
    mail.send("other", delay=5)
    assert mail.claim(lanes=("upkeep",)) == []
    mail.opened.clock.pass_time(5)
    found = mail.claim(lanes=("upkeep",))
    assert {each.id for each in found} == {delayed, planned}
    strange = found[0]
    mail.opened.write(park, mail.queue.id, [strange.id])
    assert mail.claim(lanes=("upkeep",)) == []
    assert [each.id for each in mail.claim(lanes=("upkeep",), types=("known",))] == [strange.id]
    assert mail.counts() == {"ready": 1, "in_flight": 2}


def test_a_claim_for_one_lane_opens_it_when_it_has_cooled(mail: Mail) -> None:
    upkeep = Lane("upkeep", 2, 10 * SECOND)
    first, second = mail.send(0, lane=upkeep), mail.send(0, lane=upkeep)
    assert [each.id for each in mail.claim(lanes=("upkeep",))] == [first]
    assert mail.claim(lanes=("upkeep",)) == []
    mail.opened.clock.pass_time(10)
    (held,) = mail.claim(lanes=("upkeep",))
    assert held.id == second
    mail.give_back(held, delay=3 * SECOND, hold=True)
    mail.opened.clock.pass_time(9)
    assert mail.claim(lanes=("upkeep",)) == []
    mail.opened.clock.pass_time(1)
    assert [each.id for each in mail.claim(lanes=("upkeep",))] == [second]


def test_a_claim_for_one_lane_takes_only_its_suspects(mail: Mail) -> None:
    mail.send(0)
    mail.send(0, lane=Lane("host"))
    own = mail.send(0, lane=Lane("upkeep"))
    for delivery in mail.claim():
        mail.give_back(delivery, charge=False, alone=True)
    assert mail.counts() == {"suspect": 3}
    assert [each.id for each in mail.claim(lanes=("upkeep",), alone=True)] == [own]
    assert len(mail.claim(alone=True)) == 2


def test_a_release_can_hold_the_whole_lane(mail: Mail) -> None:
    for _ in range(2):
        mail.send(0, lane=Lane("host", 5))
    other = mail.send(0, lane=Lane("other"))
    mail.give_back(mail.one(), delay=30 * SECOND, hold=True)
    assert mail.ids() == [other]
    mail.opened.clock.pass_time(29)
    assert mail.ids() == []
    mail.opened.clock.pass_time(1)
    assert len(mail.receive(10)) == 2


def test_a_release_can_move_a_message_to_another_lane(mail: Mail) -> None:
    mail.send(0, lane=Lane("busy"))
    mail.send(0, lane=Lane("free"))
    moved = mail.one()
    mail.give_back(moved, charge=False, lane=Lane("free"))
    assert mail.ids() == [moved.id]
    assert mail.counts() == {"ready": 1, "in_flight": 1}


def test_lane_statistics_tell_what_runs_and_waits(mail: Mail) -> None:
    for key in "aab":
        mail.send(0, lane=Lane(key, 1, SECOND))
    mail.receive(1)
    mail.opened.clock.pass_time(0.4)
    shown = mail.opened.read(lane_stats, mail.queue.id)
    assert [(s.key, s.state, s.ready, s.running, s.max_running) for s in shown] == [
        ("a", "full", 1, 1, 1), ("b", "open", 1, 0, 1),
    ]  # fmt: skip
    assert (shown[0].next_start, shown[0].min_interval) == (600_000, SECOND)


def test_how_many_lanes_have_work_is_kept_and_the_fullest_are_found_by_an_index(
    mail: Mail,
) -> None:
    for key in ("a", "b", "b", "c"):
        mail.send(0, lane=Lane(key, 2, 0))
    assert mail.stats().lanes == 3
    (held,) = mail.receive(1)
    assert mail.stats().lanes == 3
    mail.complete(held)
    assert mail.stats().lanes == 2
    assert mail.opened.read(lane_stats, mail.queue.id)[0].key == "b"
    mail.purge()
    assert mail.stats().lanes == 0


# -- statistics


def test_statistics_are_exact_and_tell_the_age_of_the_oldest(mail: Mail) -> None:
    assert mail.stats().oldest_ready is None
    mail.send(0, delay=60)
    mail.send(0)
    mail.opened.clock.pass_time(5)
    mail.send(0)
    mail.opened.clock.pass_time(15)
    stats = mail.stats()
    assert (stats.name, stats.ready, stats.delayed, stats.length) == ("mail", 2, 1, 3)
    assert stats.oldest_ready == 20 * SECOND
    mail.receive(1)
    stats = mail.stats()
    assert (stats.ready, stats.in_flight, stats.oldest_ready) == (1, 1, 15 * SECOND)


def test_work_that_becomes_ready_is_signalled(mail: Mail) -> None:
    heard: list[int] = []
    end = mail.opened.db.subscribe(f"queue:{mail.queue.id}", lambda: heard.append(1))
    mail.send(0, lane=Lane("host"))
    held = mail.one()
    told = len(heard)
    mail.release(held, delay=0)
    assert len(heard) > told
    held, told = mail.one(), len(heard)
    mail.complete(held)
    assert len(heard) > told
    end()
    told = len(heard)
    mail.send(0)
    assert len(heard) == told
