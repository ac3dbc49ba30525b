"""A witness's part of the protocol `add-checkpoint` (C2SP tlog-witness), as pure functions.

A request is read, its checkpoint opened, and the step from the last cosigned head decided; each may
refuse with the HTTP status of the protocol. The caller keeps the head, and must compare and
store it in one atomic step before answering: otherwise a slow request for a smaller tree could undo
a larger one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.checkpoint import CheckpointBody, OpenedCheckpoint, claim_of, open_checkpoint
from ledger.chain.heads import TreeHead, compare, head_of
from ledger.chain.keys import VerifierKey, decode_base64, encode_base64
from ledger.chain.link import DIGEST_BYTES
from ledger.chain.merkle import SIZE_MAX
from ledger.chain.note import MalformedNoteError, NoteError

PROOF_LINES_MAX: Final = 63

MALFORMED: Final = 400
UNTRUSTED: Final = 403
UNKNOWN_LOG: Final = 404
CONFLICT: Final = 409
INCONSISTENT: Final = 422
UNABLE: Final = 503

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class WitnessRefusalError(Exception):
    """A request that a witness refuses: the status to answer, and why."""

    def __init__(self, status: int, why: str, *, known_size: int | None = None) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status
        self.why = why
        self.known_size = known_size
        """The size of the last cosigned head, if the request named another."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A parsed request; nothing about it is verified."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes
    claimed: CheckpointBody

    @classmethod
    def parse(cls, data: bytes) -> "AddCheckpoint":
        """Return the request in these bytes, or raise WitnessRefusalError with status 400."""
        head, gap, note = data.partition(b"\n\n")
        try:
            first, *lines = head.decode("ascii").split("\n")
            old = _OLD.fullmatch(first)
            if not gap or old is None or int(old[1]) > SIZE_MAX:
                raise MalformedNoteError("a request is `old` and a size, a proof and a checkpoint")
            if len(lines) > PROOF_LINES_MAX:
                raise MalformedNoteError(f"a proof has at most {PROOF_LINES_MAX} hashes")
            proof = tuple(map(decode_base64, lines))
            if any(len(hash_) != DIGEST_BYTES for hash_ in proof):
                raise MalformedNoteError("a hash is not 32 bytes long")
            claimed = claim_of(note)
        except ValueError as error:
            raise WitnessRefusalError(MALFORMED, str(error)) from error
        if int(old[1]) > claimed.size:
            raise WitnessRefusalError(MALFORMED, "the old size is larger than the checkpoint's")
        return cls(int(old[1]), proof, note, claimed)


def encode_request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """Return the request to cosign a note, given the size that the witness knows."""
    lines = [f"old {old_size}", *map(encode_base64, proof), "", ""]
    return "\n".join(lines).encode() + note


def open_request(
    request: AddCheckpoint, logs: Mapping[str, Sequence[VerifierKey]]
) -> OpenedCheckpoint:
    """Return the request's checkpoint as one of the known logs signed it; logs are by origin.

    Raises WitnessRefusalError: 404 if the log is not known, 403 if it did not sign.
    """
    origin = request.claimed.origin
    keys = logs.get(origin)
    if keys is None:
        raise WitnessRefusalError(UNKNOWN_LOG, f"the log {origin!r} is not witnessed here")
    try:
        return open_checkpoint(request.note, origin=origin, keys=keys)
    except NoteError as error:
        raise WitnessRefusalError(UNTRUSTED, str(error)) from error


def advance(known: TreeHead, request: AddCheckpoint, offered: CheckpointBody) -> TreeHead:
    """Return the head to store and then cosign, or raise WitnessRefusalError: 409 or 422.

    `known` is the largest head that the witness has cosigned, the empty tree before the first;
    `offered` is the request's checkpoint, opened. The head returned is never smaller than `known`,
    and the same if it has the same size.
    """
    if request.old_size != known.size:
        why = f"the last cosigned size is {known.size}, not {request.old_size}"
        raise WitnessRefusalError(CONFLICT, why, known_size=known.size)
    head = head_of(offered)
    if request.proof and known.size in (0, head.size):
        raise WitnessRefusalError(INCONSISTENT, f"no proof leads from {known.size} to {head.size}")
    comparison = compare(known, head, request.proof)
    if not comparison.is_extended:
        raise WitnessRefusalError(INCONSISTENT, comparison.why)
    return head
