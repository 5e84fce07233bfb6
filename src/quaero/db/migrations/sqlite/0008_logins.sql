-- This database as key files know it, and the key that seals its logins: null until the first.
create table vault(
    id text not null primary key,
    key_id text
);
insert into vault(id) values (lower(hex(randomblob(8))));

-- One login: what may be shown of it, and what may not, sealed by the key that is named.
--   version: grows when a person or an extension changes it; revision with every new seal
--   expires_at: the first expiry of what keeps it logged in, null where nothing says
create table credential(
    id integer primary key,
    base_url text not null unique,
    site text not null,
    cookies integer not null,
    headers integer not null,
    user_agent text,
    captured_at integer not null,
    updated_at integer not null,
    expires_at integer,
    tested_at integer,
    test_ok integer,
    test_detail text not null default '',
    version integer not null default 1,
    revision integer not null default 1,
    key_id text not null,
    sealed blob not null
);
create index credential_key on credential(key_id);
create index credential_expiry on credential(expires_at) where expires_at is not null;

insert into sequence(name, last) values ('credential', 0);

-- The one code by which an extension may be paired now; only a slow hash of it is kept.
create table pairing(
    id integer primary key check (id = 1),
    salt blob not null,
    hash blob not null,
    expires_at integer not null,
    tries integer not null
);

-- Extensions that may hand over logins: their exact origin, and a hash of their token.
create table extension(
    id integer primary key autoincrement,
    origin text not null unique,
    token_hash blob not null,
    paired_at integer not null,
    used_at integer
);
