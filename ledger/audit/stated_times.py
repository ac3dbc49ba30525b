"""The time of a ledger whose clock is its data, derived again from what its events state."""

from typing import Final

from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.registry import Unchecked, Verdict
from ledger.events.jobs import GateJudged, GateReported
from ledger.events.models import ModelDeployed
from ledger.events.recorder import RecorderEvent
from ledger.events.values import format_time, parse_time

_STATING: Final = OBSERVED | {ModelDeployed.TYPE}
_BEHIND: Final = dict.fromkeys(OBSERVED, OBSERVED) | {
    GateReported.TYPE: frozenset({GateJudged.TYPE, ModelDeployed.TYPE})
}
"""By the first type of a request, the types behind it of which a later one may state its time."""


class StatedTimes:
    """Compares when events were recorded with the newest time stated up to them.

    The events of one request are recorded at one time, the newest of the request; so the first of a
    batch may be waiting for a later one that states it, and the report on a job's deployment for
    that deployment.
    """

    def __init__(self) -> None:
        self._waiting: AuditedEvent | None = None
        self._unstated: list[AuditedEvent] = []

    def take(self, event: AuditedEvent, before: int) -> Verdict:
        """Judge the next event; `before` is when the one before it was recorded."""
        first = self._waiting
        if first is not None and not _is_of_batch(event, first):
            self._unstated.append(first)
            self._waiting = None
        elif first is not None:
            if event.raw is None or _stated(event) == event.recorded_at:
                self._waiting = None
            return None
        if event.recorded_at == before:
            return None
        if event.type in _STATING and event.raw is None:
            return Unchecked("what it states is not there")
        if event.type == RecorderEvent.TYPE:
            return Unchecked("a bare recorder may state any time")
        stated = _stated(event)
        is_early = event.type in OBSERVED and stated is not None and stated < event.recorded_at
        if is_early or _is_of_deployment(event):
            self._waiting = event
            return None
        is_derived = stated is None and event.type in _STATING  # unreadable: another rule's
        return None if is_derived or stated == event.recorded_at else _wrong(event)

    def unstated(self) -> list[tuple[int, str]]:
        """Return each first event of a batch none of whose events states its time."""
        waiting = [] if self._waiting is None else [self._waiting]
        return [(event.position, _wrong(event)) for event in [*self._unstated, *waiting]]


def _is_of_batch(event: AuditedEvent, first: AuditedEvent) -> bool:
    """Whether an event can be of the request of the one right before it."""
    if event.type not in _BEHIND[first.type] or event.recorded_at != first.recorded_at:
        return False
    return event.raw is None or (event.actor, event.request_id) == (first.actor, first.request_id)


def _is_of_deployment(event: AuditedEvent) -> bool:
    """Whether an event is the report with which a job's version goes into service."""
    return (
        event.type == GateReported.TYPE
        and event.data is not None
        and event.data["gate"] == "deployment"
    )


def _stated(event: AuditedEvent) -> int | None:
    """Return the time that an event states for the ledger; None if it states none."""
    if event.observation is not None:
        return event.observation.observed_at
    if event.type == ModelDeployed.TYPE and event.data is not None:
        return parse_time(event.data["in_service_at"])
    return None


def _wrong(event: AuditedEvent) -> str:
    shown = format_time(event.recorded_at)
    return f"no event up to it states the time at which it was recorded, {shown}"
