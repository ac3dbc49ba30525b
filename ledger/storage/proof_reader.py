"""What proofs are made from: tiles, checkpoints, cosignatures, the newest event of each stream."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select, text

from ledger.storage.records import KeptCheckpoint, KeptCosignature, StreamHead
from ledger.storage.schema import checkpoints, cosignatures
from ledger.storage.tile_rows import in_order, tile_query
from ledger.storage.view import View

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


class ProofReader(View):
    """Reads what proofs rest on."""

    def tiles(self, ledger: str, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the stored hashes of tiles by (level, index); CHAIN_BROKEN if one is missing.

        The tile at the right edge is as wide as it is now: perhaps wider than a tree asked about.
        """
        if not wanted:
            return []
        return in_order(wanted, self._fetch(tile_query(self._id(ledger), wanted)))

    def checkpoint(self, ledger: str, *, size: int | None = None) -> KeptCheckpoint | None:
        """Return the checkpoint of a size, or the largest one kept; None where there is none."""
        values: dict[str, Any] = {"ledger_id_": self._id(ledger)}
        if size is None:
            rows = self.rows(_NEWEST, values)
        else:
            rows = self.rows(_OF_SIZE, values | {"size_": size})
        return KeptCheckpoint(*rows[0]) if rows else None

    def checkpoints(
        self, ledger: str, *, after_size: int = 0, limit: int = 1000
    ) -> list[KeptCheckpoint]:
        """Return kept checkpoints larger than a size, ascending."""
        statement = _CHECKPOINTS.where(checkpoints.c.size > after_size)
        statement = statement.order_by(checkpoints.c.size).limit(limit)
        rows = self.rows(statement, {"ledger_id_": self._id(ledger)})
        return [KeptCheckpoint(*row) for row in rows]

    def covering(self, ledger: str, position: int) -> KeptCheckpoint | None:
        """Return the newest checkpoint if the event at a position is in its tree, else None."""
        newest = self.checkpoint(ledger)
        return newest if newest is not None and newest.size >= position else None

    def cosignatures(self, ledger: str, size: int) -> list[KeptCosignature]:
        """Return the cosignatures of the checkpoint of a size, by name and key id."""
        rows = self.rows(_COSIGNATURES, {"ledger_id_": self._id(ledger), "size_": size})
        return [KeptCosignature(*row) for row in rows]

    def stream_heads(self, ledger: str, as_of: int) -> Iterator[StreamHead]:
        """Yield the newest event of each stream as of a position, by name of stream (bytes)."""
        values = {"ledger_id": self._id(ledger), "as_of": as_of}
        for row in self.rows(_STREAM_HEADS, values):
            yield StreamHead(*row)
