"""The event store: the only SQL that writes the ledger, on a SQLite file or on PostgreSQL."""

from ledger.storage.sql_store import SqlStore, open_store
from ledger.storage.store import (
    AppendRequest,
    AppendResult,
    CommitCallback,
    CreateLedger,
    Guard,
    Head,
    LedgerInfo,
    NewEvent,
    Reader,
    Store,
)

__all__ = [
    "AppendRequest",
    "AppendResult",
    "CommitCallback",
    "CreateLedger",
    "Guard",
    "Head",
    "LedgerInfo",
    "NewEvent",
    "Reader",
    "SqlStore",
    "Store",
    "open_store",
]
