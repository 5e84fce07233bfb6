"""The plain loop: a queue in the shape of goqite that commits each send, receive and delete.

One table with a text key, one index, one trigger that stamps changes, one connection, WAL and
`synchronous=FULL`, all defaults else. It is what a careful person writes in an afternoon.
"""

from __future__ import annotations

import time
from pathlib import Path

import apsw

SCHEMA = """
create table message(
    id text primary key default ('m_' || lower(hex(randomblob(16)))),
    created text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
    updated text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
    queue text not null,
    body blob not null,
    timeout text not null default (strftime('%Y-%m-%dT%H:%M:%fZ')),
    received integer not null default 0
) strict;
create trigger message_updated after update on message begin
    update message set updated = strftime('%Y-%m-%dT%H:%M:%fZ') where id = old.id;
end;
create index message_queue_created on message(queue, created);
"""


class LoopQueue:
    """Three verbs, a commit each."""

    def __init__(self, path: Path) -> None:
        self.db = apsw.Connection(str(path))
        self.db.pragma("journal_mode", "wal")
        self.db.pragma("synchronous", "full")
        self.db.pragma("busy_timeout", 5000)
        self.db.execute(SCHEMA)

    def send(self, body: bytes) -> None:
        self.db.execute("insert into message(queue, body) values('q', ?)", (body,))

    def receive(self) -> tuple[str, bytes] | None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e3):03d}Z"
        until = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + 300)) + ".000Z"
        rows = self.db.execute(
            """
            update message set timeout = ?, received = received + 1
             where id = (select id from message where queue = 'q' and ? >= timeout and received < 3
                          order by created limit 1)
            returning id, body
            """,
            (until, stamp),
        ).fetchall()
        return rows[0] if rows else None

    def delete(self, id_: str) -> None:
        self.db.execute("delete from message where queue = 'q' and id = ?", (id_,))

    def close(self) -> None:
        self.db.close()
