-- One crawl: the limit on pages and what it holds back, and what became of the pages.
create table crawl(
    root_id integer primary key,
    identity text not null,
    max_pages integer not null,
    admitted integer not null default 0,
    waiting integer not null default 0,
    created integer not null default 0,
    changed integer not null default 0,
    unchanged integer not null default 0,
    gone integer not null default 0,
    empty integer not null default 0
);
create index crawl_identity on crawl(identity, root_id);

-- The addresses a crawl knows; `job_id` is set where a redirect led a job there.
create table crawl_url(
    root_id integer not null,
    hash blob not null,
    job_id integer not null default 0,
    primary key(root_id, hash)
) without rowid;

-- Known addresses beyond the page limit, in the order they were found.
create table crawl_waiting(
    id integer primary key,
    root_id integer not null,
    url text not null,
    depth integer not null,
    found_on text
);
create index crawl_waiting_root on crawl_waiting(root_id, id);

create table crawl_refusal(
    root_id integer not null,
    reason text not null,
    n integer not null,
    samples text not null,
    primary key(root_id, reason)
) without rowid;

-- The links of a page as it had them when it was last fetched, for recrawls that find it unchanged.
create table page_links(
    source_id integer not null,
    hash blob not null,
    links blob not null,
    primary key(source_id, hash)
) without rowid;
