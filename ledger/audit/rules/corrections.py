"""Rules about corrections: each takes the place of an observation of the same thing, once."""

from typing import Final

from ledger.audit.event import AuditedEvent, StatedObservation
from ledger.audit.ledger_state import LedgerState
from ledger.audit.observations import IndexedObservation
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.signals import SignalObservedV2

_OBSERVED: Final = SignalObservedV2.TYPE


def _corrected(event: AuditedEvent, fold: LedgerState) -> IndexedObservation | None:
    """Return what a correction names, where the model has it at the time that it states."""
    stated = _stated(event)
    if not stated.corrects:
        return None
    known, at = fold.observations, stated.observed_at
    return known.at_position(event.stream, at, stated.corrects, fold.position)


def _stated(event: AuditedEvent) -> StatedObservation:
    assert event.observation is not None
    return event.observation


@rule("corrections.present", _OBSERVED)
def corrections_present(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A correction is of an observation of the same model and time that is on record before it."""
    position = _stated(event).corrects
    if not position or _corrected(event, fold) is not None:
        return None
    facts = fold.models.get(event.stream)
    if facts is not None and position in facts.gone:
        return Unchecked(fold.absences.reason(position))
    return f"there is no observation of the model and of that time at position {position}"


@rule("corrections.alike", _OBSERVED)
def corrections_alike(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A correction is of the same signal and version as what it corrects, by the same source."""
    stated, corrected = _stated(event), _corrected(event, fold)
    if corrected is None:
        return None
    for name, now, was in (
        ("signal", stated.signal, corrected.signal),
        ("version", stated.model_version, corrected.model_version),
        ("source", event.actor, corrected.source),
    ):
        if now != was:
            return f"its {name} is {now}, and that of what it corrects is {was}"
    return None


@rule("corrections.newest", _OBSERVED)
def corrections_newest(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A correction takes the place of the newest of its chain, and names where that begins."""
    stated, corrected = _stated(event), _corrected(event, fold)
    if corrected is None:
        return None
    first = corrected.first or corrected.position
    if stated.first != first:
        return f"it says that the chain begins at position {stated.first}, and it does at {first}"
    newest = fold.observations.last_correction(
        event.stream, corrected.observed_at, first, fold.position
    )
    if newest > corrected.position:
        return f"what it corrects was corrected before, at position {newest}"
    return None
