"""Evidence from the ledger, as the client hands it out: from proofs to bundles.

Conventions are those of `records`. Reading verifies nothing: `trust` does that.
"""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import AuditSource, ExportKind, ExportState, KeyState
from ledger.client.hashes import hex_repr
from ledger.client.records import Appended, Checkpoint


@hex_repr
@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A proof that one event is in the tree of a checkpoint."""

    position: int
    event_hash: bytes
    hashes: tuple[bytes, ...]
    """The leaf's sibling first, 32 bytes each."""
    checkpoint: Checkpoint
    text: str
    """The same as `c2sp.org/tlog-proof@v1`, for any tool that reads that."""


@hex_repr
@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """A proof that the tree of a checkpoint begins with an earlier tree of `from_size` leaves."""

    from_size: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs, or has signed, a ledger's checkpoints; its public half."""

    verifier_key: str
    from_position: int
    until_position: int
    """Largest size of a checkpoint that it vouches for; 0 if there is none yet."""
    state: KeyState
    position: int
    recorded_at: datetime | None
    revoked_reason: str


@hex_repr
@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys by their first position, and the digest of the one that will sign next."""

    keys: tuple[SigningKey, ...]
    next_key_digest: bytes


@dataclass(frozen=True, slots=True)
class ChangedKey:
    """A rotation or revocation as recorded, and the key as it is now."""

    appended: Appended
    key: SigningKey


@hex_repr
@dataclass(frozen=True, slots=True)
class Seal:
    """How far every stream had come, as one root over a record of each."""

    appended: Appended
    as_of: int
    root: bytes
    streams: int


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """One rule of an audit: how often it was applied, how often it failed or could not be."""

    rule: str
    checked: int
    failed: int = 0
    unchecked: int = 0


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One finding of an audit; position 0 where it is not about one event."""

    rule: str
    position: int
    what: str


@hex_repr
@dataclass(frozen=True, slots=True)
class AuditTranscriptPart:
    """One part of a transcript: a digest of something that an audit read or found."""

    name: str
    digest: bytes


@hex_repr
@dataclass(frozen=True, slots=True)
class AuditReport:
    """The scope and findings of an audit, as `record_audit` puts them on record."""

    program: str
    source: AuditSource | str
    size: int
    root: bytes
    passed: bool
    checks: tuple[AuditCheck, ...] = ()
    findings: tuple[AuditFinding, ...] = ()
    transcript: bytes = b""
    """The root over all that was read and every verdict; empty for an auditor that keeps none."""
    transcript_parts: tuple[AuditTranscriptPart, ...] = ()
    """The parts that it is over, by name ascending."""


@hex_repr
@dataclass(frozen=True, slots=True)
class Export:
    """A bundle that verifies without the service, and how far it has come."""

    name: str
    kind: ExportKind
    first_position: int
    last_position: int
    stream: str
    state: ExportState
    events_done: int
    events_total: int
    withheld: int
    checkpoint_size: int
    manifest_digest: bytes
    """SHA-256 of the bundle's `manifest-sha256.txt`; empty until it is ready."""
    archive_bytes: int
    requested_at: datetime
    requested_by: str
    purpose: str
    failure: str
    """Why it was given up; empty unless it was."""
    issued_position: int


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A piece of a bundle's archive: where it begins, its bytes, and the bytes of the whole."""

    offset: int
    content: bytes
    archive_bytes: int
