"""SQLite: one file, one writing process, WAL with synchronous=FULL.

The writer's connection is the only one that writes and the only one that checkpoints; readers open
the file read-only. SQLite before 3.51.3 can corrupt a WAL database that several connections
checkpoint, so a lock on the file keeps a second server out (`locked_file`).
"""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog
from sqlalchemy import Connection, Engine, PoolProxiedConnection, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from ledger.engines import sqlite_engine
from ledger.errors import LedgerError
from ledger.storage import migration, schema
from ledger.storage.database import (
    EVENT_COLUMNS,
    EVENT_WIDTH,
    Database,
    Fault,
    damaged,
    unavailable,
)
from ledger.storage.locked_file import FileLostError, LockedFile, look, no_file
from ledger.storage.migration import SCRUB_DUE
from ledger.storage.vault import SealedKeys
from ledger.storage.wal_file import HEADER_BYTES

BUSY_TIMEOUT_MS: Final = 5_000
CHECKPOINT_WAIT_MS: Final = 100  # how long a checkpoint may hold up the writer for a slow reader
SCRUB_WAIT_MS: Final = 5_000  # how long an erasure may wait for readers to let go of the log
WAL_PAGES: Final = 16_000  # 64 MiB: checkpoint in passing when the WAL has grown by this
WAL_BYTES_MAX: Final = 256 * 1024 * 1024  # then wait for readers, so that the WAL starts again
READERS_MAX: Final = 64
POLL_SECONDS: Final = 0.1
_CHUNKS: Final = (256, 128, 64, 32, 16, 8, 4, 2, 1)  # few sizes, so that statements stay prepared
_SYNCHRONOUS_FULL: Final = 2
_LOOKS: Final = 3
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FAULTS: Final = {
    sqlite3.SQLITE_BUSY: Fault.PASSES,
    sqlite3.SQLITE_LOCKED: Fault.PASSES,
    sqlite3.SQLITE_NOMEM: Fault.LASTS,
    sqlite3.SQLITE_PROTOCOL: Fault.LASTS,
    sqlite3.SQLITE_IOERR: Fault.LASTS,
    sqlite3.SQLITE_FULL: Fault.LASTS,
    sqlite3.SQLITE_READONLY: Fault.LASTS,
    sqlite3.SQLITE_CANTOPEN: Fault.LASTS,
    sqlite3.SQLITE_PERM: Fault.LASTS,
    sqlite3.SQLITE_AUTH: Fault.LASTS,
    sqlite3.SQLITE_NOLFS: Fault.LASTS,
}

_log: Final = structlog.get_logger("ledger.storage")

_INSERT: Final = {
    rows: f"INSERT INTO events ({', '.join(EVENT_COLUMNS)}) VALUES "  # noqa: S608 - our own names
    + ", ".join(["(" + ", ".join("?" * EVENT_WIDTH) + ")"] * rows)
    for rows in _CHUNKS
}


