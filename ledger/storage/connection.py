"""The writer's one connection: looked at before every transaction, and told from a lost one.

A fresh connection may lead to another server than the one before. So it is first asked for the
newest events that this process has acknowledged: a fail-over to a standby that had not received
them must not go on unseen.
"""

from typing import Final

import structlog
from sqlalchemy import Connection, RootTransaction, bindparam, select
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason
from ledger.storage.chains import Chain
from ledger.storage.database import Database
from ledger.storage.schema import events, heads

_AT: Final = (
    select(heads.c.position, events.c.event_hash)
    .outerjoin(
        events,
        (events.c.ledger_id == heads.c.ledger_id) & (events.c.position == bindparam("position_")),
    )
    .where(heads.c.ledger_id == bindparam("ledger_id_"))
)
_log: Final = structlog.get_logger("ledger.storage")


class WriterConnection:
    """Begins transactions on one connection, which is replaced when it was lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._acknowledged: dict[int, tuple[str, int, bytes]] = {}
        self.has_begun = False
        """Whether the newest transaction got so far that something of it may be stored."""

    def acknowledge(self, chain: Chain) -> None:
        """Remember the head that callers are told of."""
        known = (chain.info.origin, chain.position, chain.event_hash)
        self._acknowledged[chain.info.ledger_id] = known

    def begin(self) -> RootTransaction:
        """Begin a transaction that may write, on a fresh connection if the old one is gone.

        STORE_UNAVAILABLE where it may not, LEDGER_BEHIND or CHAIN_BROKEN where the database does
        not hold what was acknowledged.
        """
        self.has_begun = False
        while True:
            is_fresh = self._connection is None
            try:
                transaction = self._begin(is_fresh=is_fresh)
            except DBAPIError as error:
                self.close()
                fault, _ = self._database.fault_of(error)
                if is_fresh or not self._database.may_go_on(fault):
                    raise
            else:
                self.has_begun = True
                return transaction

    def look(self) -> None:
        """Begin a transaction and end it again, which raises what `begin` does."""
        self.begin().rollback()

    def close(self) -> None:
        """Give the connection up; the next transaction makes another."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except DBAPIError as error:  # it is gone already
            _log.debug("closing the writer's connection failed", error=str(error))

    def _begin(self, *, is_fresh: bool) -> RootTransaction:
        if self._connection is None:
            self._connection = self._database.writer.connect()
        transaction = self._connection.begin()
        self._database.check_writable(self._connection)
        if is_fresh:
            for ledger_id, known in self._acknowledged.items():
                _check_kept(self._connection, ledger_id, *known)
        return transaction


def _check_kept(
    connection: Connection, ledger_id: int, origin: str, position: int, event_hash: bytes
) -> None:
    """Refuse a database in which an acknowledged event is missing, or is another one."""
    found = connection.execute(_AT, {"ledger_id_": ledger_id, "position_": position}).first()
    head = found.position if found is not None else 0
    if found is not None and found.event_hash == event_hash:
        return
    is_behind = head < position
    why = f"it has {head} events" if is_behind else "it has another event there"
    raise LedgerError(
        Reason.LEDGER_BEHIND if is_behind else Reason.CHAIN_BROKEN,
        f"Acknowledged events of {origin} are lost: this server acknowledged position {position}, "
        f"and the database is another one now: {why}.",
        remedy="Stop the servers of this database. Look for the server that held it before the "
        "fail-over, and go on with that one; else find out which events were lost.",
        metadata={"ledger": origin, "position": str(position), "head": str(head), "why": why},
    )
