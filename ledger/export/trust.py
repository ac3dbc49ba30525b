"""Opening a checkpoint with what the verifier has brought along: keys, a policy, or both."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.cosignature import timestamp_of
from ledger.chain.keys import VerifierKey
from ledger.chain.note import NoteError, open_note
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import WitnessPolicy
from ledger.events.values import INTEGER_MAX, ORIGIN


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
    cosigned_at: tuple[int, ...]
    """When they say that they did, in POSIX seconds."""
    unread: tuple[str, ...]
    """The names on its lines whose key was not brought along: nothing is known of them."""

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
        witnesses = policy.check(note).witnesses if policy is not None else ()
    except NoteError as error:
        raise TrustError(str(error)) from error
    if stated.extensions or stated.size > INTEGER_MAX or ORIGIN.fullmatch(stated.origin) is None:
        raise TrustError("a ledger's checkpoint states its origin, size and root, and no more")
    lines = {(line.name, line.key_id) for line in opened.verified}
    signers = [
        key for key in brought if key.name == stated.origin and (key.name, key.key_id) in lines
    ]
    check_brought(signers, keys, policy)
    witness_keys = [] if policy is None else [one.key for one in policy.witnesses]
    genuine = lines | {(key.name, key.key_id) for key in brought}
    seen = {(key.name, key.key_id) for key in witness_keys}
    cosigned_at: dict[tuple[str, bytes], int] = {}
    unread: list[str] = []
    for line in parse_note(note).signatures:
        place = line.name, line.key_id
        if place in seen:  # the policy has found it genuine; of several lines the first counts
            cosigned_at.setdefault(place, timestamp_of(line.signature))
        elif place not in genuine:
            unread.append(line.name)
    return TrustedCheckpoint(
        stated, tuple(signers), witnesses, tuple(cosigned_at.values()), tuple(unread)
    )


def check_brought(
    signers: Sequence[VerifierKey], keys: Sequence[VerifierKey], policy: WitnessPolicy | None
) -> None:
    """Raise TrustError unless a key, and a log of the policy, is a signer; each if it is given."""
    if keys and not any(key in signers for key in keys):
        raise TrustError("the key that was given has not signed it")
    if policy is not None and not any(log.key in signers for log in policy.logs):
        raise TrustError("no log of the policy has signed it")
