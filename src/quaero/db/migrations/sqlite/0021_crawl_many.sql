-- How many addresses of a crawl differ in their query only, or are of one host: pages that exist in
-- endless variants are known by that. `hash` is of what they have in common.
create table crawl_many(
    root_id integer not null,
    hash blob not null,
    n integer not null,
    primary key(root_id, hash)
) without rowid;
