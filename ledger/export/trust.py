"""Opening a checkpoint with what the verifier has brought along: keys, a policy, or both."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.checkpoint import CheckpointBody, open_checkpoint
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.keys import VerifierKey
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import WitnessPolicy


class TrustError(ValueError):
    """A checkpoint that keys or policy do not vouch for; the text says why."""


@dataclass(frozen=True, slots=True)
class TrustedCheckpoint:
    """A checkpoint that is vouched for."""

    checkpoint: CheckpointBody
    keys: tuple[VerifierKey, ...]
    """Those that were brought along and have signed it."""
    witnesses: tuple[str, ...]
    """Those of the policy that have cosigned it."""

    @property
    def signed_by(self) -> tuple[str, ...]:
        """The keys as text."""
        return tuple(map(str, self.keys))


def open_trusted(
    note: bytes, keys: Sequence[VerifierKey], policy: WitnessPolicy | None
) -> TrustedCheckpoint:
    """Return a checkpoint that one of the keys has signed, and that meets the policy if given.

    Without a key the policy's own `log` lines say which key counts.
    """
    if not keys and policy is None:
        raise TrustError("nothing can be verified without a key from elsewhere")
    logs = [log.key for log in policy.logs] if policy is not None else []
    try:
        origin = parse_checkpoint(parse_note(note).text).origin
        trusted = [key for key in dict.fromkeys([*keys, *logs]) if key.name == origin]
        opened = open_checkpoint(note, origin=origin, keys=trusted)
        witnesses = policy.check(note).witnesses if policy is not None else ()
    except NoteError as error:
        raise TrustError(str(error)) from error
    lines = {(line.name, line.key_id) for line in opened.note.verified}
    signers = tuple(key for key in trusted if (key.name, key.key_id) in lines)
    if keys and not any(key in signers for key in keys):
        raise TrustError("the key that was given has not signed it")
    return TrustedCheckpoint(opened.checkpoint, signers, witnesses)
