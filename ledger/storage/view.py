"""One way into the database: each statement on a connection of its own, or all at one moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Select, TextClause, bindparam, select
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason
from ledger.storage.database import Database, damaged
from ledger.storage.infos import INFO, info_of
from ledger.storage.records import Head, LedgerInfo
from ledger.storage.schema import heads, ledgers

_HEAD: Final = select(
    heads.c.position,
    heads.c.event_hash,
    heads.c.recorded_at,
    heads.c.newest_observed_at,
    heads.c.tree,
).where(heads.c.ledger_id == bindparam("ledger_id_"))


class View:
    """Answers which ledgers there are and where they stand. Safe between threads unless pinned."""

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

    def ledgers(self) -> list[LedgerInfo]:
        """Return every ledger of the database, in order of creation."""
        return [info_of(row) for row in self.rows(INFO.order_by(ledgers.c.ledger_id))]

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

    def head(self, ledger: str) -> Head:
        """Return the newest durable head."""
        rows = self.rows(_HEAD, {"ledger_id_": self._id(ledger)})
        if not rows:
            raise damaged(f"the head of {ledger} is missing")
        return Head(*rows[0])

    def rows(
        self, statement: Select[Any] | TextClause, values: dict[str, Any] | None = None
    ) -> list[Any]:
        """Return the rows of any statement that reads; for checks and for tests."""
        with self._connection() as connection:
            return list(connection.execute(statement, values).all())

    def check_structure(self) -> None:
        """Have the database check itself; CHAIN_BROKEN where indexes or pages do not fit."""
        self._database.check_structure()

    def _fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement by the driver's quickest way."""
        with self._connection() as connection:
            return self._database.fetch(connection, statement)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Give the pinned connection, or one for a moment; STORE_UNAVAILABLE where it fails."""
        if self._pinned is None:
            with self._database.reading() as connection:
                yield connection
            return
        try:
            yield self._pinned
        except DBAPIError as error:
            raise self._database.refusal(error) from error

    def _id(self, origin: str) -> int:
        return self.ledger(origin).ledger_id
