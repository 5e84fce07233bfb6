-- Numbers given to rows before they are inserted; never given twice.
create table sequence(
    name text primary key,
    last integer not null
) without rowid;
insert into sequence(name, last) values ('message', 0), ('job', 0), ('holder', 0);

-- One row: how the machine's boot-time clock becomes the lease clock.
create table lease_clock(
    boot_id text not null,
    clock_offset integer not null,
    seen integer not null
);

-- Counts are kept with every change, so statistics cost the same however much there is.
create table queue(
    id integer primary key,
    name text not null unique,
    paused integer not null default 0,
    ready integer not null default 0,
    delayed integer not null default 0,
    leased integer not null default 0,
    dead integer not null default 0,
    scheduled integer not null default 0,
    parked integer not null default 0,
    suspect integer not null default 0
);

-- state: 0 empty, 1 open, 2 full, 3 cooling. `pace` is what the other side asks for (robots.txt),
-- the interval in force is the greater of the two.
create table lane(
    id integer primary key,
    queue_id integer not null references queue(id),
    key text not null,
    max_running integer not null,
    min_interval integer not null,
    pace integer not null default 0,
    running integer not null default 0,
    ready integer not null default 0,
    next_start integer not null default 0,
    head integer not null default 0,
    turn integer not null default 0,
    state integer not null default 0,
    unique(queue_id, key)
);
create index lane_open on lane(queue_id, head desc, turn) where state = 1;
create index lane_cool on lane(queue_id, next_start) where state = 3;

-- state: 0 ready, 1 delayed (due on the lease clock), 2 leased, 3 dead, 4 scheduled (due on the
-- wall clock), 5 parked (no worker knows the type), 6 suspect (ready, but to be run alone).
-- `due` of a ready message is when it became ready.
create table message(
    id integer primary key,
    queue_id integer not null,
    lane_id integer not null default 0,
    priority integer not null default 0,
    state integer not null,
    due integer not null,
    lease_until integer not null default 0,
    lease_no integer not null default 0,
    receives integer not null default 0,
    holder integer not null default 0,
    job_id integer not null default 0,
    created_at integer not null,
    type text not null,
    payload text,
    dedup text
);
create index message_ready on message(queue_id, lane_id, priority desc, id) where state = 0;
create index message_age on message(queue_id, due) where state = 0;
create index message_delayed on message(queue_id, due) where state = 1;
create index message_scheduled on message(queue_id, due) where state = 4;
create index message_leased on message(queue_id, lease_until) where state = 2;
create index message_dead on message(queue_id, id) where state = 3;
create index message_parked on message(queue_id, type, id) where state = 5;
create index message_suspect on message(queue_id, id) where state = 6;
create unique index message_dedup on message(queue_id, dedup) where dedup is not null;
-- Which lanes are still named by what neither waits nor runs.
create index message_laned on message(lane_id)
    where lane_id <> 0 and state in (1, 3, 4, 5, 6);

-- The errors of a message's deliveries, in order; they go with the message.
create table delivery_error(
    message_id integer not null,
    lease_no integer not null,
    at integer not null,
    error text not null,
    primary key(message_id, lease_no)
) without rowid;

-- The processes that hold leases; a dead one is known by its unlocked file. A parent watches over
-- its child and speaks for it.
create table holder(
    id integer primary key,
    pid integer not null,
    host text not null,
    boot_id text not null,
    started_at integer not null,
    parent_id integer not null default 0
);
