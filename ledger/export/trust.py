"""Opening a checkpoint with what the verifier has brought along: keys, a policy, or both."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.keys import VerifierKey
from ledger.chain.note import NoteError, open_note
from ledger.chain.policy import WitnessPolicy
from ledger.chain.witness_times import Cosigned
from ledger.events.values import INTEGER_MAX, ORIGIN


class TrustError(ValueError):
    """A checkpoint that keys or policy do not vouch for; the text says why."""


@dataclass(frozen=True, slots=True)
class TrustedCheckpoint:
    """A checkpoint that is vouched for."""

    checkpoint: CheckpointBody
    keys: tuple[VerifierKey, ...]
    """Those that were brought along and have signed it."""
    cosigned: tuple[Cosigned, ...]
    """The witnesses of the policy that have cosigned it, and count."""
    unread: tuple[str, ...]
    """The names on its lines whose key was not brought along: nothing is known of them."""

    @property
    def witnesses(self) -> tuple[str, ...]:
        """The names of the witnesses."""
        return tuple(one.witness for one in self.cosigned)

    @property
    def cosigned_at(self) -> tuple[str, ...]:
        """When each of them says that it did."""
        return tuple(one.at for one in self.cosigned)

    @property
    def signed_by(self) -> tuple[str, ...]:
        """The keys as text."""
        return tuple(map(str, self.keys))


def open_trusted(
    note: bytes, keys: Sequence[VerifierKey], policy: WitnessPolicy | None
) -> TrustedCheckpoint:
    """Return a ledger's checkpoint that one of the keys has signed, and that the policy accepts.

    Each holds if it is given, and one of them is needed. Every line of a key that was brought
    along, be it of another ledger, must be genuine.
    """
    if not keys and policy is None:
        raise TrustError("nothing can be verified without a key from elsewhere")
    logs = [log.key for log in policy.logs] if policy is not None else []
    brought = list(dict.fromkeys([*keys, *logs]))
    try:
        opened = open_note(note, brought)
        stated = parse_checkpoint(opened.text)
        cosigned = policy.check(note).cosigned if policy is not None else ()
    except NoteError as error:
        raise TrustError(str(error)) from error
    if stated.extensions or stated.size > INTEGER_MAX or ORIGIN.fullmatch(stated.origin) is None:
        raise TrustError("a ledger's checkpoint states its origin, size and root, and no more")
    lines = {(line.name, line.key_id) for line in opened.verified}
    signers = [
        key for key in brought if key.name == stated.origin and (key.name, key.key_id) in lines
    ]
    check_brought(signers, keys, policy)
    read = {(key.name, key.key_id) for key in brought}
    if policy is not None:
        read |= {(one.key.name, one.key.key_id) for one in policy.witnesses}
    unread = [line.name for line in opened.unverified if (line.name, line.key_id) not in read]
    return TrustedCheckpoint(stated, tuple(signers), cosigned, tuple(unread))


def check_brought(
    signers: Sequence[VerifierKey], keys: Sequence[VerifierKey], policy: WitnessPolicy | None
) -> None:
    """Raise TrustError unless a key, and a log of the policy, is a signer; each if it is given."""
    if keys and not any(key in signers for key in keys):
        raise TrustError("the key that was given has not signed it")
    if policy is not None and not any(log.key in signers for log in policy.logs):
        raise TrustError("no log of the policy has signed it")
