"""The event store: the only SQL that writes the ledger, on a SQLite file or on PostgreSQL."""
