"""SQLite: one file, one writing process, WAL with synchronous=FULL.

The writer's connection is the only one that writes and the only one that checkpoints; readers open
the file read-only. SQLite before 3.51.3 can corrupt a WAL database that several connections
checkpoint, hence a lock file beside the database keeps a second server out.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import structlog
from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from ledger.errors import LedgerError
from ledger.storage import migration, schema
from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH, Database, damaged, unavailable
from ledger.storage.migration import SCRUB_DUE
from ledger.storage.sealed_keys import SealedKeys

BUSY_TIMEOUT_MS: Final = 5_000
CHECKPOINT_WAIT_MS: Final = 100  # how long a checkpoint may hold up the writer for a slow reader
SCRUB_WAIT_MS: Final = 5_000  # how long an erasure may wait for readers to let go of the log
WAL_PAGES: Final = 16_000  # 64 MiB: checkpoint in passing when the WAL has grown by this
WAL_BYTES_MAX: Final = 256 * 1024 * 1024  # then wait for readers, so that the WAL starts anew
READERS_MAX: Final = 64
POLL_SECONDS: Final = 0.1
_CHUNKS: Final = (256, 128, 64, 32, 16, 8, 4, 2, 1)  # few sizes, so that statements stay prepared
_SYNCHRONOUS_FULL: Final = 2

_log: Final = structlog.get_logger("ledger.storage")

_INSERT: Final = {
    rows: f"INSERT INTO events ({', '.join(EVENT_COLUMNS)}) VALUES "  # noqa: S608 - our own names
    + ", ".join(["(" + ", ".join("?" * EVENT_WIDTH) + ")"] * rows)
    for rows in _CHUNKS
}


class _Compiler(SQLiteCompiler):
    """SQLAlchemy's compiler, plus the one hint that SQLite has: `INDEXED BY`."""

    def get_from_hint_text(self, table: object, text: str | None) -> str | None:  # noqa: ARG002
        """Return the hint as it stands behind the table's name."""
        return text


class SqliteDatabase(Database):
    """One SQLite file. Opening takes the file's lock, unless read-only."""

    shared = False
    snapshot_begin = "BEGIN"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self.key_file = path.with_name(path.name + ".key")
        self._read_only = read_only
        self._closing = threading.Event()
        self._lock: IO[str] | None = None
        if read_only and not path.is_file():
            raise unavailable(
                f"There is no ledger at {path}.", remedy="Check the path.", retry=False
            )
        if not read_only:
            self._lock = _lock(path)
        self.writer = self._writing_engine()
        self.reader = self._reading_engine()
        for engine in (self.writer, self.reader):
            engine.dialect.statement_compiler = _Compiler

    def prepare(self, keys: SealedKeys) -> None:
        """Create or upgrade the schema, and read back what makes commits durable."""
        try:
            self._prepare(keys)
        except DBAPIError as error:
            raise unavailable(
                f"{self._path} cannot be used: {error.orig}.",
                remedy="Check that it is a ledger's file, and the rights to its folder.",
                retry=False,
            ) from error
        except ValueError as error:  # text that is none
            raise damaged(f"{self._path.name}: {error}") from error

    def _prepare(self, keys: SealedKeys) -> None:
        if self._read_only:
            with self.reader.connect() as connection:
                _check_version(connection)
            return
        with self.writer.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
            if mode != "wal" or synchronous != _SYNCHRONOUS_FULL:
                raise unavailable(
                    f"{self._path} has journal_mode {mode} and synchronous {synchronous}; "
                    "an acknowledged event could be lost.",
                    remedy="Keep the ledger on a local file system that supports WAL.",
                    retry=False,
                )
            connection.rollback()
            with connection.begin():
                migration.prepare(connection, keys)
                # The file's lock is ours, so whoever held a lease in it was killed.
                connection.execute(schema.leases.delete())
        try:
            self.scrub()
        except LedgerError as error:
            _log.warning("erased text may still stand in the log file", error=str(error))

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
        """Keep the WAL bounded even while readers never pause."""
        try:
            if os.stat(f"{self._path}-wal").st_size < WAL_BYTES_MAX:  # noqa: PTH116 - hot path
                return
        except FileNotFoundError:
            return
        with self.writer.connect() as connection:
            _empty_log(_raw(connection), CHECKPOINT_WAIT_MS)

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
        """Write the whole file anew and empty the log, if content was deleted since last time.

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
            if is_busy:
                raise _unscrubbed(self._path, "somebody reads from its log file")
            raw.execute("PRAGMA user_version=0")

    def announce(self, connection: Connection) -> None:
        """Do nothing: one process writes, and it knows."""

    def wait_for_announcement(self, timeout_seconds: float) -> None:
        """Wait a moment; who only reads has no other way to learn of a commit."""
        self._closing.wait(min(timeout_seconds, POLL_SECONDS))

    def interrupt(self) -> None:
        """Wake the watcher for good."""
        self._closing.set()

    def check_structure(self) -> None:
        """Run SQLite's own check: pages, order of keys, every row in every index."""
        with self.reader.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
        if found != "ok":
            raise damaged(str(found))

    def is_passing(self, error: DBAPIError) -> bool:
        """Return whether somebody merely held the file: nothing was written then."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

    def close(self) -> None:
        """Close readers first, so that the writer is the last one out and checkpoints."""
        self.reader.dispose()
        self.writer.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _writing_engine(self) -> Engine:
        """Return the engine of the one connection that writes."""
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            ),
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

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def _reading_engine(self) -> Engine:
        """Return the engine of read-only connections."""
        uri = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False
            ),
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=READERS_MAX - 8,
            pool_reset_on_return=None,
        )

        @event.listens_for(engine, "connect")
        def _configure(raw: sqlite3.Connection, _record: object) -> None:
            raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

        return engine


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
        raise unavailable(
            "The file is a SQLite database but holds no ledger.",
            remedy="Check the path.",
            retry=False,
        )
    found = connection.exec_driver_sql("SELECT max(version) FROM schema_version").scalar()
    if type(found) is not int:
        raise damaged("it has no schema version")
    migration.check_version(found)


def _lock(path: Path) -> IO[str]:
    """Take the lock that makes this process the file's only server; held until the file closes."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = lock_path.open("a+", encoding="ascii")
    except OSError as error:
        raise unavailable(
            f"{path} cannot be opened for writing: {error.strerror}.",
            remedy="Check that the folder exists and may be written to.",
            retry=False,
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        holder = handle.read(20).strip() or "unknown"
        handle.close()
        raise unavailable(
            f"{path} is already served by process {holder}.",
            remedy="Talk to that server, or stop it first; several servers need PostgreSQL.",
            retry=False,
        ) from error
    handle.seek(0)
    handle.truncate()
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def _raw(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection."""
    proxied: PoolProxiedConnection = connection.connection
    raw = proxied.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
