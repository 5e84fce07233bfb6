-- What is known about one unit of work.
--   status: 0 pending, 1 running, 2 completed, 3 failed, 4 cancelled
--   phase: 0 pre, 1 core, 2 post
--   own_run: 0 not ended, 1 well, 2 failed, 3 stopped
--   stopping: 0 no, 1 cancelled by somebody, 2 failing, 3 goes with an ancestor
--   n_*: descendants by status; *_open, *_failed: direct children of a phase;
--   wait_*: direct children that have no message yet because their phase has not begun
create table job(
    id integer primary key,
    parent_id integer,
    root_id integer not null,
    depth integer not null,
    type text not null,
    phase integer not null,
    name text not null,
    description text,
    status integer not null,
    priority integer not null,
    payload text not null,
    result text,
    error text,
    state text,
    lane text,
    timeout integer,
    attempt integer not null default 0,
    round integer not null default 1,
    rerun_of integer,
    held integer not null default 0,
    created_at integer not null,
    run_at integer,
    started_at integer,
    completed_at integer,
    progress_current integer,
    progress_total integer,
    progress_text text,
    message_id integer,
    queue_id integer not null,
    own_run integer not null default 0,
    stopping integer not null default 0,
    n_pending integer not null default 0,
    n_running integer not null default 0,
    n_completed integer not null default 0,
    n_failed integer not null default 0,
    n_cancelled integer not null default 0,
    pre_open integer not null default 0,
    pre_failed integer not null default 0,
    core_open integer not null default 0,
    core_total integer not null default 0,
    core_failed integer not null default 0,
    post_open integer not null default 0,
    wait_core integer not null default 0,
    wait_post integer not null default 0,
    max_child_failures integer not null default 0,
    failure_action integer not null default 0,
    warnings integer not null default 0,
    rev integer not null default 1
);
create index job_top on job(id) where parent_id is null;
create index job_top_status on job(status, id) where parent_id is null;
create index job_child on job(parent_id, id) where parent_id is not null;
create index job_child_open on job(parent_id, id) where status < 2 and parent_id is not null;
create index job_child_flawed on job(parent_id, id)
    where (status > 2 or n_failed > 0 or n_cancelled > 0) and parent_id is not null;
create index job_top_ended on job(completed_at) where parent_id is null and status > 1;
create index job_stopping on job(id) where stopping > 0 and status < 2;

-- Jobs by type and status, top-level ones apart; changed in the transaction that changes a job.
create table job_count(
    top integer not null,
    type text not null,
    status integer not null,
    n integer not null,
    primary key(top, type, status)
) without rowid;

-- Attempts that did not end well. The last, good one is told by the job itself.
create table job_attempt(
    job_id integer not null,
    lease_no integer not null,
    attempt integer not null,
    round integer not null,
    started_at integer,
    ended_at integer not null,
    outcome text not null,
    error text,
    primary key(job_id, round, lease_no)
) without rowid;

-- level: 0 debug, 1 info, 2 warn, 3 error
create table job_log(
    id integer primary key autoincrement,
    job_id integer not null,
    root_id integer not null,
    attempt integer not null,
    at integer not null,
    level integer not null,
    message text not null,
    fields text
);
create index job_log_job on job_log(job_id, id);
create index job_log_root on job_log(root_id, id);
create index job_log_root_grave on job_log(root_id, id) where level >= 2;

create table job_log_count(
    root_id integer not null,
    level integer not null,
    n integer not null,
    primary key(root_id, level)
) without rowid;

-- The change feed: which jobs of a tree changed, in order of commit.
create table event(
    seq integer primary key autoincrement,
    at integer not null,
    root_id integer not null,
    kind text not null,
    data text not null
);

-- The first answer to a creation, given again for the same key.
create table idempotency(
    key text primary key,
    request text not null,
    job_id integer not null,
    created_at integer not null
) without rowid;
create index idempotency_job on idempotency(job_id);
create index idempotency_age on idempotency(created_at);
