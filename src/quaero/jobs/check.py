"""The check on what is kept: every count and invariant of jobs and queue, by recount."""

from __future__ import annotations

from quaero.db.contract import ReadTx
from quaero.queue.message import State
from quaero.queue.stats import recount

_PHASES = {"pre": 0, "core": 1, "post": 2}
_CHECKS = {
    "runnable jobs without a message": """
        select j.id from job j left join message m on m.id = j.message_id
         where j.status < 2 and j.own_run = 0 and j.held = 0 and m.id is null
           and not exists (select 1 from job p where p.id = j.parent_id
                            and (p.wait_core > 0 or p.wait_post > 0))
    """,
    "messages whose job does not know them": """
        select m.id from message m left join job j on j.id = m.job_id
         where m.job_id <> 0 and (j.id is null or j.message_id is null or j.message_id <> m.id)
    """,
    "ended jobs with live messages": """
        select j.id from job j join message m on m.id = j.message_id
         where j.status > 1 and m.state <> 3
    """,
    "ended jobs above open ones": """
        select distinct p.id from job p join job c on c.parent_id = p.id
         where p.status > 1 and c.status < 2
    """,
    "parents that should have ended": """
        select id from job where status < 2 and own_run <> 0 and n_pending + n_running = 0
    """,
    "jobs that ended before their own run": """
        select id from job where status > 1 and own_run = 0
    """,
}


def faults(tx: ReadTx, limit: int = 20) -> list[str]:
    """What is wrong, in words; empty when everything agrees. Costs a pass over all rows."""
    found = []
    for what, sql in _CHECKS.items():
        rows = tx.execute(f"{sql} limit {limit}")
        if rows:
            found.append(f"{what}: {', '.join(str(row[0]) for row in rows)}")
    found += _descendants(tx, limit)
    found += _children(tx, limit)
    found += _kept_counts(tx)
    found += _queues(tx)
    found += _log_counts(tx, limit)
    return found


def _descendants(tx: ReadTx, limit: int) -> list[str]:
    rows = tx.execute(
        """
        with recursive above(id, ancestor) as (
            select id, parent_id from job where parent_id is not null
            union all
            select a.id, j.parent_id from above a join job j on j.id = a.ancestor
             where j.parent_id is not null),
        real as (
            select ancestor, sum(status = 0) p, sum(status = 1) r, sum(status = 2) c,
                   sum(status = 3) f, sum(status = 4) x
              from above join job on job.id = above.id group by ancestor)
        select job.id from job left join real on real.ancestor = job.id
         where n_pending <> coalesce(p, 0) or n_running <> coalesce(r, 0)
            or n_completed <> coalesce(c, 0) or n_failed <> coalesce(f, 0)
            or n_cancelled <> coalesce(x, 0) limit $1
        """,
        (limit,),
    )
    return (
        [f"wrong counts of descendants: {', '.join(str(row[0]) for row in rows)}"] if rows else []
    )


def _children(tx: ReadTx, limit: int) -> list[str]:
    found = []
    for name, phase in _PHASES.items():
        rows = tx.execute(
            f"""
            select p.id from job p
             where {name}_open <> (select count(*) from job c
                                    where c.parent_id = p.id and c.parent_id is not null
                                      and c.phase = {phase} and c.status < 2) limit $1
            """,
            (limit,),
        )
        if rows:
            found.append(f"wrong count of open {name} children: {[row[0] for row in rows]}")
    rows = tx.execute(
        """
        select p.id from job p
         where wait_core <> (select count(*) from job c where c.parent_id = p.id
                              and c.parent_id is not null and c.phase = 1 and c.status < 2
                              and c.own_run = 0 and c.message_id is null)
            or wait_post <> (select count(*) from job c where c.parent_id = p.id
                              and c.parent_id is not null and c.phase = 2 and c.status < 2
                              and c.own_run = 0 and c.message_id is null)
            or core_failed <> (select count(*) from job c where c.parent_id = p.id
                              and c.parent_id is not null and c.phase = 1 and c.status = 3)
            or core_total <> (select count(*) from job c where c.parent_id = p.id
                              and c.parent_id is not null and c.phase = 1) limit $1
        """,
        (limit,),
    )
    if rows:
        found.append(f"wrong counts of children: {[row[0] for row in rows]}")
    return found


def _kept_counts(tx: ReadTx) -> list[str]:
    rows = tx.execute("select top, type, status, n from job_count where n <> 0")
    kept = {row[:3]: row[3] for row in rows}
    real = {
        row[:3]: row[3]
        for row in tx.execute(
            "select parent_id is null, type, status, count(*) from job group by 1, 2, 3"
        )
    }
    return [] if kept == real else [f"counts of jobs {kept} where there are {real}"]


def _queues(tx: ReadTx) -> list[str]:
    found = []
    columns = [state.name.lower() for state in State]
    for id_, name, *kept in tx.execute(f"select id, name, {', '.join(columns)} from queue"):
        real = recount(tx, id_)
        if kept != [real.get(state, 0) for state in State]:
            found.append(f"queue {name}: counts {kept} where there are {real}")
    rows = tx.execute(
        """
        select l.key from lane l
         where l.running <> (select count(*) from message m where m.lane_id = l.id and m.state = 2
                              and m.queue_id = l.queue_id)
            or l.ready <> (select count(*) from message m where m.lane_id = l.id and m.state = 0
                              and m.queue_id = l.queue_id)
        """
    )
    if rows:
        found.append(f"wrong counts of lanes: {', '.join(row[0] for row in rows)}")
    return found


def _log_counts(tx: ReadTx, limit: int) -> list[str]:
    rows = tx.execute(
        """
        select root_id, level, count(*) from job_log group by 1, 2
        except select root_id, level, n from job_log_count limit $1
        """,
        (limit,),
    )
    return [f"wrong counts of log entries: {[row[0] for row in rows]}"] if rows else []
