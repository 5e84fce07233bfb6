"""One database, written by one thread of a process, behind a small contract (`contract.py`)."""

from quaero.db.contract import Database, ReadTx, Tx
from quaero.db.sqlite.database import SqliteDatabase

__all__ = ["Database", "ReadTx", "SqliteDatabase", "Tx"]
