"""What the two databases do differently, behind one small face.

A Database opens connections, begins write transactions, inserts rows of events in bulk, and knows
which of its errors end the writer. Everything else in this room is the same code for both.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from ledger.errors import LedgerError, Reason, invalid_field

if TYPE_CHECKING:
    from ledger.storage.sealed_keys import SealedKeys

EVENT_COLUMNS = (
    "ledger_id",
    "position",
    "stream",
    "stream_version",
    "type",
    "recorded_at",
    "observed_at",
    "body",
    "salt",
    "body_hash",
    "prev_hash",
    "event_hash",
)
EVENT_WIDTH = len(EVENT_COLUMNS)


class Database(ABC):
    """One database: an engine that writes on one connection, and an engine for readers."""

    writer: Engine
    """Hands out the connection of the writer thread; unusable when opened read-only."""
    reader: Engine
    """Hands out read-only connections in autocommit mode, each statement its own snapshot."""
    shared: bool
    """Whether other servers may append to the same database."""
    key_file: Path | None
    """Where the master key stands unless another place is named; None where it must be named."""
    snapshot_begin: str
    """The statement with which a reader's connection begins to see one moment only."""

    @abstractmethod
    def prepare(self, keys: "SealedKeys") -> None:
        """Create or upgrade the schema, and check that commits are durable here."""

    @abstractmethod
    def fetch(self, connection: Connection, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement without values, as quickly as the driver can."""

    @abstractmethod
    def mark_scrub(self, connection: Connection) -> None:
        """Note, with the transaction, that it deletes what may not stay in any file."""

    @abstractmethod
    def scrub(self) -> None:
        """Remove what deleted content has left in files, as far as that is ours to do.

        On the writer's thread, outside a transaction. STORE_UNAVAILABLE if it must be tried again.
        """

    @abstractmethod
    def lock_ledgers(self, connection: Connection) -> None:
        """Keep other servers from creating ledgers until the transaction ends."""

    @abstractmethod
    def insert_events(self, connection: Connection, values: Sequence[Any]) -> None:
        """Insert rows of events, given flat: EVENT_WIDTH values for each."""

    @abstractmethod
    def after_commit(self) -> None:
        """Do what is due after a commit; STORE_UNAVAILABLE if it may not be durable after all."""

    @abstractmethod
    def announce(self, connection: Connection) -> None:
        """Tell other servers, with the commit, that a head has moved."""

    @abstractmethod
    def wait_for_announcement(self, timeout_seconds: float) -> None:
        """Block a watcher thread until another server may have committed, or time is up."""

    @abstractmethod
    def interrupt(self) -> None:
        """Wake whoever waits for an announcement."""

    @abstractmethod
    def check_structure(self) -> None:
        """Check what lies below the rows, as far as the database can; CHAIN_BROKEN at damage."""

    @abstractmethod
    def is_passing(self, error: DBAPIError) -> bool:
        """Return whether the writer may go on after an error on a fresh connection."""

    @abstractmethod
    def close(self) -> None:
        """Release connections and locks."""


def unavailable(what: str, *, remedy: str, retry: bool = True) -> LedgerError:
    """Return STORE_UNAVAILABLE; `retry` false where only a person can help."""
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        what,
        remedy=remedy,
        retry_after_seconds=1.0 if retry else None,
    )


def damaged(why: str) -> LedgerError:
    """Return the integrity failure that no event is to blame for."""
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"The database is damaged: {why}.",
        remedy="Stop writing, keep this file as evidence, and restore from a copy that verifies.",
        metadata={"position": "0", "why": why},
    )


def open_database(url: str, *, read_only: bool = False) -> Database:
    """Return the database that a URL names; a bare path is a SQLite file.

    FIELD_INVALID for a URL of another kind, STORE_UNAVAILABLE where it cannot be opened.
    """
    if "://" not in url:
        from ledger.storage.sqlite import SqliteDatabase  # noqa: PLC0415 - one driver is enough

        return SqliteDatabase(Path(url), read_only=read_only)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise invalid_field("database", f"{url[:80]!r} is not a database URL") from error
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database and parsed.database != ":memory:":
        from ledger.storage.sqlite import SqliteDatabase  # noqa: PLC0415 - one driver is enough

        return SqliteDatabase(Path(parsed.database), read_only=read_only)
    if kind == "postgresql":
        try:
            from ledger.storage.postgres import PostgresDatabase  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise unavailable(
                f"PostgreSQL needs a driver that is not installed: {error}.",
                remedy="Install `decision-ledger[postgres]`.",
                retry=False,
            ) from error
        return PostgresDatabase(parsed, read_only=read_only)
    raise invalid_field(
        "database",
        f"{parsed.render_as_string()[:80]!r} is neither a SQLite file nor PostgreSQL",
        remedy="Write sqlite:///path/to/ledger.db or postgresql+psycopg://user@host/name.",
    )
