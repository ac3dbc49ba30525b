"""Proofs: that an event is in a signed tree, and that a signed tree begins with an earlier one.

Event, proof, checkpoint and cosignatures of an answer are read in one snapshot. Every proof is
checked before it is handed out: a damaged tile shows here, as CHAIN_BROKEN, and not at the client.
"""

from dataclasses import dataclass

from ledger.application.signing.checkpoints import Checkpoints, SignedCheckpoint
from ledger.chain.merkle import (
    HashReader,
    ProofError,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
)
from ledger.chain.tiles import TileError, hash_reader, tree_at
from ledger.errors import LedgerError, Reason, chain_broken, invalid_field
from ledger.storage.records import KeptCheckpoint, LedgerInfo
from ledger.storage.store import Store, StoreMoment


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Proof that the event at a position is in the tree of a checkpoint; its leaf is the hash."""

    position: int
    event_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Consistency:
    """Proof that the tree of a checkpoint begins with the tree of `from_size` leaves."""

    from_size: int
    hashes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint


class Prover:
    """Proves about one ledger what its checkpoints say. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, checkpoints: Checkpoints) -> None:
        self._store = store
        self._origin = info.origin
        self._checkpoints = checkpoints

    def inclusion(self, position: int, size: int = 0) -> Inclusion:
        """Prove that an event is in the tree of a signed size.

        Size 0: of the newest checkpoint, and if that does not cover the event, of one signed now.
        POSITION_BEYOND_HEAD where there is no such event or the size does not reach it,
        CHECKPOINT_UNKNOWN where the size was not signed.
        """
        if position < 1:
            raise invalid_field("position", "must be at least 1")
        if size < 0:
            raise invalid_field("size", "must not be negative")
        if not size and (found := self._covered(position)) is not None:
            return found
        size = size or self._signed_now(position)
        with self._store.snapshot() as view:
            kept = self._checkpoints.kept(view, size)
            if position > size:
                raise beyond(position, size, "the checkpoint's size")
            return self._include(view, position, kept)

    def _covered(self, position: int) -> Inclusion | None:
        """Return the proof in the newest checkpoint, unless that does not reach so far."""
        with self._store.snapshot() as view:
            kept = view.proofs.covering(self._origin, position)
            return None if kept is None else self._include(view, position, kept)

    def _include(self, view: StoreMoment, position: int, kept: KeptCheckpoint) -> Inclusion:
        event = view.events.event(self._origin, position)
        if event is None:
            raise chain_broken(position, f"it is gone; a checkpoint of {kept.size} was signed")
        signed = self._checkpoints.present(view, kept)
        try:
            hashes = prove_inclusion(position - 1, signed.size, self._tree(view, signed.size))
            check_inclusion(
                index=position - 1,
                size=signed.size,
                leaf=event.event_hash,
                root=signed.root,
                proof=hashes,
            )
        except (ProofError, TileError) as error:
            raise chain_broken(position, f"its inclusion cannot be proved: {error}") from error
        return Inclusion(position, event.event_hash, tuple(hashes), signed)

    def consistency(self, from_size: int, to_size: int = 0) -> Consistency:
        """Prove that the tree of a signed size begins with the tree of `from_size` leaves.

        Size 0: of the head, signed now. POSITION_BEYOND_HEAD where the later tree is the smaller
        one, CHECKPOINT_UNKNOWN where it was not signed.
        """
        if from_size < 1:
            raise invalid_field("from_size", "must be at least 1")
        if to_size < 0:
            raise invalid_field("to_size", "must not be negative")
        to_size = to_size or self._signed_now(from_size)
        with self._store.snapshot() as view:
            signed = self._checkpoints.present(view, self._checkpoints.kept(view, to_size))
            if from_size > to_size:
                raise beyond(from_size, to_size, "the checkpoint's size")
            try:
                proof = prove_consistency(from_size, to_size, self._tree(view, to_size))
                check_consistency(
                    old_size=from_size,
                    size=to_size,
                    old_root=self._root(view, from_size),
                    root=signed.root,
                    proof=proof,
                )
            except (ProofError, TileError) as error:
                raise chain_broken(
                    to_size, f"it cannot be shown to contain {from_size} events: {error}"
                ) from error
            return Consistency(from_size, tuple(proof), signed)

    def _signed_now(self, least: int) -> int:
        """Return the size of a checkpoint that is signed now; refuse where the head is before."""
        head = self._store.events.head(self._origin).position
        if least > head:
            raise beyond(least, head, "the ledger's head")
        return self._checkpoints.sign().size

    def hashes_between(self, from_size: int, to_size: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes, signed or not; none from the empty one.

        For a caller that checks it, as a witness does.
        """
        if from_size == 0:
            return ()
        with self._store.snapshot() as view:
            try:
                return tuple(prove_consistency(from_size, to_size, self._tree(view, to_size)))
            except (TileError, ValueError) as error:
                raise chain_broken(to_size, str(error)) from error

    def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` events; CHAIN_BROKEN where tiles are missing."""
        with self._store.snapshot() as view:
            return self._root(view, size)

    def _root(self, view: StoreMoment, size: int) -> bytes:
        try:
            return tree_at(size, lambda wanted: view.proofs.tiles(self._origin, wanted)).root()
        except TileError as error:
            raise chain_broken(size, str(error)) from error

    def _tree(self, view: StoreMoment, size: int) -> HashReader:
        return hash_reader(size, lambda wanted: view.proofs.tiles(self._origin, wanted))


def beyond(position: int, end: int, what: str) -> LedgerError:
    """Return the refusal of a position or size that lies beyond what there is."""
    return LedgerError(
        Reason.POSITION_BEYOND_HEAD,
        f"{position} lies beyond {what}, {end}.",
        remedy="Ask for what is recorded; if it was there before, the ledger was cut.",
        metadata={"position": str(position), "head": str(end)},
    )
