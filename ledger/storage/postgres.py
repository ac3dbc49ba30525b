"""PostgreSQL: several servers on one database, one order of events kept by the head's row lock.

Commits wait for the log to be flushed (`synchronous_commit`), and a commit that PostgreSQL
qualifies with warning 01000 — the synchronous standby was not waited for — is not taken for one.
"""

import threading
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from ledger.storage import migration
from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH, Database, unavailable
from ledger.storage.sealed_keys import SealedKeys

CHANNEL: Final = "ledger_head"
READERS_MAX: Final = 32
_SCHEMA_LOCK: Final = 0x6C65_6467_6572  # "ledger": one server at a time prepares the schema
_WARNING: Final = "01000"
_DURABLE: Final = frozenset({"on", "remote_apply", "remote_write", "local"})
_TYPES: Final = (
    "int4",
    "int8",
    "text",
    "int8",
    "text",
    "int8",
    "int8",
    "bytea",
    "bytea",
    "bytea",
    "bytea",
    "bytea",
)
_COPY: Final = f"COPY events ({', '.join(EVENT_COLUMNS)}) FROM STDIN (FORMAT BINARY)"


class PostgresDatabase(Database):
    """One PostgreSQL database."""

    shared = True
    key_file = None  # several servers share the database, and no folder
    snapshot_begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: URL, *, read_only: bool = False) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._read_only = read_only
        self._warnings: list[str] = []
        self._listener: psycopg.Connection[Any] | None = None
        self._closing = threading.Event()
        self.writer = self._writing_engine()
        self.reader = create_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=READERS_MAX - 8,
            pool_pre_ping=True,
            pool_reset_on_return=None,
            connect_args={"options": "-c default_transaction_read_only=on"},
        )

    def prepare(self, keys: SealedKeys) -> None:
        """Create or upgrade the schema, and check that commits are durable here."""
        try:
            if self._read_only:
                with self.reader.connect() as connection:
                    found = connection.exec_driver_sql("SELECT version FROM schema_version")
                    migration.check_version(found.scalar_one())
                return
            with self.writer.begin() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
                _check_durable(connection)
                migration.prepare(connection, keys)
        except DBAPIError as error:
            raise unavailable(
                f"The PostgreSQL database cannot be used: {error.orig}.",
                remedy="Check that the server runs, and the URL, the user and its rights.",
                retry=False,
            ) from error

    def lock_ledgers(self, connection: Connection) -> None:
        """Keep other servers from creating ledgers until the transaction ends."""
        connection.exec_driver_sql("LOCK TABLE ledgers IN SHARE ROW EXCLUSIVE MODE")

    def insert_events(self, connection: Connection, values: Sequence[Any]) -> None:
        """Insert by binary COPY, several times as fast as statements."""
        try:
            with _raw(connection).cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                write = copy.write_row
                for at in range(0, len(values), EVENT_WIDTH):
                    write(values[at : at + EVENT_WIDTH])
        except psycopg.OperationalError as error:  # in the words of the other statements
            raise OperationalError(_COPY, None, error) from error

    def after_commit(self) -> None:
        """Refuse to call durable what the synchronous standby may not have."""
        if self._warnings:
            warning, self._warnings = self._warnings[0], []
            raise unavailable(
                f"PostgreSQL committed without its synchronous standby: {warning}.",
                remedy="Send the same request with the same request id again.",
            )

    def fetch(self, connection: Connection, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement without values, past SQLAlchemy and in binary."""
        try:
            with _raw(connection).cursor(binary=True) as cursor:
                return cursor.execute(statement).fetchall()
        except psycopg.Error as error:  # in the words of the other statements
            raise OperationalError(statement, None, error) from error

    def mark_scrub(self, connection: Connection) -> None:
        """Do nothing: what becomes of dead rows is the server's business and its operator's."""

    def scrub(self) -> None:
        """Do nothing, likewise."""

    def announce(self, connection: Connection) -> None:
        """Notify the listeners of all servers when this transaction commits."""
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def wait_for_announcement(self, timeout_seconds: float) -> None:
        """Block until a head has moved, or time is up."""
        listener = self._listener
        if listener is None or listener.closed:
            url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
            try:
                listener = psycopg.connect(url, autocommit=True)
                listener.execute(f"LISTEN {CHANNEL}")
            except psycopg.Error:  # the caller looks again; polling still works
                self._closing.wait(timeout_seconds)
                return
            self._listener = listener
            return  # what was committed before LISTEN was not announced to us: look first
        try:
            for _ in listener.notifies(timeout=timeout_seconds, stop_after=1):
                pass
        except psycopg.Error:
            listener.close()

    def interrupt(self) -> None:
        """Wake the watcher: whoever listens is notified once more."""
        self._closing.set()
        try:
            with self.writer.begin() as connection:
                connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
        except DBAPIError:
            return  # it wakes at its timeout then

    def check_structure(self) -> None:
        """Leave it to the server's checksums, and to `pg_amcheck` for its indexes."""

    def is_passing(self, error: DBAPIError) -> bool:
        """Return whether the server or the connection failed: it recovers, and so do we."""
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)

    def close(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            self._listener.close()
        self.reader.dispose()
        self.writer.dispose()

    def _writing_engine(self) -> Engine:
        """Return the engine of the writer's connection, which hears the server's warnings."""
        engine = create_engine(self._url, poolclass=NullPool)

        @event.listens_for(engine, "connect")
        def _configure(raw: psycopg.Connection[Any], _record: object) -> None:
            raw.add_notice_handler(self._hear)

        return engine

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.sqlstate == _WARNING:
            self._warnings.append(notice.message_primary or _WARNING)


def _check_durable(connection: Connection) -> None:
    """Refuse a server that acknowledges commits which a power cut may take back."""
    for name, good in (("fsync", frozenset({"on"})), ("synchronous_commit", _DURABLE)):
        value = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
        if value not in good:
            raise unavailable(
                f"The PostgreSQL server has {name} = {value}; an acknowledged event could be lost.",
                remedy=f"Set {name} = on.",
                retry=False,
            )


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    """Return the driver's connection."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw
