"""Leases: of several servers one does what only one need do, as long as it keeps its lease."""

from collections.abc import Callable

from sqlalchemy import and_, select

from ledger.clock import Clock
from ledger.events.values import SECOND
from ledger.storage.database import Database
from ledger.storage.jobs import WriteTransaction
from ledger.storage.records import LedgerInfo
from ledger.storage.schema import leases


class Leases:
    """The leases of all ledgers of a database. They save work, they do not guard it.

    What must not happen twice is guarded in the append itself.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ledger: Callable[[str], LedgerInfo],
        write: Callable[[Callable[[WriteTransaction], bool]], bool],
    ) -> None:
        """`write` runs a function in a transaction of the writer's."""
        self._database = database
        self._clock = clock
        self._ledger = ledger
        self._write = write

    def take(self, ledger: str, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False while another holder has it. Zero seconds gives it back.

        The time is the database's, whatever the servers' clocks say. A lease that would last for
        more than twice what is asked was written by another clock, and counts as over.
        """
        info, length = self._ledger(ledger), round(seconds * SECOND)

        def _take(transaction: WriteTransaction) -> bool:
            transaction.group.begin([info], [])  # keeps other servers' writers out until it commits
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

        return self._write(_take)
