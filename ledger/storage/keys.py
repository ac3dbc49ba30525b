"""The keys of a store: secrets that sign, seals of heads, and both under another master key."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, select

from ledger.chain.keys import SecretKey
from ledger.errors import LedgerError, Reason
from ledger.storage.read_connections import INFO, ReadConnections, info_of
from ledger.storage.records import Head
from ledger.storage.schema import heads, ledgers, signing_keys
from ledger.storage.vault import SealedKeys, Vault
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer


class LedgerKeys:
    """The keys of each ledger, opened, and the seals of their heads. Safe between threads."""

    def __init__(
        self, view: ReadConnections, writer: Callable[[], Writer], sealed: SealedKeys
    ) -> None:
        self._view = view
        self._writer = writer
        self._sealed = sealed

    def opened(self, ledger: str) -> dict[str, SecretKey]:
        """Return the ledger's keys by verifier key, in order of arrival: secrets.

        Which of them signs, and which is the next one, is what the ledger's events say.
        STORE_UNAVAILABLE where the master key is missing or does not open them.
        """
        statement = (
            select(signing_keys.c.vkey, signing_keys.c.secret)
            .where(signing_keys.c.ledger_id == self._view.id_of(ledger))
            .order_by(signing_keys.c.number)
        )
        with self._view.connection() as connection:
            return self._sealed.opened(connection, connection.execute(statement))

    def draw(self, ledger: str) -> SecretKey:
        """Return a fresh key of a ledger; an append keeps it."""
        return self._sealed.draw(ledger)

    def check_head(self, ledger: str, head: Head) -> None:
        """Raise CHAIN_BROKEN unless a server with the master key has written this head.

        STORE_UNAVAILABLE where the master key is missing, or is not that of the ledger's keys.
        """
        info = self._view.ledger(ledger)
        try:
            with self._view.connection() as connection:
                self._sealed.check_head(connection, info, head)
        except LedgerError:
            self.opened(ledger)  # another master key is the likelier fault, and named by this
            raise

    def adopt(self, ledger: str, head: Head) -> None:
        """Seal a head that was verified otherwise, as it is; CHAIN_BROKEN where it has moved."""

        def sealed(transaction: WriteTransaction) -> None:
            connection = transaction.connection
            info = self._view.ledger(ledger)
            row = _locked_head(connection, info.ledger_id)
            if (row.position, row.event_hash, row.tree) != (
                head.position,
                head.event_hash,
                head.tree,
            ):
                raise LedgerError(
                    Reason.CHAIN_BROKEN,
                    f"The head of {ledger} moved while it was verified: from {head.position} "
                    f"events with hash {head.event_hash.hex()} to {row.position} with hash "
                    f"{row.event_hash.hex()}.",
                    remedy="Let no other program write to the database, and verify it again.",
                    metadata={"ledger": ledger, "position": str(row.position)},
                )
            _keep_seal(connection, info.ledger_id, self._sealed.head_seal(connection, info, row))

        self._writer().call(sealed)

    def reseal(self, vault: Vault) -> int:
        """Seal all keys and heads of the database under another master key; return how many.

        All or none, in one transaction. Each must open under the present one: STORE_UNAVAILABLE,
        or CHAIN_BROKEN for a head, where it does not. This store cannot use them afterwards.
        """
        other = self._sealed.under(vault)

        def sealed(transaction: WriteTransaction) -> int:
            connection, count = transaction.connection, 0
            for row in connection.execute(select(signing_keys)).all():
                key = self._sealed.opened(connection, [row])[row.vkey]
                again = other.sealed(connection, key)
                where = (
                    signing_keys.c.ledger_id == row.ledger_id,
                    signing_keys.c.number == row.number,
                )
                connection.execute(signing_keys.update().where(*where).values(secret=again))
                count += 1
            for found in connection.execute(INFO.order_by(ledgers.c.ledger_id)).all():
                info = info_of(found)
                head = _locked_head(connection, info.ledger_id)
                self._sealed.check_head(connection, info, head)
                _keep_seal(connection, info.ledger_id, other.head_seal(connection, info, head))
            return count

        return self._writer().call(sealed)


def _locked_head(connection: Connection, ledger_id: int) -> Row[Any]:
    """Return a stored head, which no other server moves until the transaction ends."""
    statement = select(heads).where(heads.c.ledger_id == ledger_id)
    return connection.execute(statement.with_for_update()).one()


def _keep_seal(connection: Connection, ledger_id: int, seal: bytes | None) -> None:
    connection.execute(heads.update().where(heads.c.ledger_id == ledger_id).values(seal=seal))
