"""Signed checkpoints: what the ledger's key says about a tree head, on request."""

from dataclasses import dataclass

from ledger.chain.checkpoint import Checkpoint, parse, sign
from ledger.chain.keys import SigningKey
from ledger.chain.merkle import CompactRange
from ledger.chain.note import parse as parse_note
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.storage.store import Head, LedgerInfo, Store


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
        self._key: SigningKey | None = None

    def newest(self) -> SignedCheckpoint:
        """Return a checkpoint of the head, signed now unless one of that size was kept before.

        CHAIN_BROKEN where the stored tree does not have as many leaves as there are events, where
        a kept checkpoint of the same size has another root, or where one is larger than the log:
        then nothing is signed.
        """
        kept = self._store.checkpoint(self._info.origin)
        head = self._store.head(self._info.origin)  # read after it, so never honestly behind it
        tree = _tree_of(head)
        root = tree.root()
        if kept is not None and kept[0] >= tree.size:
            size, note = kept
            if size > tree.size:
                raise chain_broken(
                    tree.size, f"a checkpoint of {size} events was signed; some of them are gone"
                )
            opened = parse(parse_note(note.encode()).text)
            if opened.root != root:
                raise chain_broken(size, "a checkpoint of this size was signed with another root")
            return SignedCheckpoint(size, opened.root, note, self._info.vkey)
        note = sign(Checkpoint(self._info.origin, tree.size, root), [self._signer()]).decode()
        after = kept.size if kept is not None else 0
        if not self._store.save_checkpoint(self._info.origin, tree.size, note, after=after):
            return self.newest()  # another server has signed meanwhile
        return SignedCheckpoint(tree.size, root, note, self._info.vkey)

    def _signer(self) -> SigningKey:
        """Return the key that signs; KEY_UNKNOWN for the ledger of a bare recorder."""
        if self._key is None:
            keys = self._store.signing_keys(self._info.origin)
            if self._info.vkey not in keys:
                raise LedgerError(
                    Reason.KEY_UNKNOWN,
                    f"No key signs for {self._info.origin}.",
                    remedy="Checkpoints are for ledgers that CreateLedger began.",
                    metadata={"ledger": self._info.origin},
                )
            self._key = keys[self._info.vkey]
        return self._key


def _tree_of(head: Head) -> CompactRange:
    """Return the tree at a head; CHAIN_BROKEN unless it is whole and has a leaf for each event."""
    try:
        tree = CompactRange.from_bytes(head.tree)
    except ValueError as error:
        raise chain_broken(head.position, f"its tree cannot be read: {error}") from error
    if tree.size != head.position:
        raise chain_broken(head.position, f"the tree has {tree.size} leaves")
    return tree
