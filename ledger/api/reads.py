"""Reads as they are answered: which calls are reads, and how much each answer hands out.

A call counts once it is answered: what is refused is counted as refused. A caller may state what it
reads for in the metadata key `ledger-purpose`; that is recorded as stated.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

from google.protobuf import descriptor_pool

from ledger.api.calls import ServedCall, ServedMethod
from ledger.api.steps import Pause
from ledger.application.reads import Reading
from ledger.events.access import ACCESS_TYPES

NoteRead: TypeAlias = Callable[[str, Reading], None]
"""Notes a read: the ledger named ("" for the first one), and what was handed out."""

_Meter: TypeAlias = Callable[[Any], dict[str, Any]]
"""Measures one answer of a call: the members of a `Reading` that it changes."""

NO_READS: Final = frozenset(
    {
        "/ledger.v1.ExportService/DeleteExport",
        "/ledger.v1.LedgerService/AddCosignature",
        "/ledger.v1.NotificationService/ReplayDeadLetters",
        "/ledger.v1.NotificationService/TestSubscriber",
        "/ledger.v1.PriorityService/RebuildProjection",
    }
)
"""Methods that change something though their requests have no `request_id`."""


def is_read(name: str, *, takes_many: bool) -> bool:
    """Return whether a method, by its full name, only reads."""
    service, _, method = name.removeprefix("/").partition("/")
    request = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(method)
    is_append = takes_many or "request_id" in request.input_type.fields_by_name
    return not is_append and name not in NO_READS


def noted(method: ServedMethod, note: NoteRead) -> ServedMethod:
    """Return a method that notes what it answers, if it is one that reads; else the method."""
    if not is_read(method.name, takes_many=method.takes_many):
        return method
    meter_of = _METERS.get(method.name, _nothing)

    def answer(request: Any, call: ServedCall) -> Any:  # noqa: ANN401 - of any method
        found = method.behaviour(request, call)
        note(call.ledger, replace(_reading(call), **meter_of(request)(found)))
        return found

    def answers(request: Any, call: ServedCall) -> Iterator[Any]:  # noqa: ANN401 - of any method
        steps, reading, meter = method.behaviour(request, call), _reading(call), meter_of(request)
        try:
            for step in steps:
                if not isinstance(step, Pause):
                    part = replace(reading, **meter(step))
                    if part.is_new or part.events or part.archive_bytes:
                        note(call.ledger, part)
                    reading = replace(reading, is_new=False)
                yield step
        finally:
            steps.close()
        if reading.is_new:  # without a message it was answered too
            note(call.ledger, reading)

    return replace(method, behaviour=answers if method.answers_many else answer)


def _reading(call: ServedCall) -> Reading:
    return Reading(call.actor, call.method_name, call.credential.address, call.stated_purpose)


def _nothing(_: Any) -> _Meter:  # noqa: ANN401 - of any method
    return lambda _: {}


def _events(_: Any) -> _Meter:  # noqa: ANN401 - of ListEvents and WatchEvents
    """Measure events; those that reads leave behind do not count, so that they cause no others."""

    def meter(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - of ListEvents and WatchEvents
        events = answer.events
        count = sum(event.type not in ACCESS_TYPES for event in events)
        first, last = (events[0].position, events[-1].position) if count else (0, 0)
        return {
            "kind": "events",
            "first_position": first,
            "last_position": last,
            "events": count,
        }

    return meter


def _archive(request: Any) -> _Meter:  # noqa: ANN401 - of ReadExport
    export = request.name.rpartition("/")[2]
    return lambda answer: {
        "kind": "exports",
        "export": export,
        "archive_bytes": len(answer.content),
    }


def _replay(request: Any) -> _Meter:  # noqa: ANN401 - of ReplayRange
    """Measure what was replayed since the message before: messages have running counts."""
    before = 0

    def meter(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - of ReplayRange
        nonlocal before
        come = answer.progress
        running = come.identical + come.divergent + come.not_replayable
        new, before = running - before, running
        return {
            "kind": "replays",
            "first_position": request.first_position or 1,
            "last_position": come.position,
            "events": new,
        }

    return meter


_METERS: Final[dict[str, Callable[[Any], _Meter]]] = {
    "/ledger.v1.DecisionService/ReplayRange": _replay,
    "/ledger.v1.ExportService/ReadExport": _archive,
    "/ledger.v1.LedgerService/ListEvents": _events,
    "/ledger.v1.LedgerService/WatchEvents": _events,
}
