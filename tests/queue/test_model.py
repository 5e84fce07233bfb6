"""The queue against its reference model, over long random lives with clock steps and crashes."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from quaero.clock import SECOND
from quaero.errors import StaleLease
from quaero.queue import Delivery, Lane, NewMessage, Queue, State, Token, check, lanes, settle
from quaero.queue.claim import Claim, claim, park

from ..opening import ENGINES, Opened  # noqa: TID252
from .model import QueueModel

LEASE = 300
MAX_RECEIVE = 3
STEPS = 30

LANES = st.sampled_from(
    [
        None,
        None,
        Lane("one"),
        Lane("three", 3),
        Lane("changing", 1),
        Lane("changing", 3),
        Lane("slow", 2, 10 * SECOND),
        Lane("slow", 2, 0),
    ]
)
TYPES = st.sampled_from(["known", "strange"])
PRIORITIES = st.integers(0, 2)
DELAYS = st.sampled_from([0, 0, 10 * SECOND, 3600 * SECOND])
OFFSETS = st.sampled_from([None, None, None, -60 * SECOND, 10 * SECOND, 3600 * SECOND])
MESSAGE = st.tuples(
    TYPES, PRIORITIES, DELAYS, OFFSETS, LANES, st.sampled_from([None, None, "a", "b"])
)


class QueueMachine(RuleBasedStateMachine):
    engine = ENGINES[0]

    @initialize()
    def open(self) -> None:
        self.opened = Opened(self.engine)
        self.queue = Queue.open(
            self.opened.db, "q", visibility_timeout=LEASE, max_receive=MAX_RECEIVE
        )
        self.model = QueueModel(LEASE * SECOND, MAX_RECEIVE)
        self.tokens: list[Token] = []

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__()

    @property
    def times(self) -> tuple[int, int]:
        return self.opened.lease_now, self.opened.wall

    def token(self, data: st.DataObject) -> Token:
        """A token that was ever given out, rather a young one; perhaps stale."""
        return data.draw(st.sampled_from(self.tokens[:-9:-1]), label="token")

    def took(self, got: list[Delivery]) -> None:
        self.tokens += [each.token for each in got if each.token not in self.tokens]

    def try_on(self, token: Token, verb: Any, *args: Any, **kwargs: Any) -> bool:
        """Use a verb; it must refuse exactly the stale tokens. True where it was good."""
        current = self.model.is_current(token)
        try:
            self.opened.write(verb, *args, **kwargs)
        except StaleLease:
            assert not current
        else:
            assert current
        return current

    # -- sending and receiving

    @rule(drafts=st.lists(MESSAGE, min_size=1, max_size=4))
    def send(self, drafts: list[Any]) -> None:
        now, wall = self.times
        seen: dict[str, Lane] = {}
        news = [
            NewMessage(
                type_, "1", priority=priority, delay=delay, dedup=dedup,
                at=None if offset is None else wall + offset,
                lane=lane and seen.setdefault(lane.key, lane),
            )
            for type_, priority, delay, offset, lane, dedup in drafts
        ]  # fmt: skip
        self.model.sent(news, self.opened.write(self.queue.send_many, news), now, wall)

    @rule(limit=st.integers(1, 6))
    def receive(self, limit: int) -> None:
        got = self.opened.write(self.queue.receive, limit)
        self.model.swept(self.times[0])
        self.model.received(got, limit, *self.times)
        self.took(got)

    @rule(limit=st.integers(1, 4), types=st.sampled_from([("known",), ("known", "strange")]))
    def claim_by_type(self, limit: int, types: tuple[str, ...]) -> None:
        want = Claim(limit, LEASE * SECOND, types=types)
        got = self.opened.write(claim, self.queue.id, want)
        self.model.received(got, limit, *self.times, types=types)
        self.took(got)

    @rule(limit=st.integers(1, 3))
    def claim_alone(self, limit: int) -> None:
        want = Claim(limit, LEASE * SECOND, alone=True)
        got = self.opened.write(claim, self.queue.id, want)
        self.model.received_alone(got, limit, self.times[0])
        self.took(got)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), limit=st.integers(1, 3))
    def complete_and_receive(self, data: st.DataObject, limit: int) -> None:
        token = self.token(data)
        if not self.model.is_current(token):
            return

        def cycle(tx: Any) -> list[Delivery]:
            self.queue.complete(tx, token)
            return claim(tx, self.queue.id, Claim(limit, LEASE * SECOND))

        got = self.opened.write(cycle)
        self.model.completed(token)
        self.model.received(got, limit, *self.times)
        self.took(got)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        token = self.token(data)
        if self.model.is_current(token):
            ((lane_id,),) = self.opened.sql("select lane_id from message where id = $1", token.id)
            self.opened.write(lanes.started, [(lane_id, self.times[0])])
            self.model.began(token, self.times[0])

    # -- settling, with current and stale tokens

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        token = self.token(data)
        if self.try_on(token, self.queue.complete, token):
            self.model.completed(token)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def complete_several(self, data: st.DataObject) -> None:
        tokens = data.draw(st.lists(st.sampled_from(self.tokens), min_size=2, max_size=4))
        good = all(self.model.is_current(token) for token in tokens)
        try:
            self.opened.write(self.queue.complete, *tokens)
        except StaleLease:
            assert not good
        else:
            assert good
            for token in set(tokens):
                self.model.completed(token)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), error=st.sampled_from([None, "no"]), delay=st.sampled_from([0, 10]),
          charge=st.booleans())  # fmt: skip
    def release(self, data: st.DataObject, error: str | None, delay: int, charge: bool) -> None:
        token = self.token(data)
        verb = self.queue.release
        if self.try_on(token, verb, token, error=error, delay=delay, charge=charge):
            if charge and self.model.messages[token.id].receives >= MAX_RECEIVE:
                self.model.buried(token, error or "given back")
            else:
                self.model.released(
                    token, self.times[0], error=error, delay=delay * SECOND, charge=charge
                )

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), delay=DELAYS, alone=st.booleans(), lane=LANES, hold=st.booleans())
    def release_elsewhere(
        self, data: st.DataObject, delay: int, alone: bool, lane: Lane | None, hold: bool
    ) -> None:
        token = self.token(data)
        held = self.opened.write(settle.held, [token])
        assert (token.id in held) == self.model.is_current(token)
        if held:
            how = {"delay": delay, "alone": alone, "lane": lane, "hold": hold, "charge": False}
            self.opened.write(settle.release, [settle.Release(held[token.id], **how)])
            self.model.released(token, self.times[0], **how)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def dead_letter(self, data: st.DataObject) -> None:
        token = self.token(data)
        if self.try_on(token, self.queue.dead_letter, token, "bad"):
            self.model.buried(token, "bad")

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        token = self.token(data)
        if self.try_on(token, self.queue.extend, token):
            self.model.extended(token, self.times[0])

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        token = self.token(data)
        if self.model.is_current(token):
            self.opened.write(park, self.queue.id, [token.id])
            self.model.parked(token)

    # -- what nobody holds

    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.model.messages) or [1]), min_size=1))
        count = self.opened.write(lambda tx: len(settle.requeue(tx, ids)))
        assert count == self.model.requeued(ids, self.times[0])

    @precondition(lambda self: self.model.messages)
    @rule(data=st.data(), priority=PRIORITIES)
    def reprioritise(self, data: st.DataObject, priority: int) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.model.messages)), min_size=1))
        self.opened.write(settle.reprioritise, ids, priority)
        for id_ in ids:
            self.model.messages[id_].priority = priority

    @precondition(lambda self: self.model.messages)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.model.messages)), max_size=3))
        assert self.opened.write(lambda tx: len(settle.discard(tx, ids))) == len(set(ids))
        self.model.discarded(ids)

    @precondition(lambda self: len(self.model.messages) > 6)
    @rule()
    def purge(self) -> None:
        assert self.opened.write(self.queue.purge) == self.model.purged()

    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        self.opened.write(self.queue.pause if paused else self.queue.resume)
        self.model.paused = paused

    @rule(key=st.sampled_from(["one", "three"]), pace=st.sampled_from([0, 5 * SECOND]))
    def set_pace(self, key: str, pace: int) -> None:
        self.opened.write(lanes.set_pace, self.queue.id, key, pace)
        self.model.paced(key, pace, self.times[0])

    # -- the world

    @rule(seconds=st.sampled_from([1, 11, LEASE, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.opened.clock.pass_time(seconds)

    @rule(hours=st.sampled_from([-1, 1]))
    def wall_clock_is_set(self, hours: int) -> None:
        self.opened.clock.step_wall(3600 * hours)

    @rule(machine=st.booleans())
    def crash(self, machine: bool) -> None:
        if machine:
            before = self.times[0]
            self.opened.reboot()
            self.model.rebooted()
            # What the lease clock forgets, up to a minute, passes while the machine starts.
            self.opened.clock.pass_time(max(0, before - self.times[0]) / SECOND)
        else:
            self.opened.restart()

    @invariant()
    def everything_agrees(self) -> None:
        if not hasattr(self, "opened"):
            return
        stats, dead, faults = self.opened.read(
            lambda tx: (self.queue.stats(tx), self.queue.dead(tx), check.faults(tx))
        )
        assert faults == []
        counts = self.model.counts()
        assert (
            stats.ready, stats.delayed, stats.in_flight, stats.dead, stats.scheduled, stats.parked,
            stats.suspect,
        ) == tuple(counts[state] for state in State)  # fmt: skip
        assert stats.paused == self.model.paused
        assert stats.oldest_ready == self.model.oldest_ready(self.times[0])
        assert [
            (each.id, [(lease_no, error) for lease_no, _, error in each.errors]) for each in dead
        ] == self.model.dead()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_queue_behaves_as_its_model(engine: str) -> None:
    class Machine(QueueMachine):
        pass

    Machine.engine = engine
    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=STEPS))
