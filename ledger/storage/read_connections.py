"""One way into the database: each statement on a connection of its own, or all at one moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, TextClause
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason
from ledger.storage.database import Database
from ledger.storage.infos import INFO, info_of
from ledger.storage.records import LedgerInfo
from ledger.storage.schema import ledgers


class ReadConnections:
    """Runs what reads, and knows what never changes. Safe between threads unless pinned."""

    def __init__(
        self,
        database: Database,
        pinned: Connection | None = None,
        infos: dict[str, LedgerInfo] | None = None,
    ) -> None:
        """`pinned`: a connection within a snapshot, on which every statement is to run.

        `infos`: ledgers known already, by origin; they never change.
        """
        self._database = database
        self._pinned = pinned
        self._infos = infos if infos is not None else {}
        self._infos_lock = threading.Lock()

    def ledger(self, origin: str) -> LedgerInfo:
        """Return one ledger; LEDGER_UNKNOWN where there is none."""
        info = self._infos.get(origin)
        if info is not None:
            return info
        rows = self.rows(INFO.where(ledgers.c.origin == origin))
        if not rows:
            raise LedgerError(
                Reason.LEDGER_UNKNOWN,
                f"There is no ledger {origin[:255]!r} here.",
                remedy="Check the name, or create the ledger first.",
                metadata={"ledger": origin[:255]},
            )
        info = info_of(rows[0])
        with self._infos_lock:
            self._infos[origin] = info
        return info

    def id_of(self, origin: str) -> int:
        """Return the number under which a ledger's rows are stored; LEDGER_UNKNOWN without one."""
        return self.ledger(origin).ledger_id

    def rows(
        self, statement: Select[Any] | TextClause, values: dict[str, Any] | None = None
    ) -> list[Any]:
        """Return the rows of any statement that reads."""
        with self.connection() as connection:
            return list(connection.execute(statement, values).all())

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement without values by the driver's quickest way."""
        with self.connection() as connection:
            return self._database.fetch(connection, statement)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give the pinned connection, or one for a moment; STORE_UNAVAILABLE where it fails."""
        if self._pinned is None:
            with self._database.reading() as connection:
                yield connection
            return
        try:
            yield self._pinned
        except DBAPIError as error:
            raise self._database.refusal(error) from error

    @contextmanager
    def at_one_moment(self) -> "Iterator[ReadConnections]":
        """Give a view whose answers are all of one moment; for one thread, and not for long.

        On SQLite the log cannot start again while it lasts.
        """
        with self._database.reading() as connection:
            connection.exec_driver_sql(self._database.snapshot_begin)
            try:
                yield ReadConnections(self._database, connection, self._infos)
            finally:
                connection.rollback()
