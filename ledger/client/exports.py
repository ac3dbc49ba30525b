"""Exports as the client hands them out; conventions are those of `records`."""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import ExportKind, ExportState
from ledger.client.hashes import hex_repr


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
