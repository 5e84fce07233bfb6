insert into sequence(name, last) values ('document', 0);

-- One collected page. Its text lies apart, so that lists and unchanged recrawls never touch it.
--   source_id: 0 for none
--   detail_level: 0 metadata, 1 full
--   dated: what `before:` and `after:` compare, microseconds: modified, else published, else
--   changed_at
--   version: the number of the present text, from 1; earlier ones are in document_version
--   bytes: the text's length in UTF-8
create table document(
    id integer primary key,
    source_id integer not null,
    url text not null,
    site text not null,
    source_type text not null,
    title text not null,
    description text,
    language text,
    author text,
    published text,
    modified text,
    dated integer not null,
    etag text,
    last_modified text,
    content_hash text not null,
    words integer not null,
    bytes integer not null,
    detail_level integer not null,
    version integer not null default 1,
    first_seen integer not null,
    fetched_at integer not null,
    changed_at integer not null,
    gone_at integer,
    job_id integer,
    root_id integer
);
create unique index document_key on document(source_id, url);
create index document_source on document(source_id, id);
create index document_site on document(site, id);
create index document_type on document(source_type, id);
create index document_root on document(root_id, id) where root_id is not null;
create index document_gone on document(id) where gone_at is not null;

-- metadata: a JSON object
create table document_text(
    document_id integer primary key,
    text text not null,
    metadata text not null
);

create table document_tag(
    document_id integer not null,
    tag text not null,
    primary key(document_id, tag)
) without rowid;
create index document_tag_tag on document_tag(tag, document_id);

-- Texts that were replaced, compressed by zlib (RFC 1950). From `since` until `until` this was
-- what the page said.
create table document_version(
    document_id integer not null,
    number integer not null,
    title text not null,
    content_hash text not null,
    words integer not null,
    since integer not null,
    until integer not null,
    text blob not null,
    primary key(document_id, number)
) without rowid;

-- kind: 'all' (key ''), 'source', 'type', 'site', 'tag'; changed with the documents
create table document_count(
    kind text not null,
    key text not null,
    documents integer not null default 0,
    gone integer not null default 0,
    words integer not null default 0,
    bytes integer not null default 0,
    primary key(kind, key)
) without rowid;
create index document_count_most on document_count(kind, documents desc, key);

-- The text is not kept a second time. Merging is left to idle times as far as can be: a commit
-- does a share of it from 8 segments of a level on, and never clears out what was deleted.
create virtual table document_fts using fts5(
    title, text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
insert into document_fts(document_fts, rank) values ('automerge', 8);
insert into document_fts(document_fts, rank) values ('crisismerge', 64);
insert into document_fts(document_fts, rank) values ('deletemerge', 0);
insert into document_fts(document_fts, rank) values ('rank', 'bm25(8.0, 1.0)');
