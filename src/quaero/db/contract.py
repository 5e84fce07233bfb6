"""What the rest of Quaero knows of a database: a transaction object and two verbs.

A *function* of the database is plain synchronous code over a transaction, `fn(tx, …)`. It touches
nothing else, so it composes with any other in one transaction and may be run again. `write` runs
one in the writer and returns when it is durable; `read` runs one on a reader's snapshot.

SQL is written once for both engines: parameters are `$1, $2, …`; `each($1)` is the elements of a
JSON array (column `value`, taken apart with `value ->> n`), `ints($1)` a JSON array of integers as
a list for `in`.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

Row: TypeAlias = tuple[Any, ...]
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ride:
    """Work that goes along with a commit; once durable, `loop` calls `done` with its result."""

    work: Callable[[Tx], Any]
    done: Callable[[Any], None]
    loop: AbstractEventLoop


Offer: TypeAlias = Callable[[Collection[Callable[..., Any]]], Ride | None]


def together(many: Callable[..., list[Any]]) -> Callable[[F], F]:
    """Say how calls of a function of the database that wait at the same time are done as one.

    `many(tx, calls)` gets the (args, kwargs) of each and returns their results in order; for a
    method it is another method of the same object. If it raises, each call is run by itself.
    """

    def mark(fn: F) -> F:
        fn.together = many  # type: ignore[attr-defined]
        return fn

    return mark


def last(fn: F) -> F:
    """Say that a function of the database runs after the others of its commit, and sees them."""
    fn.last = True  # type: ignore[attr-defined]
    return fn


class ReadTx(Protocol):
    """A snapshot: everything read through it belongs to one moment.

    `now` is wall time and `lease_now` the lease clock, both microseconds, both fixed for the
    function's run.
    """

    now: int
    lease_now: int

    @property
    def home(self) -> str:
        """What tells this database from others."""

    def execute(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows."""


class Tx(ReadTx, Protocol):
    """A write transaction, as one function sees it.

    `scratch` is for what layers remember until the function's end, by a key of their own.
    """

    scratch: dict[str, Any]

    @property
    def roomy(self) -> bool:
        """Whether there is room for new work; what is under way is ended and saved regardless."""

    def ids(self, name: str, count: int) -> range:
        """Take the next `count` numbers of a sequence; in order of commit, never given twice."""

    def at_end(self, key: str, finish: Callable[[Tx], None], rank: int = 0) -> None:
        """Call `finish` once when the function has returned, in the same transaction.

        Lower ranks go first; what a finisher asks for in turn is done as well.
        """

    def signal(self, topic: str) -> None:
        """Tell the subscribers of `topic`, in every process, once this is committed."""


class Database(Protocol):
    """An open database."""

    async def write(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `fn` in a write transaction; return its result once that is durable."""

    def write_sync(
        self, fn: Callable[Concatenate[Tx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`write` for callers without an event loop."""

    async def read(
        self, fn: Callable[Concatenate[ReadTx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `fn` on a snapshot."""

    def read_sync(
        self, fn: Callable[Concatenate[ReadTx, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`read` for callers without an event loop."""

    def subscribe(self, topic: str, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback`, on some thread, after each commit that signals `topic`.

        Returns what ends the subscription.
        """

    def ride(self, topic: str, offer: Offer) -> Callable[[], None]:
        """Ask `offer`, on the writer's thread, before each commit that signals `topic`.

        It is told which functions that run `last` were in this commit and saw all that was
        signalled. What it returns rides along in that transaction; None lets the commit go as it
        is. Returns what ends this.
        """

    def every(self, seconds: float, work: Callable[[Tx], None]) -> Callable[[], None]:
        """Run `work` in the writer about every so many seconds, before what others wait for.

        Returns what ends it. The engine's own thread does this: no event loop is needed.
        """
