"""The rule that a signal keeps its meaning under the policies that were drafted against it."""

from ledger.audit.event import Event
from ledger.audit.fold import Fold, meaning_of
from ledger.audit.parameters import Parameters
from ledger.audit.registry import Unchecked, Verdict, rule

_DEFINED = "signal.defined.v1"
_NAMES = ("kind", "unit", "direction")


@rule("meanings.pinned", _DEFINED, "policy.activated.v1")
def meanings_pinned(event: Event, fold: Fold) -> Verdict:
    """What a signal measures does not change under a policy that decides by `rules/2`.

    Neither is it redefined while a version that reads it is in force, nor does a version come into
    force whose signals were redefined after it was drafted.
    """
    wrong = _redefined(event, fold) if event.type == _DEFINED else _outdated(event, fold)
    if wrong and fold.has_gaps:
        return Unchecked("a body is not there that may say otherwise")
    return wrong


def _redefined(event: Event, fold: Fold) -> str | None:
    data = event.data
    assert data is not None
    known = fold.definitions.get(data["signal"])
    if not known or known[-1][1] == meaning_of(data):
        return None
    for _, activated in fold.in_force(event.position - 1):
        named = activated["policy"], activated["version"], activated["digest"]
        parameters = fold.parameters(*named)
        if parameters is not None and data["signal"] in _pinned_by(parameters):
            said = _said(known[-1][1], meaning_of(data))
            return f"it changes {said}, and {named[0]} version {named[1]} is in force"
    return None


def _outdated(event: Event, fold: Fold) -> str | None:
    data = event.data
    assert data is not None
    parameters = fold.parameters(data["policy"], data["version"], data["digest"])
    drafted_at = fold.drafted_at.get((data["policy"], data["version"]))
    if parameters is None or drafted_at is None:
        return None  # another rule's business
    for signal in sorted(_pinned_by(parameters)):
        known = fold.definitions.get(signal, [])
        before = [meaning for position, meaning in known if position < drafted_at]
        if before and before[-1] != known[-1][1]:
            said = _said(before[-1], known[-1][1])
            return f"{signal} changed {said} after the version was drafted"
    return None


def _pinned_by(parameters: Parameters) -> set[str]:
    """Return the signals that a version reads, if its procedure pins what they mean."""
    if parameters.is_by_record:
        return set()
    return {one.signal for one in parameters.scoring.signals} | ({parameters.loss_signal} - {""})


def _said(was: tuple[str, ...], now: tuple[str, ...]) -> str:
    changed = zip(_NAMES, was, now, strict=True)
    return ", ".join(f"{name} from {old} to {new}" for name, old, new in changed if old != new)
