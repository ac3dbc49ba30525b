"""How far the consumers of a ledger have come: positions that move forward only."""

from collections.abc import Callable

from sqlalchemy import Connection

from ledger.storage.checks import check_tracking, read_tracking, set_tracking
from ledger.storage.read_connections import ReadConnections
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer


class Consumers:
    """Keeps the position that each consumer has processed. Safe between threads."""

    def __init__(self, view: ReadConnections, writer: Callable[[], Writer]) -> None:
        self._view = view
        self._writer = writer

    def position(self, ledger: str, consumer: str) -> int | None:
        """Return a consumer's tracking position, None before the first."""
        with self._view.connection() as connection:
            return read_tracking(connection, self._view.id_of(ledger), consumer)

    def move(
        self,
        ledger: str,
        consumer: str,
        position: int,
        update: Callable[[Connection], object] | None = None,
    ) -> None:
        """Move a consumer's tracking position forward; VERSION_CONFLICT where it would not.

        `update` writes tables of the consumer's own in the same transaction.
        """
        info = self._view.ledger(ledger)

        def _move(transaction: WriteTransaction) -> None:
            transaction.lock(info)
            known = read_tracking(transaction.connection, info.ledger_id, consumer)
            check_tracking(consumer, known, position)
            set_tracking(transaction.connection, info.ledger_id, consumer, position)
            if update is not None:
                update(transaction.connection)

        self._writer().call(_move)
