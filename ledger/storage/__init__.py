"""The event store: the only SQL that writes the ledger, on a SQLite file or on PostgreSQL."""

from ledger.storage.records import (
    AppendRequest,
    AppendResult,
    CommitCallback,
    CreateLedger,
    Guard,
    Head,
    LedgerInfo,
    NewEvent,
)
from ledger.storage.store import Store, open_store

__all__ = [
    "AppendRequest",
    "AppendResult",
    "CommitCallback",
    "CreateLedger",
    "Guard",
    "Head",
    "LedgerInfo",
    "NewEvent",
    "Store",
    "open_store",
]
