"""PostgreSQL: several servers on one database, one order of events kept by the head's row lock.

Commits wait for the log to be flushed (`synchronous_commit`, set in the session and looked at in
every transaction), and a commit that PostgreSQL qualifies with warning 01000 — the synchronous
standby was not waited for — is not taken for one. A server that sleeps while it holds the head's
row is cut off: by PostgreSQL where it is idle, by the server that waits where it is not.
"""

import threading
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import structlog
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from ledger.clock import Clock
from ledger.engines import postgres_engine
from ledger.errors import LedgerError
from ledger.postgres import (
    LOOK,
    PostgresSession,
    Purpose,
    check_session,
    connect_args,
    prepare_session,
    remedy_of,
    transaction_pooling,
)
from ledger.storage import migration
from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH, Database, Fault, unavailable
from ledger.storage.vault import SealedKeys

CHANNEL: Final = "ledger_head"
READERS_MAX: Final = 32
_SCHEMA_LOCK: Final = 0x6C65_6467_6572  # "ledger": one server at a time prepares the schema
_WARNING: Final = "01000"
_LOCK_TIMEOUT: Final = "55P03"
_PREPARED: Final = frozenset({"26000", "42P05"})  # known by another session, or not by this one
_FAULTS: Final = {
    "08": Fault.PASSES,  # the connection
    "25": Fault.PASSES,  # read-only, or cut off in a transaction
    "40": Fault.PASSES,  # deadlocks
    "53": Fault.PASSES,  # too many connections, no memory, no room
    "55": Fault.PASSES,  # a lock that others hold
    "57": Fault.PASSES,  # restarts, time limits
    "58": Fault.PASSES,  # input and output
    "28": Fault.LASTS,  # password or rights to connect
    "3D": Fault.LASTS,  # no such database
}
_FAULTS_EXACT: Final = {
    "25P01": Fault.DEFECT,
    "25P02": Fault.DEFECT,
    "26000": Fault.LASTS,
    "42P05": Fault.LASTS,
    "42501": Fault.LASTS,  # rights to a table
    "42P01": Fault.LASTS,  # no such table
    "XX001": Fault.DAMAGE,
    "XX002": Fault.DAMAGE,
}
# Sessions of ours that hold a head while they wait for their own server, which sleeps: in the
# midst of a COPY no time limit of PostgreSQL's counts.
_CUT_OFF: Final = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
      AND wait_event_type = 'Client' AND xact_start < clock_timestamp() - interval '3 seconds'
      AND pid IN (
        SELECT pid FROM pg_locks
        WHERE relation = to_regclass('heads') AND mode = 'RowShareLock' AND granted
      )
