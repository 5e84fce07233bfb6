-- What pages were read from, as it came after content decoding, compressed by zlib (RFC 1950).
--   hash: BLAKE2b of the bytes before that, 16 bytes
create table body(
    hash blob primary key,
    bytes blob not null
);

-- The body that a document was last read from in full, and what else reading it depends on.
--   content_type: as the server said; robots: the values of X-Robots-Tag, a JSON array
--   canonical: the address that a Link header gave; entity_type: what the page is about where it
--   does not say so itself
--   read_at: when that was
create table document_body(
    document_id integer primary key,
    hash blob not null,
    content_type text,
    robots text not null,
    canonical text,
    entity_type text not null,
    read_at integer not null
);
create index document_body_hash on document_body(hash);
create index document_body_read on document_body(read_at);
