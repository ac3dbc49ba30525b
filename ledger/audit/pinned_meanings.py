"""Which versions of policies outlived the meaning of a signal that they read."""

from typing import Final

from ledger.audit.ledger_state import LedgerState
from ledger.audit.parameters import Parameters

_NAMES: Final = ("kind", "unit", "direction")


def outdated(fold: LedgerState, policy: str, version: int, digest: str) -> str:
    """Return which signal of a version was redefined after it was drafted; empty for none."""
    parameters = fold.parameters(policy, version, digest)
    drafted_at = fold.drafted_at.get((policy, version))
    if parameters is None or drafted_at is None:
        return ""
    for signal in sorted(pinned_by(parameters)):
        known = fold.definitions.get(signal, [])
        before = [meaning for position, meaning in known if position < drafted_at]
        if before and before[-1] != known[-1][1]:
            changed = change_of(before[-1], known[-1][1])
            return f"{signal} changed {changed} after the version was drafted"
    return ""


def pinned_by(parameters: Parameters) -> set[str]:
    """Return the signals that a version reads, if its procedure pins what they mean."""
    if parameters.is_by_record:
        return set()
    return {one.signal for one in parameters.scoring.signals} | ({parameters.loss_signal} - {""})


def change_of(was: tuple[str, ...], now: tuple[str, ...]) -> str:
    """Return in words how two meanings of a signal differ."""
    changed = zip(_NAMES, was, now, strict=True)
    return ", ".join(f"{name} from {old} to {new}" for name, old, new in changed if old != new)
