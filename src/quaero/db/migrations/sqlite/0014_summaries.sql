-- What was made of a document beside its text.
--   kind: 0 summary, 1 keywords (a JSON array of texts)
--   content_hash: that of the title and text it was made of; another one than the document's says
--     that the document has changed since
--   maker: what made it, as people are told: 'extractive', or the name of a model
--   recipe: maker, version and settings; what has the same hash and recipe need not be made again
create table document_note(
    document_id integer not null,
    kind integer not null,
    text text not null,
    maker text not null,
    recipe text not null,
    content_hash text not null,
    made_at integer not null,
    job_id integer,
    primary key(document_id, kind)
) without rowid;
create index document_note_same on document_note(content_hash, kind, recipe);

-- Every call of a model. duration is in microseconds; prompt and answer only where that was asked
-- for; error is null for what went well.
create table model_call(
    id integer primary key,
    at integer not null,
    model text not null,
    operation text not null,
    job_id integer,
    document_id integer,
    tokens_in integer not null,
    tokens_out integer not null,
    duration integer not null,
    error text,
    prompt text,
    answer text
);
create index model_call_at on model_call(at);

-- Calls so far and what they cost, by what bounded words can tell; kept when old calls go.
create table model_total(
    operation text not null,
    outcome text not null,
    calls integer not null default 0,
    tokens_in integer not null default 0,
    tokens_out integer not null default 0,
    duration integer not null default 0,
    primary key(operation, outcome)
) without rowid;
