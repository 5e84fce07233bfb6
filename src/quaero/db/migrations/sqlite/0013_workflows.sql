-- Workflows as people wrote them. origin: own, file, ready (shipped with the program)
create table definition(
    id text primary key,
    origin text not null,
    format text not null,
    text text not null,
    name text not null,
    enabled integer not null,
    auto_start integer not null,
    created_at integer not null,
    changed_at integer not null,
    rev integer not null default 1
) without rowid;

-- Which definitions run which others.
create table definition_call(
    definition_id text not null,
    called_id text not null,
    primary key(definition_id, called_id)
) without rowid;
create index definition_call_of on definition_call(called_id);

-- The files of the definitions' folder, each with the definition it holds, or why it holds none.
create table definition_file(
    path text primary key,
    hash text not null,
    definition_id text,
    problem text
) without rowid;
create index definition_file_of on definition_file(definition_id);

-- When definitions are due. paused: 0 no, 1 by somebody; next_at is null while nothing is due.
-- blocked: a run is due and waits for the end of the one before
create table schedule(
    definition_id text primary key,
    cron text not null,
    timezone text not null,
    missed text not null,
    overlap text not null,
    paused integer not null default 0,
    blocked integer not null default 0,
    next_at integer,
    last_at integer,
    last_run_id integer,
    last_note text,
    left_out integer not null default 0
) without rowid;
create index schedule_next on schedule(next_at) where next_at is not null and blocked = 0;
create index schedule_blocked on schedule(definition_id) where blocked = 1;

-- The runs of a definition. One for each time that was due, over all processes.
create table run(
    job_id integer primary key,
    definition_id text not null,
    began_at integer not null,
    cause text not null,
    due_at integer
);
create index run_of on run(definition_id, job_id);
create unique index run_due on run(definition_id, due_at) where due_at is not null;
