"""One way into the database: each statement on a connection of its own, or all at one moment.

The fixed facts of a ledger are read here too: from its row and the event that configured it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Select, TextClause, and_, select
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason
from ledger.events.canonical import CanonicalError, decode
from ledger.events.system import CONFIGURED, LedgerCreated
from ledger.events.values import ORIGIN
from ledger.limits import LEAP_SECONDS_DEFAULT
from ledger.storage.database import Database, damaged, stored_bytes
from ledger.storage.records import LedgerInfo
from ledger.storage.schema import events, ledgers

_CLOCKS: Final = frozenset({"wall", "data"})

_created = events.alias("created")
_configured = events.alias("configured")

INFO: Final[Select[Any]] = select(
    ledgers.c.ledger_id,
    ledgers.c.origin,
    ledgers.c.clock,
    ledgers.c.skew_seconds,
    ledgers.c.vkey,
    _created.c.body,
    _configured.c.body,
).select_from(
    ledgers.outerjoin(
        _created,
        and_(
            _created.c.ledger_id == ledgers.c.ledger_id,
            _created.c.position == 1,
            _created.c.type == LedgerCreated.TYPE,
        ),
    ).outerjoin(
        _configured,
        and_(
            _configured.c.ledger_id == ledgers.c.ledger_id,
            _configured.c.position == 2,
            _configured.c.type.in_(CONFIGURED),
        ),
    )
)
"""Ledgers, each with the bodies of the events that began and configured it."""


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


def info_of(row: Any) -> LedgerInfo:  # noqa: ANN401 - a row of INFO
    """Return the ledger that a row of INFO describes.

    CHAIN_BROKEN where the row is none that this product writes, or is not what the ledger's first
    events say: hashes are over those, and nothing is over the row. Bytes of an event that cannot
    be read add nothing: to find them damaged is for verification.
    """
    *fields, created, configured = row
    info = LedgerInfo(*fields)
    texts, numbers = (info.origin, info.clock, info.vkey), (info.ledger_id, info.skew_seconds)
    is_typed = {type(text) for text in texts} == {str} and {type(one) for one in numbers} == {int}
    if not is_typed or not ORIGIN.fullmatch(info.origin) or info.clock not in _CLOCKS:
        raise damaged("the row of a ledger cannot be read")
    began, chosen = _data_of(created), _data_of(configured)
    stated = {"origin": info.origin, "vkey": info.vkey}
    told = {"clock": info.clock, "skew_seconds": info.skew_seconds}
    for row_says, event_says in ((stated, began), (told, chosen)):
        for name, value in row_says.items():
            if event_says.get(name, value) != value:
                raise damaged(
                    f"the row of {info.origin} has the {name} {value!r}, and its first events say "
                    f"{event_says[name]!r}"
                )
    if info.clock == "data" and "leap_seconds" not in chosen:  # its release had no such bound
        return replace(info, leap_seconds=LEAP_SECONDS_DEFAULT)
    unit, leap = chosen.get("unit_of_cost") or "", chosen.get("leap_seconds", 0)
    if type(unit) is not str or type(leap) is not int:
        return info
    return replace(info, unit_of_cost=unit, leap_seconds=leap)


def _data_of(body: Any) -> dict[str, Any]:  # noqa: ANN401 - a column as found
    """Return what an event says; nothing where it cannot be read, CHAIN_BROKEN if no bytes."""
    try:
        data = {} if body is None else decode(stored_bytes(body, "the body of an event"))["data"]
    except (CanonicalError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}
