"""One database, written by one thread of a process, behind a small contract (`contract.py`)."""

from quaero.db.contract import Database, ReadTx, Tx
from quaero.db.sqlite.connection import size_of, wal_of
from quaero.db.sqlite.database import SqliteDatabase
from quaero.db.sqlite.room import LOW_WATER

__all__ = ["LOW_WATER", "Database", "ReadTx", "SqliteDatabase", "Tx", "size_of", "wal_of"]
