insert into sequence(name, last) values ('source', 0);

-- What is collected, and how.
--   base_url: an address, or the path of a folder
--   settings: JSON of the crawl's settings; tags: JSON list
--   rev: grows with every edit; what If-Match compares
--   run_id: the newest run; ended_run_id: the one before it, shown while the newest is under way
create table source(
    id integer primary key,
    name text not null unique,
    kind text not null,
    base_url text not null,
    credential integer,
    settings text not null,
    tags text not null,
    enabled integer not null default 1,
    rev integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    run_id integer,
    ended_run_id integer
);

-- In one word, why the crawl was stopped: 'login'
alter table crawl add column stopped_by text;
