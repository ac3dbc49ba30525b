"""Results that a client has verified: nothing here is merely a server's word."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ledger.chain.witness_times import Cosigned
from ledger.client.hashes import hex_repr
from ledger.client.records import Submitted


class TrustBasis(StrEnum):
    """Why a checkpoint's key is trusted."""

    PINNED = "PINNED"
    """It was pinned, or follows from one that was."""
    FIRST_USE = "FIRST_USE"
    """The ledger itself named it just now: compare it with one obtained elsewhere."""
    REMEMBERED = "REMEMBERED"
    """The ledger itself named it at an earlier first use, and has kept to it since."""


@hex_repr
@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that is signed by a trusted key and extends the one remembered before."""

    origin: str
    size: int
    root: bytes
    note: str
    verifier_key: str
    """The trusted key that has signed it; the newest, if several have."""
    witnesses: tuple[str, ...]
    """Names of the witnesses whose cosignatures were verified; none without a policy."""
    basis: TrustBasis
    remembered_size: int
    """Size of the checkpoint that it was joined to; 0 if there was none."""
    cosigned_at: tuple[str, ...] = ()
    """When each of the witnesses says that it saw it, in UTC and in their order."""

    def witnessed(self, cosigned: Sequence[Cosigned]) -> "VerifiedCheckpoint":
        """Return it with the witnesses whose cosignatures count."""
        names, times = (one.witness for one in cosigned), (one.at for one in cosigned)
        return replace(self, witnesses=tuple(names), cosigned_at=tuple(times))


@hex_repr
@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """An event that is proven to be in the tree of a verified checkpoint."""

    position: int
    event_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: VerifiedCheckpoint
    text: str
    """`c2sp.org/tlog-proof@v1`, written by this client from what it has verified."""


@hex_repr
@dataclass(frozen=True, slots=True)
class VerifiedConsistency:
    """A verified checkpoint whose tree is proven to begin with an earlier one."""

    from_size: int
    hashes: tuple[bytes, ...]
    checkpoint: VerifiedCheckpoint


@dataclass(frozen=True, slots=True)
class ProvenSubmission:
    """Where a batch is, and the verified proof of its last event."""

    appended: Submitted
    proof: VerifiedProof
