"""The differences of the two databases, behind one small interface.

A Database opens connections, begins write transactions, inserts rows of events in bulk, and knows
which of its errors end the writer. Everything else in this room is the same code for both.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ledger.clock import Clock
from ledger.database_url import refuse_malformed, shown
from ledger.errors import DATABASE_ERROR, LedgerError, Reason, chain_broken, invalid_field
from ledger.events.values import SECOND
from ledger.storage.schema import events

if TYPE_CHECKING:
    from ledger.storage.vault import SealedKeys

EVENT_COLUMNS: Final = tuple(column.name for column in events.columns)
EVENT_WIDTH = len(EVENT_COLUMNS)
_CAUSE_CHARS_MAX: Final = 300
_PASSES: Final = "Send the same request with the same request id again."
_LASTS: Final = "See `decision-ledger doctor`; correct the cause, then send the request again."


class Fault(Enum):
    """The meaning of a database error for the caller."""

    PASSES = "passes"
    """The database or the way to it was out of order for a moment: the same again helps."""
    LASTS = "lasts"
    """It stays until a person has done something about it."""
    DAMAGE = "damage"
    """The stored data are not those of a ledger's database."""
    DEFECT = "defect"
    """The statement or its values were wrong: ours to repair."""


class Database(ABC):
    """One database: an engine that writes on one connection, and an engine for readers."""

    writer: Engine
    """Hands out the connection of the writer thread; unusable when opened read-only."""
    reader: Engine
    """Hands out read-only connections in autocommit mode, each statement its own snapshot."""
    shared: bool
    """Whether other servers may append to the same database."""
    key_file: Path | None
    """Where the master key is unless another place is named; None where it must be named."""
    snapshot_begin: str
    """The statement with which a reader's connection begins to see one moment only."""

    had_log = False
    """Whether a log of what was committed lay beside the file when it was opened (SQLite)."""

    @abstractmethod
    def prepare(self, keys: "SealedKeys", *, create: bool = False) -> None:
        """Upgrade the schema, or create it where `create` says so; check that commits last here.

        STORE_UNAVAILABLE where there is no ledger and none is to be created.
        """

    def check_held(self) -> None:  # noqa: B027 - a server's database cannot be moved away
        """Raise FileLostError where what is open is not what lies there any more; quick.

        Before each commit and after it, and each second without one.
        """

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
        """Wake the threads that wait for an announcement."""

    @abstractmethod
    def fault_of(self, error: DBAPIError) -> tuple[Fault, str]:
        """Return what an error means, and the code that the database gives it."""

    @abstractmethod
    def may_go_on(self, fault: Fault) -> bool:
        """Return whether the writer may go on after a fault, on a fresh connection."""

    def check_writable(self, connection: Connection) -> None:  # noqa: B027 - nothing to look at
        """Look at the session of a transaction that has begun: whether it may write, durably.

        STORE_UNAVAILABLE where not. Nothing was written yet, so a lost connection shows here.
        """

    def after_failure(self, code: str) -> None:  # noqa: B027 - nothing to do
        """Do what lets the next transaction succeed after an error with this code."""

    def lease_micros(self, connection: Connection, clock: Clock) -> int:  # noqa: ARG002
        """Return the time by which leases are counted: one for all who may hold them."""
        return round(clock.monotonic_seconds() * SECOND)

    def refusal(self, error: DBAPIError, *, doing: str = "answer") -> Exception:
        """Return what to raise for an error of this database: the one place that decides.

        STORE_UNAVAILABLE, CHAIN_BROKEN for damage; the error itself where the fault is ours.
        """
        fault, code = self.fault_of(error)
        cause = " ".join(str(error.orig).split())[:_CAUSE_CHARS_MAX]
        if fault is Fault.DEFECT:
            return error
        if fault is Fault.DAMAGE:
            return damaged(cause)
        return unavailable(
            f"The database did not {doing}: {cause}.",
            remedy=_PASSES if fault is Fault.PASSES else _LASTS,
            retry=fault is Fault.PASSES,
            code=code,
        )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection of the readers; its errors become what `refusal` makes of them."""
        try:
            with self.reader.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self.refusal(error) from error
        except PoolTimeoutError as error:
            raise unavailable(
                "All connections for reading are in use.", remedy=_PASSES, code="pool"
            ) from error

    @abstractmethod
    def close(self) -> None:
        """Release connections and locks."""


def unavailable(what: str, *, remedy: str, retry: bool = True, code: str = "") -> LedgerError:
    """Return STORE_UNAVAILABLE; `retry` false where only a person can help.

    `code`: of the database's own error, where there is one.
    """
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        what,
        remedy=remedy,
        retry_after_seconds=1.0 if retry else None,
        metadata={DATABASE_ERROR: code} if code else None,
    )


def damaged(why: str) -> LedgerError:
    """Return the integrity failure that no event is to blame for."""
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"The database is damaged: {why}.",
        remedy="Stop writing, keep this file as evidence, and restore from a copy that verifies.",
        metadata={"position": "0", "why": why},
    )


def stored_bytes(value: object, what: str) -> bytes:
    """Return the bytes in a column; CHAIN_BROKEN for all else: of a number, `bytes` makes zeros."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise damaged(f"{what} is stored as {type(value).__name__}, not as bytes")
    return bytes(value)


def beyond_head(position: int, head: int) -> LedgerError:
    """Return the refusal of an event that is there, and that the stored head does not know."""
    return chain_broken(position, f"it is there, and the stored head is at position {head}")


def misindexed(position: int, *, is_observation: bool) -> LedgerError:
    """Return the refusal of a row that is not found as what it is."""
    has = "no time" if is_observation else "a time"
    kind = "an observation" if is_observation else "none"
    return chain_broken(position, f"its row has {has} of observation, and it is {kind}")


def sqlite_file(url: str) -> Path | None:
    """Return the SQLite file that a URL or bare path names, None for anything else.

    Symbolic links are followed: what lies beside a file lies beside it under every name.
    FIELD_INVALID for a malformed URL, and what seems to be one.
    """
    refuse_malformed(url)
    named = url
    if "://" in url:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            return None
        if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            return None
        named = str(parsed.database)
    return Path(os.path.realpath(named))


def open_database(
    url: str, *, read_only: bool = False, create: bool = False, companions: Sequence[Path] = ()
) -> Database:
    """Return the database that a URL names; a bare path is a SQLite file.

    `create`: make the file if it is missing, unless log, key or `companions` lie there without it.
    FIELD_INVALID for a URL of another kind, STORE_UNAVAILABLE where it cannot be opened.
    """
    if (path := sqlite_file(url)) is not None:
        from ledger.storage.sqlite import SqliteDatabase  # noqa: PLC0415 - one driver is enough

        if read_only:
            return SqliteDatabase(path, read_only=True)
        return SqliteDatabase(path, create=create, companions=companions)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the latter of a port
        raise invalid_field("database", f"{shown(url)[:80]!r} is not a database URL") from error
    if parsed.get_backend_name() == "postgresql":
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
        f"{shown(url)[:80]!r} is neither a SQLite file nor PostgreSQL",
        remedy="Write sqlite:///path/to/ledger.db or postgresql+psycopg://user@host/name.",
    )
