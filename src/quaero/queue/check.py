"""The check on what a queue keeps: counts, lanes and leases, by recount."""

from __future__ import annotations

from collections.abc import Callable

from quaero.db.contract import ReadTx
from quaero.queue.message import State

_LANE_MESSAGES = "select count(*) from message m where m.lane_id = l.id and m.queue_id = l.queue_id"
_CHECKS = {
    "lanes with wrong counts": f"""
        select l.key from lane l
         where l.running <> ({_LANE_MESSAGES} and m.state = 2)
            or l.ready <> ({_LANE_MESSAGES} and m.state = 0)
    """,
    "lanes in a wrong state": """
        select key from lane
         where case when ready = 0 then state <> 0 when running >= max_running then state <> 2
                    else state not in (1, 3) end
    """,
    "lanes that do not know their best priority": """
        select key from lane l
         where ready > 0
           and head <> (select max(priority) from message m
                         where m.queue_id = l.queue_id and m.lane_id = l.id and m.state = 0)
    """,
    "queues with a wrong number of busy lanes": """
        select name from queue q
         where lanes <> (select count(*) from lane
                          where queue_id = q.id and (ready > 0 or running > 0))
    """,
    "messages of a lane that is not there": """
        select id from message where lane_id <> 0 and lane_id not in (select id from lane)
    """,
    "messages charged for more than they were delivered": """
        select id from message where receives > lease_no or receives < 0
    """,
    "dead letters that hold a deduplication key": """
        select id from message where state = 3 and dedup is not null
    """,
    "errors of messages that are gone": """
        select distinct message_id from delivery_error
         where message_id not in (select id from message)
    """,
}


Check = Callable[[ReadTx], list[str]]


def named_check(what: str, sql: str, limit: int) -> Check:
    """A check that finds up to `limit` of what `sql` selects, and calls them `what`."""

    def check(tx: ReadTx) -> list[str]:
        rows = tx.execute(f"{sql} limit {limit}")
        return [f"{what}: {', '.join(str(row[0]) for row in rows)}"] if rows else []

    return check


def checks(limit: int = 20) -> list[Check]:
    """The checks of queues; each says in words what is wrong."""
    return [*(named_check(what, sql, limit) for what, sql in _CHECKS.items()), _counts]


def faults(tx: ReadTx, limit: int = 20) -> list[str]:
    """What is wrong with the queues of a database, in words. Costs a pass over all messages."""
    return [fault for check in checks(limit) for fault in check(tx)]


def _counts(tx: ReadTx) -> list[str]:
    found = []
    columns = [state.name.lower() for state in State]
    for id_, name, *kept in tx.execute(f"select id, name, {', '.join(columns)} from queue"):
        real = _recount(tx, id_)
        if kept != [real.get(state, 0) for state in State]:
            found.append(f"queue {name}: counts {kept} where there are {real}")
    return found


def _recount(tx: ReadTx, queue_id: int) -> dict[int, int]:
    """Messages by state, counted one by one: the check on the kept counts."""
    return dict(
        tx.execute(
            "select state, count(*) from message where queue_id = $1 group by state", (queue_id,)
        )
    )
