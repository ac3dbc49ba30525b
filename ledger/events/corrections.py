"""Corrections: of an observation and all that correct it, only the newest known one counts.

A correction has the time of what it corrects, so any stretch of time holds chains whole.
"""

from collections.abc import Iterable

from ledger.events.envelope import RecordedEvent
from ledger.events.registry import typed
from ledger.events.signals import CorrectionPart, SignalObserved, SignalObservedV2


def correction_of(event: RecordedEvent) -> CorrectionPart | None:
    """Return what a known observation corrects; None where it is one of its own."""
    if event.type == SignalObserved.TYPE:
        return None
    return typed(event, SignalObservedV2).corrects


def uncorrected(known: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """Return the observations of a model that count, of all that are known of a stretch of time."""
    events = list(known)
    if all(event.type == SignalObserved.TYPE for event in events):
        return events
    chains = {event.position: chain_of(event) for event in events}
    newest: dict[int, int] = {}
    for position, chain in chains.items():
        newest[chain] = max(position, newest.get(chain, 0))
    return [event for event in events if newest[chains[event.position]] == event.position]


def chain_of(event: RecordedEvent) -> int:
    """Return the position of the observation that a known one's chain begins with."""
    corrected = correction_of(event)
    return event.position if corrected is None else corrected.first