class SqliteDatabase(Database):
    """One SQLite file. Opening takes the file's lock, unless read-only."""

    shared = False
    snapshot_begin = "BEGIN"

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        create: bool = False,
        companions: Sequence[Path] = (),
    ) -> None:
        """Take the file at a path, which must be free of symbolic links; see `LockedFile`."""
        self._path = path
        self.key_file = path.with_name(path.name + ".key")
        self._closing = threading.Event()
        self._held: LockedFile | None = None
        if read_only:
            _look(path)
        else:
            self._held = LockedFile(path, create=create, companions=companions)
            self.had_log = self._held.had_log
        self.writer = self._writing_engine()
        self.reader = self._reading_engine()

    def prepare(self, keys: SealedKeys, *, create: bool = False) -> None:
        """Upgrade the schema, or create it where `create` says so; check that commits last here."""
        try:
            self._prepare(keys, create)
        except DBAPIError as error:
            raise self.refusal(error, doing=f"open {self._path}") from error
        except sqlite3.Error as error:  # of a connection that was being opened
            wrapped = DBAPIError("", None, error)
            raise self.refusal(wrapped, doing=f"open {self._path}") from error
        except ValueError as error:  # text that is none
            raise damaged(f"{self._path.name}: {error}") from error

    def _prepare(self, keys: SealedKeys, create: bool) -> None:  # noqa: FBT001
        if self._held is None:
            with self.reader.connect() as connection:
                _check_version(connection)
            return
        with self.writer.connect() as connection:
            self._held.guard()
            self._held.hold_log()
            connection.rollback()
            with connection.begin():
                migration.prepare(connection, keys, create=create)
                # The file's lock is ours, so the holder of a lease in it was killed.
                connection.execute(schema.leases.delete())
            self._state_log(_raw(connection))
        try:
            self.scrub()
        except LedgerError as error:
            _log.warning("erased text may still stand in the log file", error=str(error))

    def check_held(self) -> None:
        """Raise FileLostError where the path is not the open file, or the log not whole."""
        if self._held is not None:
            self._held.check()

    def _state_log(self, raw: sqlite3.Connection) -> None:
        """Have a log that began again say which file it goes with; see `wal_file`.

        Where all of the log is in the file, the next transaction begins it again, with other salts:
        that one repeats the number that the file has, and the one after it states.
        """
        assert self._held is not None
        kept = b""  # the log that a reader kept from beginning again
        while (due := self._held.due_statement()) is not None:
            salts, number = due
            if self._held.is_moved() and salts != kept:
                raw.execute(f"PRAGMA application_id={self._held.application_id()}")
                kept = salts
                continue
            raw.execute(f"PRAGMA application_id={number}")
            self._held.note_statement(salts)
        self._held.note_log()

    def lock_ledgers(self, connection: Connection) -> None:
        """Do nothing: the transaction holds the whole file."""

    def insert_events(self, connection: Connection, values: Sequence[Any]) -> None:
        """Insert with many rows a statement: each step of SQLite gives up Python's lock once."""
        at, end = 0, len(values)
        for rows in _CHUNKS:
            width = rows * EVENT_WIDTH
            while end - at >= width:
                connection.exec_driver_sql(_INSERT[rows], tuple(values[at : at + width]))
                at += width

    def after_commit(self) -> None:
        """Keep the WAL bounded even while readers never pause, and its statement at its head."""
        assert self._held is not None
        self._held.check()
        self._held.note_log()
        is_long = self._held.log_bytes >= WAL_BYTES_MAX
        if not is_long and self._held.due_statement() is None:
            return
        with self.writer.connect() as connection:
            raw = _raw(connection)
            if is_long:
                _empty_log(raw, CHECKPOINT_WAIT_MS)
            self._state_log(raw)

    def fetch(self, connection: Connection, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement without values, past SQLAlchemy."""
        try:
            return _raw(connection).execute(statement).fetchall()
        except sqlite3.Error as error:  # in the words of the other statements
            raise OperationalError(statement, None, error) from error

    def mark_scrub(self, connection: Connection) -> None:
        """Note in the file, with the transaction, that deleted content has to leave it."""
        connection.exec_driver_sql(SCRUB_DUE)

    def scrub(self) -> None:
        """Rewrite the whole file and empty the log, if content was deleted since last time.

        Deleted rows leave copies in free space, also such as were made when pages were split long
        before; only a new file has none.
        """
        with self.writer.connect() as connection:
            raw = _raw(connection)
            if not raw.execute("PRAGMA user_version").fetchone()[0]:
                return
            try:
                raw.execute("VACUUM")
                is_busy = _empty_log(raw, SCRUB_WAIT_MS)
            except sqlite3.Error as error:
                raise _unscrubbed(self._path, str(error)) from error
            finally:
                self._state_log(raw)
            if is_busy:
                raise _unscrubbed(self._path, "another program reads from its log file")
            raw.execute("PRAGMA user_version=0")
            self._state_log(raw)

    def announce(self, connection: Connection) -> None:
        """Do nothing: one process writes, and it knows."""

    def wait_for_announcement(self, timeout_seconds: float) -> None:
        """Wait a moment; a reader has no other way to learn of a commit."""
        self._closing.wait(min(timeout_seconds, POLL_SECONDS))

    def interrupt(self) -> None:
        """Wake the watcher for good."""
        self._closing.set()

    def fault_of(self, error: DBAPIError) -> tuple[Fault, str]:
        """Return what an error means: a file that is locked, a disk that fails, or damage.

        Our statements do not change, so an error in one of them says that the tables did.
        """
        code = getattr(error.orig, "sqlite_errorcode", None)
        name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
        if not isinstance(error.orig, sqlite3.OperationalError) and code not in _BROKEN:
            is_damage = type(error.orig) is sqlite3.DatabaseError
            return (Fault.DAMAGE if is_damage else Fault.DEFECT), name
        if code is None:
            return Fault.DAMAGE, name
        return _FAULTS.get(code & 0xFF, Fault.DAMAGE), name

    def may_go_on(self, fault: Fault) -> bool:
        """Return whether the file was merely locked: nothing was written then."""
        return fault is Fault.PASSES

    def close(self) -> None:
        """Close readers first, so that the writer is the last one out and checkpoints.

        Where file or log are not what was opened, both are left as they are.
        """
        self.reader.dispose()
        if self._held is not None:
            with suppress(FileLostError):
                self._held.check()
            if self._held.is_sound:
                self._held.let_go()
        self.writer.dispose()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _writing_engine(self) -> Engine:
        """Return the engine of the one connection that writes."""
        engine = sqlite_engine(
            creator=lambda: self._connect("rw"),
            poolclass=StaticPool,
        )

        @event.listens_for(engine, "connect")
        def _configure(raw: sqlite3.Connection, _record: object) -> None:
            for pragma in (
                f"busy_timeout={BUSY_TIMEOUT_MS}",
                "journal_mode=WAL",
                "synchronous=FULL",
                f"wal_autocheckpoint={WAL_PAGES}",
                "cache_size=-65536",
            ):
                raw.execute(f"PRAGMA {pragma}")
            _check_durable(self._path, raw)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def _reading_engine(self) -> Engine:
        """Return the engine of read-only connections."""
        engine = sqlite_engine(
            creator=lambda: self._connect("ro"),
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=READERS_MAX - 8,
            pool_reset_on_return=None,
        )

        @event.listens_for(engine, "connect")
        def _configure(raw: sqlite3.Connection, _record: object) -> None:
            raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            try:  # opened by name: by now another file may have it
                self.check_held()
            except FileLostError as error:
                raise error.failure from error

        return engine

    def _connect(self, mode: str) -> sqlite3.Connection:
        """Connect to the file, which SQLite must not create."""
        uri = f"file:{quote(str(self._path.absolute()))}?mode={mode}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _look(path: Path) -> None:
    """Refuse to read a file that is none of ours, or whose log is not its own.

    A server may be moving pages meanwhile, so look again before saying so.
    """
    if not path.is_file():
        raise no_file(path)
    for attempt in range(_LOOKS):
        try:
            with path.open("rb", buffering=0) as file:
                look(path, file.read(HEADER_BYTES))
        except LedgerError:
            if attempt == _LOOKS - 1:
                raise
        except OSError as error:
            raise unavailable(
                f"{path} cannot be read: {error.strerror}.",
                remedy="Check the rights to it.",
                retry=False,
            ) from error
        else:
            return
        threading.Event().wait(POLL_SECONDS)


def _check_durable(path: Path, raw: sqlite3.Connection) -> None:
    """Read back, on each new connection, what makes commits last, and that it may write."""
    mode = raw.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = raw.execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or synchronous != _SYNCHRONOUS_FULL:
        raise unavailable(
            f"{path} has journal_mode {mode} and synchronous {synchronous}; "
            "an acknowledged event could be lost.",
            remedy="Keep the ledger on a local file system that supports WAL.",
            retry=False,
        )
    raw.execute("BEGIN IMMEDIATE")  # fails where SQLite had to open the file to read only
    raw.execute("ROLLBACK")


def _empty_log(raw: sqlite3.Connection, wait_ms: int) -> bool:
    """Copy the log into the file and make it empty; True where readers kept it from that."""
    raw.execute(f"PRAGMA busy_timeout={wait_ms}")
    is_busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return bool(is_busy)


def _unscrubbed(path: Path, why: str) -> LedgerError:
    """Return the refusal to say that erased text has left the files."""
    return unavailable(
        f"Files of {path.name} may still hold text that was erased: {why}.",
        remedy="The erasure itself is done. Repeat the request later, or start the server again.",
    )


def _check_version(connection: Connection) -> None:
    """Refuse to read what a newer release, or something else, has written."""
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type='table'")
    if schema.schema_version.name not in tables.scalars().all():
        raise migration.no_ledger("file is a SQLite database")
    found = connection.exec_driver_sql("SELECT max(version) FROM schema_version").scalar()
    if type(found) is not int:
        raise damaged("it has no schema version")
    migration.check_version(found)


def _raw(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection."""
    proxied: PoolProxiedConnection = connection.connection
    raw = proxied.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
