"""Checkpoints that come from outside, compared with what this database holds.

A signer of a larger tree for this ledger, or another one of a size that we have, has seen a
ledger that this one is not: after a restored backup, or a fork. Only a note that a key of this
ledger or a configured witness has signed counts as such a statement; all else is noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.evidence import Contradiction
from ledger.application.signing.keyring import Keyring
from ledger.application.signing.prover import Prover
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.cosignature import CosignerKey
from ledger.chain.heads import Relation, TreeHead, compare, head_of
from ledger.chain.note import NoteError, open_note
from ledger.errors import LedgerError, Reason
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


@dataclass(frozen=True, slots=True)
class HeadConflict:
    """A genuine statement from outside that this database does not bear out."""

    size: int
    head: int
    found: Contradiction

    @property
    def is_behind(self) -> bool:
        """Whether the outside has seen more than there is here."""
        return self.size > self.head


class ConsistencyChecker:
    """Judges notes from outside about one ledger. Safe between threads."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        keyring: Keyring,
        checkpoints: Checkpoints,
        prover: Prover,
    ) -> None:
        self._store = store
        self._origin = info.origin
        self._keyring = keyring
        self._checkpoints = checkpoints
        self._prover = prover

    def compare(
        self, note: bytes, source: str, witnesses: Sequence[CosignerKey] = ()
    ) -> HeadConflict | None:
        """Return how a note contradicts this ledger, or None if it does not.

        NoteError where no key of this ledger, and none of these witnesses, has signed it.
        """
        checkpoint = self._open(note, witnesses)
        # Read after the note was fetched, so that what is here is never honestly behind it.
        head = self._store.events.head(self._origin).position
        if checkpoint.size > head:
            why = (
                f"{source} has a checkpoint of {checkpoint.size} events, but this database has "
                f"{head} only: events are gone, as after a restored backup."
            )
        elif self._is_fork(head_of(checkpoint)):
            why = (
                f"{source} has a checkpoint of {checkpoint.size} events with another root than "
                f"the first {checkpoint.size} events of this database have."
            )
        else:
            return None
        ours = self._checkpoints.newest()
        found = Contradiction(
            self._origin, why, source, note.decode(), ours.note if ours is not None else ""
        )
        return HeadConflict(checkpoint.size, head, found)

    def _is_fork(self, theirs: TreeHead) -> bool:
        ours = TreeHead(theirs.size, self._prover.root_at(theirs.size))
        return compare(theirs, ours, None).relation is Relation.FORK

    def _open(self, note: bytes, witnesses: Sequence[CosignerKey]) -> CheckpointBody:
        keys = self._keyring.for_foreign_notes(self._keyring.history())
        # A restored backup may not know the key that signs now; a witness's line will do then.
        checkpoint = parse_checkpoint(open_note(note, [*keys, *witnesses]).text)
        if checkpoint.origin != self._origin:
            raise NoteError(f"the checkpoint is of {checkpoint.origin!r}")
        return checkpoint


def behind(difference: HeadConflict) -> LedgerError:
    """Return the refusal to serve a ledger that the outside contradicts."""
    found = difference.found
    if difference.is_behind:
        return LedgerError(
            Reason.LEDGER_BEHIND,
            f"The ledger {found.origin} is not served: {found.why}",
            remedy=(
                "Bring back the newest copy of the database. If the events are lost for good, "
                "begin a new ledger: this one must not sign a second history."
            ),
            metadata={
                "ledger": found.origin,
                "size": str(difference.size),
                "head": str(difference.head),
                "source": found.source,
            },
        )
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"The ledger {found.origin} is not served: {found.why}",
        remedy="Keep database and note as evidence, and find out which of them is true.",
        metadata={
            "ledger": found.origin,
            "position": str(difference.size),
            "source": found.source,
        },
    )


def unknown_signer(origin: str, place: str, size: int, error: NoteError) -> LedgerError:
    """Return the refusal to serve beside a published note that no known key has signed."""
    return LedgerError(
        Reason.SIGNING_STOPPED,
        f"The ledger {origin} is not served: {place} claims a checkpoint of {size} events, which "
        f"cannot be compared with this database: {error}.",
        remedy=(
            "If keys were rotated since this database was copied, it is a restored backup: bring "
            "back the newest copy. Else the file is forged or damaged: publish again."
        ),
        metadata={"ledger": origin, "size": str(size), "path": place},
    )
