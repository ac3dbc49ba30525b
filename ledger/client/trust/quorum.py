"""A witness policy applied to a checkpoint: the keys that count, the witnesses that cosigned."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ledger.chain.note import Signature, UnverifiedNoteError, open_note
from ledger.chain.policy import WitnessPolicy, parse_policy
from ledger.chain.witness_times import Cosigned
from ledger.reading import NOTE_BYTES_MAX, read_plain

WitnessPolicyLike: TypeAlias = WitnessPolicy | bytes | Path | str
"""A witness policy, its text as bytes, or the path of its file."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """The witnesses that cosigned a checkpoint, and why they are not enough, "" if they are."""

    cosigned: tuple[Cosigned, ...]
    missing: tuple[str, ...]
    why: str


def read_witness_policy(policy: WitnessPolicyLike | None) -> WitnessPolicy | None:
    """Return a witness policy, None for none; PolicyError or OSError where it cannot be read."""
    if policy is None or isinstance(policy, WitnessPolicy):
        return policy
    return parse_policy(
        policy if isinstance(policy, bytes) else read_plain(Path(policy), NOTE_BYTES_MAX)
    )


def quorum_of(policy: WitnessPolicy, note: str) -> Quorum:
    """Return which witnesses cosigned a note; NoteError for a cosignature that is not genuine.

    Only the witnesses are looked at: the log's own signature is for the caller to verify.
    """
    try:
        opened = open_note(note.encode(), [witness.key for witness in policy.witnesses])
    except UnverifiedNoteError:
        verified: tuple[Signature, ...] = ()
    else:
        verified = opened.verified
    cosigned, others = policy.counted(verified)
    present = [one.witness for one in cosigned]
    if policy.quorum_met(present):
        return Quorum(cosigned, (), "")
    missing = tuple(one.name for one in policy.witnesses if one.name not in present)
    said = ", ".join(map(str, cosigned)) or "no witness"
    return Quorum(
        cosigned,
        missing,
        f"the quorum {policy.quorum} is not met: cosigned by {said}; "
        f"not yet by {', '.join(missing) or 'any other'}{others}",
    )