"""
_log: Final = structlog.get_logger("ledger.storage")
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
        self._failures = 0  # so many times what readers had been connected to was lost
        self._listener: psycopg.Connection[Any] | None = None
        self._closing = threading.Event()
        self.writer = self._writing_engine()
        self.reader = postgres_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=READERS_MAX - 8,
            pool_pre_ping=True,
            pool_reset_on_return=None,
            connect_args=connect_args(self._url.query),
        )

        @event.listens_for(self.reader, "connect")
        def _prepare(raw: psycopg.Connection[Any], record: Any) -> None:  # noqa: ANN401
            record.info["after"] = self._failures
            prepare_session(raw, Purpose.READS, self._connect)

        @event.listens_for(self.reader, "checkout")
        def _take(_raw: object, record: Any, _proxy: object) -> None:  # noqa: ANN401
            if record.info.get("after") != self._failures:
                raise DisconnectionError  # the pool closes it and makes another

    def prepare(self, keys: SealedKeys, *, create: bool = False) -> None:
        """Upgrade the schema, or create it where `create` says so; check that commits last here."""
        try:
            if self._read_only:
                with self.reader.connect() as connection:
                    found = connection.exec_driver_sql("SELECT version FROM schema_version")
                    migration.check_version(found.scalar_one())
                return
            with self.writer.begin() as connection:
                self.check_writable(connection)
                # Another server may be bringing the schema up to date, which takes its time.
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
                migration.prepare(connection, keys, create=create)
        except DBAPIError as error:
            why = " ".join(str(error.orig).split()).removesuffix(".")
            raise unavailable(
                f"The PostgreSQL database cannot be used: {why}.",
                remedy=remedy_of(why),
                retry=False,
            ) from error

    def check_writable(self, connection: Connection) -> None:
        """Look at the session: the same as at connecting, durable, and not read-only."""
        found = connection.exec_driver_sql(LOOK).one()
        check_session(PostgresSession(*found), connection.info["pid"])

    def after_failure(self, code: str) -> None:
        """Cut off a server that sleeps with the lock; else let readers connect again.

        After a fail-over their connections may lead to another server than the writer's.
        """
        if code != _LOCK_TIMEOUT:
            self._failures += 1
            return
        try:
            with self.writer.begin() as connection:
                count = connection.exec_driver_sql(_CUT_OFF).scalar_one()
        except (DBAPIError, LedgerError):
            return  # the next transaction says what is wrong
        if count:
            _log.warning("postgres.cut_off", sessions=count, why="slept in a transaction")

    def lease_micros(self, connection: Connection, clock: Clock) -> int:  # noqa: ARG002
        """Return the database's time: servers' clocks differ."""
        now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        return int(connection.exec_driver_sql(now).scalar_one())

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
        except psycopg.Error as error:  # in the words of the other statements
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
            self._listener = self._listen()
            if self._listener is None:  # the caller looks again; polling still works
                self._closing.wait(timeout_seconds)
            return  # what was committed before LISTEN was not announced to us: look first
        try:
            for _ in listener.notifies(timeout=timeout_seconds, stop_after=1):
                pass
        except psycopg.Error:
            listener.close()

    def _listen(self) -> "psycopg.Connection[Any] | None":
        try:
            listener = self._connect()
        except psycopg.Error:
            return None
        try:
            listener.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error:
            listener.close()
            return None
        return listener

    def _connect(self) -> "psycopg.Connection[Any]":
        """Return a connection past SQLAlchemy, each statement its own transaction."""
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        conninfo = make_conninfo(url, **connect_args(self._url.query))
        return psycopg.connect(conninfo, autocommit=True)

    def interrupt(self) -> None:
        """Wake the watcher: its listeners are notified once more."""
        self._closing.set()
        try:
            with self.writer.begin() as connection:
                connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
        except (DBAPIError, LedgerError):
            return  # it wakes at its timeout then

    def fault_of(self, error: DBAPIError) -> tuple[Fault, str]:
        """Return what an error means by its SQLSTATE; without one the connection was lost."""
        code = getattr(error.orig, "sqlstate", None)
        if code is None or error.connection_invalidated:
            is_lost = error.connection_invalidated or isinstance(
                error.orig, psycopg.OperationalError | psycopg.InterfaceError
            )
            return (Fault.PASSES if is_lost else Fault.DEFECT), code or "connection"
        return _FAULTS_EXACT.get(code) or _FAULTS.get(code[:2], Fault.DEFECT), code

    def refusal(self, error: DBAPIError, *, doing: str = "answer") -> Exception:
        """Return what to raise; a pooler that mixes sessions up is named."""
        if self.fault_of(error)[1] in _PREPARED:
            return transaction_pooling()
        return super().refusal(error, doing=doing)

    def may_go_on(self, fault: Fault) -> bool:
        """Return whether the fault is the server's: a transaction is whole or not there at all."""
        return fault in (Fault.PASSES, Fault.LASTS)

    def close(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            self._listener.close()
        self.reader.dispose()
        self.writer.dispose()

    def _writing_engine(self) -> Engine:
        """Return the engine of the writer's connection, which hears the server's warnings."""
        engine = postgres_engine(
            self._url,
            poolclass=NullPool,
            connect_args=connect_args(self._url.query),
        )

        @event.listens_for(engine, "connect")
        def _configure(raw: psycopg.Connection[Any], record: Any) -> None:  # noqa: ANN401
            record.info["pid"] = prepare_session(raw, Purpose.WRITES, self._connect)
            raw.add_notice_handler(self._hear)

        return engine

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.sqlstate == _WARNING:
            self._warnings.append(notice.message_primary or _WARNING)


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    """Return the driver's connection."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw
