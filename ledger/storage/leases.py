"""Leases: of several servers one does what only one need do, as long as it keeps its lease."""

from collections.abc import Callable

from sqlalchemy import and_, select

from ledger.clock import Clock
from ledger.events.values import SECOND
from ledger.storage.database import Database
from ledger.storage.read_connections import ReadConnections
from ledger.storage.schema import leases
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer


class Leases:
    """The leases of all ledgers of a database. They save work, they do not guard it.

    What must not happen twice is guarded in the append itself.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        view: ReadConnections,
        writer: Callable[[], Writer],
    ) -> None:
        self._database = database
        self._clock = clock
        self._view = view
        self._writer = writer

    def take(self, ledger: str, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False while another holder has it. Zero seconds gives it back.

        The time is the database's, not that of a server's clock. A lease that would last for
        more than twice what is asked was written by another clock, and counts as over.
        """
        info, length = self._view.ledger(ledger), round(seconds * SECOND)

        def _take(transaction: WriteTransaction) -> bool:
            transaction.lock(info)
            connection = transaction.connection
            now = self._database.lease_micros(connection, self._clock)
            where = and_(leases.c.ledger_id == info.ledger_id, leases.c.name == name)
            found = connection.execute(select(leases).where(where)).first()
            others = found if found is not None and found.holder != holder else None
            if others and (not length or 0 < others.expires_at - now <= 2 * length):
                return False
            connection.execute(leases.delete().where(where))
            if length:
                lease = {"holder": holder, "expires_at": now + length}
                connection.execute(
                    leases.insert().values(ledger_id=info.ledger_id, name=name, **lease)
                )
            return length > 0

        return self._writer().call(_take)
