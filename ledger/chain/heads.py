"""The comparison of two heads of one log: whether the later keeps what the earlier promised.

Everything that remembers a head compares by this one function: a client, a witness, an auditor, and
a server that starts beside what was published of it. Signatures are the caller's to verify before,
and the two signed notes of a fork are its to keep: the log's own signatures convict it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.merkle import (
    EMPTY_ROOT,
    ProofError,
    check_consistency,
    roots_from_consistency,
)


class TreeHead(NamedTuple):
    """How many leaves a tree has, and its root; the empty tree if nothing is said."""

    size: int = 0
    root: bytes = EMPTY_ROOT


def head_of(checkpoint: CheckpointBody) -> TreeHead:
    """Return the head that a checkpoint states."""
    return TreeHead(checkpoint.size, checkpoint.root)


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
    """Not to be joined: at least one of the heads was signed for others, or the proof is damaged;
    a holder of the leaves can tell."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two heads relate, and why they cannot be joined, or are not known to be."""

    relation: Relation
    why: str = ""

    @property
    def is_extended(self) -> bool:
        """Whether the offered head contains the known one, so that it may be remembered."""
        return self.relation in (Relation.SAME, Relation.NEWER)


def compare(known: TreeHead, offered: TreeHead, proof: Sequence[bytes] | None) -> Comparison:
    """Return how two heads of one log relate.

    The proof is the consistency proof between their sizes, whichever is the smaller; it plays no
    part between equal sizes or from the empty tree.
    """
    smaller, larger = sorted((known, offered), key=lambda head: head.size)
    further = Comparison(Relation.NEWER)
    if offered.size < known.size:
        further = Comparison(Relation.OLDER, f"it covers {offered.size} events only")
    if smaller.size == 0 and smaller.root != EMPTY_ROOT:
        return Comparison(Relation.FORK, "an empty tree has another root")
    if smaller.size == larger.size:
        if smaller.root == larger.root:
            return Comparison(Relation.SAME)
        return Comparison(Relation.FORK, f"two trees of {larger.size} events have different roots")
    if smaller.size == 0:
        return further
    if proof is None:
        return Comparison(Relation.UNPROVEN, "no consistency proof was given")
    try:
        check_consistency(
            old_size=smaller.size,
            size=larger.size,
            old_root=smaller.root,
            root=larger.root,
            proof=proof,
        )
    except ProofError as error:
        return Comparison(Relation.FORK, _another_past(smaller, larger, proof) or str(error))
    return further


def _another_past(smaller: TreeHead, larger: TreeHead, proof: Sequence[bytes]) -> str:
    """Return what convicts a log by its own proof; empty where the proof may just be damaged."""
    try:
        old_root, root = roots_from_consistency(
            old_size=smaller.size, size=larger.size, old_root=smaller.root, proof=proof
        )
    except ProofError:
        return ""
    if root != larger.root or old_root == smaller.root:
        return ""
    return f"the tree of {larger.size} events is proven to begin with other {smaller.size} events"
