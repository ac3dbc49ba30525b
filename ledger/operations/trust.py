"""The trust of a verifier: its own verifier keys and policy, from another source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.keys import ED25519, KeyFormatError, VerifierKey
from ledger.chain.policy import PolicyError, WitnessPolicy, parse_policy
from ledger.chain.witness_times import TimeBounds
from ledger.operations.failures import MisuseError
from ledger.reading import NOTE_BYTES_MAX, read_plain


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Keys and a policy that were obtained elsewhere; either may be missing."""

    keys: tuple[VerifierKey, ...] = ()
    policy: WitnessPolicy | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a signature could be verified with."""
        return not self.keys and self.policy is None

    def require(self, what: str) -> None:
        """Raise MisuseError if there is nothing to verify `what` with."""
        if self.is_empty:
            raise MisuseError(
                f"{what} is verified with a key that did not come with it.",
                "Give it with --vkey, or a --witness-policy with `log` lines.",
            )


def trusted(
    vkeys: Sequence[str] | None, policy: Path | None, times: TimeBounds | None = None
) -> TrustAnchors:
    """Return what --vkey and --witness-policy name.

    `times`: when a cosignature counts, by the clock of who asks; without them all times do.
    """
    found = policy_of(policy)
    if found is not None and times is not None:
        found = found.within(times)
    return TrustAnchors(tuple(keys_of(vkeys or ())), found)


def keys_of(texts: Sequence[str], named: str = "--vkey") -> list[VerifierKey]:
    """Return the keys in texts; `named` is the option or argument that they were given as."""
    try:
        keys = [VerifierKey.parse(text.strip()) for text in texts]
    except KeyFormatError as error:
        raise MisuseError(
            f"{named}: {error}.", "Print the ledger's with `decision-ledger vkey`."
        ) from error
    if any(key.type != ED25519 for key in keys):
        remedy = "Witnesses belong in --witness-policy."
        raise MisuseError(f"{named}: that is a witness's key.", remedy)
    return keys


def policy_of(path: Path | None) -> WitnessPolicy | None:
    """Return the tlog-policy in a file given as --witness-policy."""
    if path is None:
        return None
    try:
        return parse_policy(read_plain(path, NOTE_BYTES_MAX))
    except OSError as error:
        raise MisuseError(
            f"--witness-policy: {path}: {error.strerror or error}.", "Check the path."
        ) from error
    except PolicyError as error:
        raise MisuseError(f"--witness-policy: {path}: {error}.", "Correct the file.") from error
