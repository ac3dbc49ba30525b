"""Two signed heads of one log, and whether the later one keeps what the earlier one promised.

A client that remembers a checkpoint compares each new one with it, and never goes on to a head that
is not proven to begin with the remembered one. Two heads that cannot be joined are kept, with both
notes: the log's own signatures are what convicts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.chain.checkpoint import Checkpoint
from ledger.chain.merkle import (
    EMPTY_ROOT,
    ProofError,
    check_consistency,
    roots_from_consistency,
)
from ledger.events.canonical import encode


class Relation(StrEnum):
    """How an offered head relates to the known one."""

    SAME = "same"
    NEWER = "newer"
    """Larger, and proven to begin with the known one: the one to remember from now on."""
    OLDER = "older"
    """Smaller, and proven to be its beginning. From a log that was asked for its newest head it is
    a rollback."""
    UNPROVEN = "unproven"
    """Of another size, and no proof was given: nothing can be said."""
    FORK = "fork"
    """Not to be joined: at least one of the heads was signed for others."""


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint whose signatures were verified, and the note that carries them."""

    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two heads stand to each other, with what shows it."""

    relation: Relation
    known: Head
    offered: Head
    proof: tuple[bytes, ...]
    why: str
    is_proven: bool
    """Whether the heads alone, or with the proof, convict the log before anybody. A fork that is
    not proven may also be a damaged proof; a holder of the leaves can tell."""

    def evidence(self) -> bytes:
        """Return everything a third party needs to judge: canonical JSON, notes verbatim."""
        return encode(
            {
                "is_proven": self.is_proven,
                "known": self.known.note.decode(),
                "offered": self.offered.note.decode(),
                "proof": [hash_.hex() for hash_ in self.proof],
                "relation": self.relation.value,
                "why": self.why,
            }
        )


def compare(known: Head, offered: Head, proof: Sequence[bytes] | None) -> Comparison:
    """Return how two heads of one log stand to each other.

    The proof is the consistency proof between their sizes, whichever is the smaller; it plays no
    part between equal sizes or from the empty tree.
    """
    assert known.checkpoint.origin == offered.checkpoint.origin

    def result(relation: Relation, why: str = "", *, is_proven: bool = True) -> Comparison:
        return Comparison(relation, known, offered, tuple(proof or ()), why, is_proven)

    smaller, larger = sorted(
        (known.checkpoint, offered.checkpoint), key=lambda checkpoint: checkpoint.size
    )
    further = Relation.NEWER if offered.checkpoint is larger else Relation.OLDER
    if smaller.size == 0 and smaller.root != EMPTY_ROOT:
        return result(Relation.FORK, "an empty tree was signed with a root that it cannot have")
    if smaller.size == larger.size:
        if smaller.root == larger.root:
            return result(Relation.SAME)
        return result(Relation.FORK, f"two trees of size {larger.size} have different roots")
    if smaller.size == 0:
        return result(further)
    if proof is None:
        return result(Relation.UNPROVEN, "no consistency proof was given", is_proven=False)
    try:
        check_consistency(
            old_size=smaller.size,
            size=larger.size,
            old_root=smaller.root,
            root=larger.root,
            proof=proof,
        )
    except ProofError as error:
        why = f"sizes {smaller.size} and {larger.size}: {error}"
        return result(Relation.FORK, why, is_proven=_shows_another_past(smaller, larger, proof))
    return result(further)


def _shows_another_past(smaller: Checkpoint, larger: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Return whether the proof shows that the larger tree begins with another one of that size."""
    try:
        old_root, root = roots_from_consistency(
            old_size=smaller.size, size=larger.size, old_root=smaller.root, proof=proof
        )
    except ProofError:
        return False
    return root == larger.root and old_root != smaller.root
