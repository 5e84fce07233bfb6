"""The SQLite engine: one writer with group commit, read-only readers, a fair place in the queue."""
