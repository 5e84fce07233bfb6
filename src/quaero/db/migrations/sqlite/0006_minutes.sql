-- What names this database: a place in its feed means nothing in another.
create table identity(
    id text not null
);
insert into identity(id) values (lower(hex(randomblob(8))));

-- What ended in each minute (of Unix time), by job type.
--   measure: 0 jobs that ended (bucket: the status), 1 microseconds in sum (bucket: 0 of runs,
--   1 of waits), 2 runs by how long they took, 3 by how long they waited (bucket: jobs/minutes.py)
create table job_minute(
    minute integer not null,
    type text not null,
    measure integer not null,
    bucket integer not null,
    n integer not null,
    primary key(minute, type, measure, bucket)
) without rowid;

-- The greatest depth a queue was seen to have in each minute. A minute in which no process looked
-- has no row.
create table queue_minute(
    minute integer not null,
    queue_id integer not null,
    depth integer not null,
    primary key(minute, queue_id)
) without rowid;

-- The processes of the program, as each last told of itself; `report` is a JSON object.
create table process(
    id integer primary key,
    role text not null,
    pid integer not null,
    host text not null,
    started_at integer not null,
    at integer not null,
    report text not null
);
insert into sequence(name, last) values ('process', 0);
