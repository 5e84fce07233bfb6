"""The queue as SPEC section 3 tells it, over dicts: the reference that the real one is held to.

Where SPEC leaves a choice (which of two equal lanes goes first, say) the model does not predict: it
is told what was received and judges whether the rules allow it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quaero.queue import Delivery, Lane, NewMessage, State, Token

LEASE_RAN_OUT = "lease ran out"


@dataclass
class Message:
    """A message; `due` is when it became, or becomes, ready."""

    id: int
    type: str
    lane: str | None
    priority: int
    dedup: str | None
    state: State
    due: int
    lease_no: int = 0
    receives: int = 0
    lease_until: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)

    @property
    def place(self) -> tuple[int, int]:
        """Higher priority first, ties in order of sending."""
        return -self.priority, self.id


@dataclass
class LaneRules:
    """What a lane allows, when it may start next and when it was served last."""

    max_running: int
    min_interval: int
    pace: int = 0
    next_start: int = 0
    served: int = 0

    @property
    def interval(self) -> int:
        return max(self.min_interval, self.pace)


class QueueModel:
    """One queue. Times are microseconds: `now` of the lease clock, `wall` of the other."""

    def __init__(self, lease: int, max_receive: int) -> None:
        self.lease = lease
        self.max_receive = max_receive
        self.paused = False
        self.messages: dict[int, Message] = {}
        self.lanes: dict[str, LaneRules] = {}
        self._last_id = 0

    # -- what is there

    def counts(self) -> Counter[State]:
        return Counter(message.state for message in self.messages.values())

    def oldest_ready(self, now: int) -> int | None:
        ready = [m.due for m in self.messages.values() if m.state is State.READY]
        return max(0, now - min(ready)) if ready else None

    def dead(self) -> list[tuple[int, list[tuple[int, str]]]]:
        return [(m.id, m.errors) for m in self._in(State.DEAD)]

    def is_current(self, token: Token) -> bool:
        message = self.messages.get(token.id)
        return (
            message is not None
            and message.state is State.LEASED
            and message.lease_no == token.lease_no
        )

    def _in(self, state: State) -> list[Message]:
        return sorted((m for m in self.messages.values() if m.state is state), key=lambda m: m.id)

    def _running(self, lane: str) -> int:
        return sum(1 for m in self.messages.values() if m.lane == lane and m.state is State.LEASED)

    # -- sending

    def sent(self, news: Sequence[NewMessage], ids: Sequence[int], now: int, wall: int) -> None:
        for new, id_ in zip(news, ids, strict=True):
            if new.lane is not None:
                self.limit(new.lane)
            holders = [m.id for m in self.messages.values() if new.dedup and m.dedup == new.dedup]
            if holders:
                assert [id_] == holders, "a taken key names the message that has it"
                continue
            assert id_ > self._last_id, "ids grow in order of sending"
            self._last_id = id_
            state, due = State.READY, now
            if new.at is not None and new.at > wall:
                state, due = State.SCHEDULED, new.at
            elif new.delay:
                state, due = State.DELAYED, now + new.delay
            key = new.lane.key if new.lane else None
            self.messages[id_] = Message(id_, new.type, key, new.priority, new.dedup, state, due)

    def limit(self, lane: Lane) -> None:
        rules = self.lanes.setdefault(lane.key, LaneRules(0, 0))
        rules.max_running, rules.min_interval = lane.max_running, lane.min_interval

    # -- receiving

    def swept(self, now: int) -> None:
        for message in self._in(State.LEASED):
            if message.lease_until > now:
                continue
            message.errors.append((message.lease_no, LEASE_RAN_OUT))
            if message.receives >= self.max_receive:
                self._bury(message)
            else:
                message.state, message.due = State.READY, now

    def received(
        self, got: Sequence[Delivery], limit: int, now: int, wall: int, types: Sequence[str] = ()
    ) -> None:
        """Judge what a claim delivered."""
        if self.paused:
            assert not got, "a paused queue delivers nothing"
        self._promote(now, wall, types)
        if self.paused:
            return
        offers = self._offers(now)
        self._judge(got, limit, offers)
        self._lease(got, now)

    def received_alone(self, got: Sequence[Delivery], limit: int, now: int) -> None:
        """Judge what a claim of suspects delivered."""
        if self.paused:
            assert not got
            return
        suspects = sorted(self._in(State.SUSPECT), key=lambda m: m.place)
        offers = self._within_lanes(suspects, now)
        self._judge_order(got, limit, offers)
        self._lease(got, now)

    def _promote(self, now: int, wall: int, types: Sequence[str]) -> None:
        for message in self.messages.values():
            if (
                (message.state is State.DELAYED and message.due <= now)
                or (message.state is State.SCHEDULED and message.due <= wall)
                or (message.state is State.PARKED and message.type in types)
            ):
                message.state, message.due = State.READY, now

    def _offers(self, now: int) -> dict[str | None, list[Message]]:
        """What may be delivered now, by lane, in the order it would be."""
        return self._within_lanes(sorted(self._in(State.READY), key=lambda m: m.place), now)

    def _within_lanes(
        self, messages: Iterable[Message], now: int
    ) -> dict[str | None, list[Message]]:
        offers: dict[str | None, list[Message]] = {}
        for message in messages:
            offers.setdefault(message.lane, []).append(message)
        for key in [key for key in offers if key is not None]:
            rules = self.lanes[key]
            room = max(0, rules.max_running - self._running(key))
            if rules.interval:
                room = min(room, 1)
            if rules.next_start > now:
                room = 0
            offers[key] = offers[key][:room]
        return offers

    def _judge_order(
        self, got: Sequence[Delivery], limit: int, offers: dict[str | None, list[Message]]
    ) -> None:
        possible = sorted((m for lot in offers.values() for m in lot), key=lambda m: m.place)
        assert len(got) == min(limit, len(possible)), "as many as there are and were asked for"
        ids = [delivery.id for delivery in got]
        assert [self.messages[id_].priority for id_ in ids] == [
            m.priority for m in possible[: len(got)]
        ], "higher priorities go first"
        for lot in offers.values():
            of_lot = [id_ for id_ in ids if id_ in {m.id for m in lot}]
            assert of_lot == [m.id for m in lot[: len(of_lot)]], "ties in order of sending"

    def _judge(
        self, got: Sequence[Delivery], limit: int, offers: dict[str | None, list[Message]]
    ) -> None:
        self._judge_order(got, limit, offers)
        if not got:
            return
        ids = {delivery.id for delivery in got}
        last = self.messages[got[-1].id].priority
        equal = {
            key: [m for m in lot if m.priority == last]
            for key, lot in offers.items()
            if any(m.priority == last for m in lot)
        }
        self._judge_lanes(equal, ids, offers)
        free = equal.pop(None, [])
        sides = [free, [m for lot in equal.values() for m in lot]]
        served = [sum(1 for m in side if m.id in ids) for side in sides]
        if all(sides) and not all(served):
            assert sum(served) == 1, "with and without a lane take turns"
            oldest = min(m.id for m in free)
            heads = [min(m.id for m in lot) for lot in equal.values()]
            if served[0]:
                assert max(heads) > oldest, "a lane whose turn it may be has a younger one"
            else:
                assert min(heads) < oldest, "a lane, if not the one whose turn it was, has an older"

    def _judge_lanes(
        self,
        equal: dict[str | None, list[Message]],
        ids: set[int],
        offers: dict[str | None, list[Message]],
    ) -> None:
        """Of lanes whose best messages are equals, those served longest ago go first."""
        level = [key for key, lot in equal.items() if key is not None and lot[0] is offers[key][0]]
        for key in level:
            if any(m.id in ids for m in equal[key]):
                continue
            assert not any(
                self.lanes[other].served > self.lanes[key].served
                for other in level
                if any(m.id in ids for m in equal[other])
            ), "lanes take turns"

    def _lease(self, got: Sequence[Delivery], now: int) -> None:
        for delivery in got:
            message = self.messages[delivery.id]
            message.state = State.LEASED
            message.lease_no += 1
            message.receives += 1
            message.lease_until = now + self.lease
            assert (delivery.lease_no, delivery.receives, delivery.type, delivery.priority) == (
                message.lease_no, message.receives, message.type, message.priority,
            )  # fmt: skip
            if message.lane is not None:
                rules = self.lanes[message.lane]
                assert delivery.paced == bool(rules.interval)
                rules.served, rules.next_start = now, now + rules.interval
        for key, rules in self.lanes.items():
            new = sum(1 for delivery in got if self.messages[delivery.id].lane == key)
            assert not new or self._running(key) <= rules.max_running, "no lane over its limit"

    def began(self, token: Token, at: int) -> None:
        """The work really began; the interval counts from there."""
        lane = self.messages[token.id].lane
        if lane is not None and self.lanes[lane].interval:
            rules = self.lanes[lane]
            rules.next_start = max(rules.next_start, at + rules.interval)

    def paced(self, key: str, pace: int, now: int) -> None:
        """A new pace counts from now on: what asked for it was a start."""
        rules = self.lanes.get(key)
        if rules is not None and rules.pace != pace:
            rules.pace = pace
            rules.next_start = max(rules.next_start, now + pace)

    # -- settling; only for tokens that are current

    def completed(self, token: Token) -> None:
        del self.messages[token.id]

    def extended(self, token: Token, now: int) -> None:
        self.messages[token.id].lease_until = now + self.lease

    def released(
        self, token: Token, now: int, *, delay: int = 0, error: str | None = None,
        charge: bool = True, alone: bool = False, lane: Lane | None = None, hold: bool = False,
    ) -> None:  # fmt: skip
        message = self.messages[token.id]
        if error is not None:
            message.errors.append((token.lease_no, error))
        if hold and message.lane is not None:
            rules = self.lanes[message.lane]
            rules.next_start = max(rules.next_start, now + delay)
        if not charge:
            message.receives -= 1
        if lane is not None:
            self.limit(lane)
            message.lane = lane.key
        message.due = now + delay
        message.state = State.SUSPECT if alone else State.READY
        if delay:
            message.state = State.DELAYED

    def buried(self, token: Token, error: str) -> None:
        message = self.messages[token.id]
        message.errors.append((token.lease_no, error))
        self._bury(message)

    def _bury(self, message: Message) -> None:
        message.state, message.dedup = State.DEAD, None

    def parked(self, token: Token) -> None:
        message = self.messages[token.id]
        message.state = State.PARKED
        message.receives -= 1

    # -- whatever nobody holds

    def requeued(self, ids: Iterable[int], now: int) -> int:
        dead = [m for m in self._in(State.DEAD) if m.id in set(ids)]
        for message in dead:
            message.state, message.due, message.receives = State.READY, now, 0
        return len(dead)

    def discarded(self, ids: Iterable[int]) -> int:
        gone = [id_ for id_ in set(ids) if self.messages.pop(id_, None)]
        return len(gone)

    def purged(self) -> int:
        return self.discarded([m.id for m in self.messages.values() if m.state != State.LEASED])

    def rebooted(self) -> None:
        for message in self._in(State.LEASED):
            message.lease_until = 0
