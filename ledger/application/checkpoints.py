"""Signed checkpoints: what the ledger's key says about a tree head, on request."""

from dataclasses import dataclass

from ledger.chain.checkpoint import Checkpoint, parse, sign
from ledger.chain.keys import SigningKey
from ledger.chain.merkle import CompactRange
from ledger.chain.note import parse as parse_note
from ledger.errors import chain_broken
from ledger.storage.store import LedgerInfo, Store


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree head with its signed note, and the verifier key that belongs to the signer."""

    size: int
    root: bytes
    note: str
    vkey: str


class Checkpoints:
    """Signs and keeps the tree heads of one ledger."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info
        self._key = SigningKey.parse(store.signing_key(info.origin))

    def newest(self) -> SignedCheckpoint:
        """Return a checkpoint of the head, signed now unless one of that size was kept before.

        CHAIN_BROKEN where the stored tree does not have as many leaves as there are events, or
        where a kept checkpoint of the same size has another root: then nothing is signed.
        """
        head = self._store.head(self._info.origin)
        tree = CompactRange.from_bytes(head.tree)
        if tree.size != head.position:
            raise chain_broken(head.position, f"the tree has {tree.size} leaves")
        root = tree.root()
        kept = self._store.checkpoint(self._info.origin)
        if kept is not None and kept[0] >= tree.size:
            size, note = kept
            opened = parse(parse_note(note.encode()).text)
            if size == tree.size and opened.root != root:
                raise chain_broken(size, "a checkpoint of this size was signed with another root")
            return SignedCheckpoint(size, opened.root, note, self._info.vkey)
        note = sign(Checkpoint(self._info.origin, tree.size, root), [self._key]).decode()
        self._store.save_checkpoint(self._info.origin, tree.size, note)
        return SignedCheckpoint(tree.size, root, note, self._info.vkey)
