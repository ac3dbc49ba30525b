"""The basis of proofs: tiles, checkpoints, cosignatures, the newest event of each stream."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, func, select, text

from ledger.errors import LedgerError, Reason
from ledger.storage.checks import cosignature_row
from ledger.storage.database import damaged
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import KeptCheckpoint, KeptCosignature, StreamHead
from ledger.storage.schema import checkpoints, cosignatures
from ledger.storage.tile_rows import in_order, tile_query
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer

# Built once, because building takes longer than asking.
_CHECKPOINTS: Final = select(checkpoints.c.size, checkpoints.c.note).where(
    checkpoints.c.ledger_id == bindparam("ledger_id_")
)
_NEWEST: Final = _CHECKPOINTS.order_by(checkpoints.c.size.desc()).limit(1)
_OF_SIZE: Final = _CHECKPOINTS.where(checkpoints.c.size == bindparam("size_"))
_COSIGNATURES: Final = (
    select(cosignatures.c.size, cosignatures.c.name, cosignatures.c.key_id, cosignatures.c.line)
    .where(
        cosignatures.c.ledger_id == bindparam("ledger_id_"),
        cosignatures.c.size == bindparam("size_"),
    )
    .order_by(cosignatures.c.name, cosignatures.c.key_id)
)
# By skipping from stream to stream; within a stream backwards from its newest version, which as a
# rule is the answer at once.
_STREAM_HEADS: Final = text(
    """
    WITH RECURSIVE found(stream) AS (
        SELECT min(stream) FROM events WHERE ledger_id = :ledger_id
      UNION ALL
        SELECT (
            SELECT min(stream) FROM events
            WHERE ledger_id = :ledger_id AND stream > found.stream
        ) FROM found WHERE found.stream IS NOT NULL
    )
    SELECT newest.stream, newest.stream_version, newest.event_hash
    FROM found JOIN events AS newest ON newest.ledger_id = :ledger_id AND newest.position = (
        SELECT position FROM events
        WHERE ledger_id = :ledger_id AND stream = found.stream AND position <= :as_of
        ORDER BY stream_version DESC LIMIT 1
    )
    WHERE found.stream IS NOT NULL
    ORDER BY newest.stream
    """
)


class Proofs:
    """Reads what proofs rest on, and keeps what was signed. Safe between threads.

    Within one moment it reads only, and is for one thread.
    """

    def __init__(self, view: ReadConnections, writer: Callable[[], Writer]) -> None:
        self._view = view
        self._writer = writer

    def tiles(self, ledger: str, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the stored hashes of tiles by (level, index); CHAIN_BROKEN if one is missing.

        The tile at the right edge is as wide as it is now: perhaps wider than a tree asked about.
        """
        if not wanted:
            return []
        return in_order(wanted, self._view.fetch(tile_query(self._view.id_of(ledger), wanted)))

    def checkpoint(self, ledger: str, *, size: int | None = None) -> KeptCheckpoint | None:
        """Return the checkpoint of a size, or the largest one kept; None where there is none."""
        values: dict[str, Any] = {"ledger_id_": self._view.id_of(ledger)}
        if size is None:
            rows = self._view.rows(_NEWEST, values)
        else:
            rows = self._view.rows(_OF_SIZE, values | {"size_": size})
        return _checkpoint(rows[0]) if rows else None

    def checkpoints(
        self, ledger: str, *, after_size: int = 0, limit: int = 1000
    ) -> list[KeptCheckpoint]:
        """Return kept checkpoints larger than a size, ascending."""
        statement = _CHECKPOINTS.where(checkpoints.c.size > after_size)
        statement = statement.order_by(checkpoints.c.size).limit(limit)
        rows = self._view.rows(statement, {"ledger_id_": self._view.id_of(ledger)})
        return [_checkpoint(row) for row in rows]

    def covering(self, ledger: str, position: int) -> KeptCheckpoint | None:
        """Return the newest checkpoint if the event at a position is in its tree, else None."""
        newest = self.checkpoint(ledger)
        return newest if newest is not None and newest.size >= position else None

    def cosignatures(self, ledger: str, size: int) -> list[KeptCosignature]:
        """Return the cosignatures of the checkpoint of a size, by name and key id."""
        rows = self._view.rows(
            _COSIGNATURES, {"ledger_id_": self._view.id_of(ledger), "size_": size}
        )
        return [_cosignature(row) for row in rows]

    def stream_heads(self, ledger: str, as_of: int) -> Iterator[StreamHead]:
        """Yield the newest event of each stream as of a position, by name of stream (bytes)."""
        values = {"ledger_id": self._view.id_of(ledger), "as_of": as_of}
        for row in self._view.rows(_STREAM_HEADS, values):
            yield StreamHead(*row)

    def save_checkpoint(self, ledger: str, size: int, note: str, *, after: int) -> bool:
        """Keep a signed checkpoint for good if the largest kept one has size `after` (0: none).

        False where it has not, or where `size` is not larger: another server was faster.
        """
        info = self._view.ledger(ledger)

        def _save(transaction: WriteTransaction) -> bool:
            transaction.lock(info)
            newest = select(func.max(checkpoints.c.size)).where(
                checkpoints.c.ledger_id == info.ledger_id
            )
            if (transaction.connection.execute(newest).scalar() or 0) != after or size <= after:
                return False
            transaction.connection.execute(
                checkpoints.insert().values(ledger_id=info.ledger_id, size=size, note=note)
            )
            return True

        return self._writer().call(_save)

    def add_cosignature(self, ledger: str, size: int, name: str, key_id: bytes, line: str) -> bool:
        """Keep a witness's signature line; False where one of that key is kept for that size.

        CHECKPOINT_UNKNOWN where no checkpoint of that size is kept.
        """
        info = self._view.ledger(ledger)
        row = cosignature_row(info.ledger_id, KeptCosignature(size, name, key_id, line))

        def _add(transaction: WriteTransaction) -> bool:
            transaction.lock(info)
            signed = select(checkpoints.c.size).where(
                checkpoints.c.ledger_id == info.ledger_id, checkpoints.c.size == size
            )
            if transaction.connection.execute(signed).first() is None:
                raise LedgerError(
                    Reason.CHECKPOINT_UNKNOWN,
                    f"No checkpoint of size {size} was signed.",
                    remedy="Cosign one of the checkpoints that the ledger lists.",
                    metadata={"ledger": ledger, "size": str(size)},
                )
            known = select(cosignatures.c.size).filter_by(
                ledger_id=info.ledger_id, size=size, name=name, key_id=key_id
            )
            if transaction.connection.execute(known).first() is not None:
                return False
            transaction.connection.execute(cosignatures.insert().values(**row))
            return True

        return self._writer().call(_add)


def _checkpoint(row: Any) -> KeptCheckpoint:  # noqa: ANN401 - a row as found
    """Return a kept checkpoint; CHAIN_BROKEN where a column holds anything else."""
    if [type(value) for value in row] != [int, str]:
        raise damaged("a checkpoint that is kept cannot be read")
    return KeptCheckpoint(*row)


def _cosignature(row: Any) -> KeptCosignature:  # noqa: ANN401 - a row as found
    """Return a kept cosignature; CHAIN_BROKEN where a column holds anything else."""
    if [type(value) for value in row] != [int, str, bytes, str]:
        raise damaged("a cosignature that is kept cannot be read")
    return KeptCosignature(*row)
