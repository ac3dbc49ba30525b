"""Priorities as they were at an earlier position, read by index instead of folded from the start.

The cost depends on the size of the fleet, not on the length of the ledger.
"""

from collections.abc import Iterator
from typing import Final

from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.plans import PLAN_TYPES
from projections.priorities import PriorityRow, deploy, empty_row, parts_of, plan_entries
from projections.projection import EventReader, model_of, model_stream

_PAGE: Final = 64  # events a page when historical evaluations have to be passed over
_ROUNDS: Final = 2  # of evaluations read at once, for the models that the last one left out


def as_of(reader: EventReader, ledger: str, position: int) -> dict[str, PriorityRow]:
    """Return the visible rows at a position: exactly those that were live there.

    Of bodies erased since nothing is shown: a member of a row that came from one is None.
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
    plans = reader.of_types(ledger, PLAN_TYPES, at_or_before=position, limit=1, descending=True)
    planned = plan_entries(plans[0]) if plans else {}
    rows: dict[str, PriorityRow] = {}
    for event in registrations:
        if (model := model_of(event)) not in retired:
            rows[model] = empty_row(model)
            rows[model].update(parts_of(event))
            rows[model]["plan"] = planned.get(model)
    if not rows:
        return {}
    for event in reader.of_types(ledger, {ModelDeployed.TYPE}, at_or_before=position):
        if (model := model_of(event)) in rows:
            deploy(rows[model], event)
    for types in ((ModelUpdated.TYPE,), (ScoreComputed.TYPE,), DECISION_TYPES):
        for model, at, parts in _newest(reader, ledger, types, list(rows), position):
            registered = rows[model]["registered"]
            assert registered is not None
            if ModelUpdated.TYPE not in types or at > registered:
                rows[model].update(parts)
    return rows


def _newest(
    reader: EventReader, ledger: str, types: tuple[str, ...], models: list[str], position: int
) -> Iterator[tuple[str, int, PriorityRow]]:
    """Yield for each model what its newest event of some types sets, and where that is.

    A fleet is evaluated in rounds, so a page across all streams finds nearly every model at the
    cost of one question; those it leaves out are asked for one by one.
    """
    wanted = {model_stream(model): model for model in models}
    limit = _ROUNDS * len(models)
    page = reader.of_types(ledger, types, at_or_before=position, limit=limit, descending=True)
    for event in page:
        if event.stream in wanted and (parts := parts_of(event)):
            yield wanted.pop(event.stream), event.position, parts
    if len(page) < limit:
        return  # there are no older ones
    for stream, model in wanted.items():
        for event in _newest_first(reader, ledger, stream, types, page[-1].position - 1):
            if parts := parts_of(event):
                yield model, event.position, parts
                break


def _newest_first(
    reader: EventReader, ledger: str, stream: str, types: tuple[str, ...], position: int
) -> Iterator[RecordedEvent]:
    """Yield a stream's events of some types backwards; the first is nearly always the one."""
    event = reader.latest(ledger, stream, types, at_or_before=position)
    if event is None:
        return
    yield event
    before = event.position - 1
    while before > 0:
        page = reader.of_types(
            ledger, types, stream=stream, at_or_before=before, limit=_PAGE, descending=True
        )
        if not page:
            return
        yield from page
        before = page[-1].position - 1
