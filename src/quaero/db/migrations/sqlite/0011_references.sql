-- What a document is about: 'page', or in sources that tell 'issue', 'project', 'space' …
alter table document add column entity_type text not null default 'page';
create index document_entity on document(entity_type, id) where entity_type <> 'page';

-- What the text of a document refers to; most documents have no row.
--   kind: 'issue', 'pull_request', 'mention', 'page'; key: what it is called there
--   url: the address of the link, null where only the key is written
create table document_reference(
    document_id integer not null,
    kind text not null,
    key text not null,
    url text,
    primary key(document_id, kind, key)
) without rowid;
create index document_reference_key on document_reference(kind, key, document_id);

-- Under what names documents can be referred to: an issue's key, a page's number and its title.
create table document_name(
    document_id integer not null,
    kind text not null,
    key text not null,
    primary key(document_id, kind, key)
) without rowid;
create index document_name_key on document_name(kind, key, document_id);
