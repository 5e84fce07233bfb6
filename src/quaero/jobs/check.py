"""The check on what is kept: every count and invariant of jobs and queues, by recount."""

from __future__ import annotations

from quaero.db.contract import ReadTx
from quaero.queue import check as queue_check
from quaero.queue.check import Check, named_check

_CHECKS = {
    "runnable jobs without a message": """
        select j.id from job j
          left join message m on m.id = j.message_id
          left join job p on p.id = j.parent_id
         where j.status < 2 and j.own_run = 0 and j.held = 0 and m.id is null and j.unmet = 0
           and not (p.id is not null and p.status < 2
                    and (p.stopping > 0
                         or (j.phase = 1 and p.pre_open > 0)
                         or (j.phase = 2 and (p.own_run = 0 or p.pre_open > 0 or p.core_open > 0))))
    """,
    "messages whose job does not know them": """
        select m.id from message m left join job j on j.id = m.job_id
         where m.job_id <> 0 and (j.id is null or j.message_id is null or j.message_id <> m.id)
    """,
    "messages of runs that have ended": """
        select j.id from job j join message m on m.id = j.message_id
         where j.own_run <> 0 and m.state <> 3
    """,
    "dead letters of jobs that did not fail": """
        select j.id from job j join message m on m.id = j.message_id
         where m.state = 3 and j.own_run <> 2
    """,
    "held jobs with a message": """
        select id from job where held > 0 and message_id is not null
    """,
    "jobs that wait for pre jobs which have ended": """
        select id from job where held = 2 and status < 2 and stopping = 0 and pre_open = 0
    """,
    "jobs that wait for a place which is free": """
        select c.id from job c join job p on p.id = c.parent_id
         where c.held = 3 and c.stopping = 0 and p.stopping = 0 and p.pre_open = 0
           and p.core_open - p.wait_core < c.lane ->> 1
    """,
    "jobs held with one above that waits for no place": """
        with recursive up(start, parent_id, held) as (
            select id, parent_id, 0 from job where held = 4 and stopping = 0
            union all
            select up.start, j.parent_id, max(up.held, j.held = 3)
              from up join job j on j.id = up.parent_id)
        select start from up group by start having max(held) = 0
    """,
    "ended jobs that wait for a place": """
        select id from job where held > 2 and status > 1
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
    "pending jobs whose own run has ended": """
        select id from job where status = 0 and own_run <> 0 and stopping = 0
    """,
    "stopping jobs that could still commit": """
        select id from job where status < 2 and stopping > 0 and own_run = 0
    """,
    "jobs with a wrong end time": """
        select id from job where (completed_at is null) <> (status < 2)
    """,
    "jobs in the wrong tree": """
        select c.id from job c left join job p on p.id = c.parent_id
         where case when c.parent_id is null then c.root_id <> c.id or c.depth <> 0
                    else p.id is null or c.root_id <> p.root_id or c.depth <> p.depth + 1 end
    """,
    "attempts of jobs that are gone": """
        select distinct job_id from job_attempt where job_id not in (select id from job)
    """,
    "wrong counts of descendants": """
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
            or n_cancelled <> coalesce(x, 0)
    """,
    "wrong counts of children": """
        with real as (
            select parent_id,
                   sum(phase = 0 and status < 2) pre_open,
                   sum(phase = 0 and status > 2) pre_failed,
                   sum(phase = 1) core_total,
                   sum(phase = 1 and status < 2) core_open,
                   sum(phase = 1 and status = 3) core_failed,
                   sum(phase = 2 and status < 2) post_open,
                   sum(phase = 1 and (held = 3 or (own_run = 0 and message_id is null and held = 0
                                                   and unmet = 0))) wait_core,
                   sum(phase = 2 and own_run = 0 and message_id is null and held = 0
                       and unmet = 0) wait_post
              from job where parent_id is not null group by parent_id)
        select p.id from job p left join real r on r.parent_id = p.id
         where p.pre_open <> coalesce(r.pre_open, 0) or p.pre_failed <> coalesce(r.pre_failed, 0)
            or p.core_open <> coalesce(r.core_open, 0) or p.core_total <> coalesce(r.core_total, 0)
            or p.core_failed <> coalesce(r.core_failed, 0)
            or p.post_open <> coalesce(r.post_open, 0)
            or p.wait_core <> coalesce(r.wait_core, 0) or p.wait_post <> coalesce(r.wait_post, 0)
    """,
    "wrong counts of needs": """
        select j.id from job j
         where j.status < 2 and j.own_run = 0 and j.message_id is null
           and j.unmet <> (select count(*) from need d join job n on n.id = d.needs_id
                            where d.job_id = j.id
                              and not (n.status = 2 or (d.any_end = 1 and n.status > 2)))
    """,
    "jobs that wait for what cannot come": """
        select distinct d.job_id from need d join job n on n.id = d.needs_id
          join job j on j.id = d.job_id join job p on p.id = j.parent_id
         where j.status < 2 and j.own_run = 0 and j.message_id is null and p.stopping = 0
           and d.any_end = 0 and n.status > 2
    """,
    "needed jobs that do not know it": """
        select distinct d.needs_id from need d left join job n on n.id = d.needs_id
         where n.id is null or n.needed = 0
    """,
    "wrong counts of log entries": """
        with real as (select root_id, level, count(*) n from job_log group by 1, 2),
             kept as (select root_id, level, n from job_log_count where n <> 0)
        select distinct root_id from (
            select * from (select * from real except select * from kept)
            union all select * from (select * from kept except select * from real))
    """,
}


def checks(limit: int = 20) -> list[Check]:
    """All checks; each says in words what is wrong, up to `limit` of a kind, and stands alone."""
    named = [named_check(what, sql, limit) for what, sql in _CHECKS.items()]
    return [*named, _kept_counts, *queue_check.checks(limit)]


def faults(tx: ReadTx, limit: int = 20) -> list[str]:
    """What is wrong, in words; empty when everything agrees. Costs a pass over all rows."""
    return [fault for check in checks(limit) for fault in check(tx)]


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
