"""Priorities as they stood at an earlier position, read by index instead of folded from the start.

The cost depends on the size of the fleet, not on the length of the ledger.
"""

from collections.abc import Iterator
from typing import Final

from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.plans import PlanMade
from projections.priorities import (
    Planned,
    PriorityRow,
    empty_row,
    parts_of,
    plan_entries,
)
from projections.projection import Reader, model_of, model_stream

_PAGE: Final = 64  # events a page when historical evaluations have to be passed over


def as_of(reader: Reader, ledger: str, position: int) -> dict[str, PriorityRow]:
    """Return the visible rows at a position: exactly those that were live there.

    POSITION_BEYOND_HEAD for a position that does not exist yet; none before the first model.
    """
    head = reader.head(ledger).position
    if position > head:
        raise LedgerError(
            Reason.POSITION_BEYOND_HEAD,
            f"Position {position} is beyond the head, {head}.",
            remedy="Ask for a position that exists, or wait for the head to reach it.",
            metadata={"position": str(position), "head": str(head)},
        )
    registrations = reader.of_types(ledger, {ModelRegistered.TYPE}, at_or_before=position)
    retirements = reader.of_types(ledger, {ModelRetired.TYPE}, at_or_before=position)
    retired = {model_of(event) for event in retirements}
    plans = reader.of_types(
        ledger, {PlanMade.TYPE}, at_or_before=position, limit=1, descending=True
    )
    planned = plan_entries(plans[0]) if plans else {}
    newest = {model_of(event): event for event in registrations}
    return {
        model: _row(reader, ledger, registration, planned.get(model), position)
        for model, registration in newest.items()
        if model not in retired
    }


def _row(
    reader: Reader,
    ledger: str,
    registration: RecordedEvent,
    planned: Planned | None,
    position: int,
) -> PriorityRow:
    """Return the row of a model in the fleet from the newest event of each type."""
    model = model_of(registration)
    stream = model_stream(model)
    row = empty_row(model)
    row.update(parts_of(registration))
    for type_ in (ModelUpdated.TYPE, ModelDeployed.TYPE, ScoreComputed.TYPE, DecisionMade.TYPE):
        for event in _newest_first(reader, ledger, stream, type_, position):
            if event.position < registration.position and type_ == ModelUpdated.TYPE:
                break
            if parts := parts_of(event):
                row.update(parts)
                break
    row["plan"] = planned
    return row


def _newest_first(
    reader: Reader, ledger: str, stream: str, type_: str, position: int
) -> Iterator[RecordedEvent]:
    """Yield a stream's events of one type backwards; the first is nearly always the one.

    Erased ones are passed over, as the runner does.
    """
    event = reader.latest(ledger, stream, {type_}, at_or_before=position)
    if event is None:
        return
    if event.body_bytes is not None:
        yield event
    before = event.position - 1
    while before > 0:
        page = reader.of_types(
            ledger, {type_}, stream=stream, at_or_before=before, limit=_PAGE, descending=True
        )
        if not page:
            return
        yield from (event for event in page if event.body_bytes is not None)
        before = page[-1].position - 1
