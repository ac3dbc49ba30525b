"""A drill is recorded as stated, and one that cannot be is refused by field.

Method: a real server with a fleet of one model; each bad drill differs from a good one in a field.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.events.drills import DrillRecorded
from ledger.events.registry import typed
from ledger.v1 import drill_pb2
from ledger.v1 import ledger_service_pb2 as pb
from tests.support.served import START, TIMEOUT, Fleets, Served, refused, serving_fleet

YEARS = 40 * 366 * 86_400
BUILT_IN = drill_pb2.DRILL_KIND_BUILT_IN


@pytest.fixture(scope="module")
def served(fleets: Fleets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_fleet(fleets, tmp_path_factory.mktemp("served"), "fares") as server:
        yield server


def drill(**changes: Any) -> drill_pb2.Drill:  # noqa: ANN401 - a field of the message
    fields: dict[str, Any] = {
        "drill": "restored-backup",
        "kind": drill_pb2.DRILL_KIND_RED_TEAM,
        "scenario": "The backup of last night is put back.",
        "held_at": {"seconds": START},
        "participants": ["users/ops", "staff-7"],
        "detected": True,
        "detected_by": ["LEDGER_BEHIND"],
        "micros_to_detect": 2_500_000,
        "findings": ["It was seen at once."],
        "follow_ups": [
            {"what": "Say whom to ask.", "owner": "staff-7", "due_at": {"seconds": START}}
        ],
    } | changes
    return drill_pb2.Drill(**{name: value for name, value in fields.items() if value is not None})


def test_a_drill_is_recorded_as_stated_and_a_repeat_changes_nothing(served: Served) -> None:
    request = pb.RecordDrillRequest(drill=drill(), request_id="r1")
    written = served.ledgers.RecordDrill(request, timeout=TIMEOUT).appended
    event = served.service.ledger().log.event(written.position)
    assert event is not None
    recorded = typed(event, DrillRecorded)
    assert event.stream == "ledger"
    assert (recorded.drill, recorded.kind, recorded.detected) == (
        "restored-backup",
        "red_team",
        True,
    )
    assert recorded.participants == ["users/ops", "staff-7"]
    assert recorded.micros_to_detect == 2_500_000
    assert recorded.follow_ups[0].owner == "staff-7"
    again = served.ledgers.RecordDrill(request, timeout=TIMEOUT).appended
    assert (again.position, again.repeated_request) == (written.position, True)


def test_a_drill_with_nothing_to_detect_says_neither(served: Served) -> None:
    talked = drill(
        kind=drill_pb2.DRILL_KIND_TABLETOP, detected=None, detected_by=None, micros_to_detect=None
    )
    written = served.ledgers.RecordDrill(pb.RecordDrillRequest(drill=talked), timeout=TIMEOUT)
    event = served.service.ledger().log.event(written.appended.position)
    assert event is not None
    assert typed(event, DrillRecorded).detected is None


def _due(seconds: int) -> list[dict[str, Any]]:
    return [{"what": "x", "owner": "staff-7", "due_at": {"seconds": seconds}}]


BAD: dict[str, tuple[Callable[[], drill_pb2.Drill | None], str]] = {
    "no drill at all": (lambda: None, "drill"),
    "no name": (lambda: drill(drill=""), "drill.drill"),
    "a name that no stream could have": (lambda: drill(drill="Lost Key"), "drill.drill"),
    "no kind": (lambda: drill(kind=None), "drill.kind"),
    "no scenario": (lambda: drill(scenario=" "), "drill.scenario"),
    "a scenario too long": (lambda: drill(scenario="x" * 2_001), "drill.scenario"),
    "no time": (lambda: drill(held_at=None), "drill.held_at"),
    "a time to come": (
        lambda: drill(held_at={"seconds": START + YEARS}, follow_ups=None),
        "drill.held_at",
    ),
    "a time before 1970": (lambda: drill(held_at={"seconds": -1}), "drill.held_at"),
    "people without any": (lambda: drill(participants=[]), "drill"),
    "a program that is not named": (lambda: drill(kind=BUILT_IN), "drill"),
    "built in, with nothing to detect": (
        lambda: drill(
            kind=BUILT_IN, program="x 1", detected=None, detected_by=[], micros_to_detect=None
        ),
        "drill",
    ),
    "detected by nothing": (lambda: drill(detected_by=[]), "drill"),
    "not detected, by something": (lambda: drill(detected=False, micros_to_detect=None), "drill"),
    "not detected, in a time": (lambda: drill(detected=False, detected_by=[]), "drill"),
    "less than no time": (lambda: drill(micros_to_detect=-1), "drill.micros_to_detect"),
    "an empty finding": (lambda: drill(findings=[""]), "drill.findings.0"),
    "too many findings": (lambda: drill(findings=["x"] * 101), "drill.findings"),
    "a follow-up without an end": (
        lambda: drill(follow_ups=[{"what": "x", "owner": "staff-7"}]),
        "drill.follow_ups.0.due_at",
    ),
    "a follow-up due before the drill": (lambda: drill(follow_ups=_due(START - 1)), "drill"),
    "too many follow-ups": (lambda: drill(follow_ups=_due(START) * 101), "drill.follow_ups"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_drill_that_cannot_be_is_refused_by_field_and_not_recorded(
    served: Served, name: str
) -> None:
    make, field = BAD[name]
    head = served.head()
    request = pb.RecordDrillRequest(drill=make())
    error = refused(lambda: served.ledgers.RecordDrill(request, timeout=TIMEOUT))
    assert error.reason == "FIELD_INVALID"
    assert field in error.fields, error.fields
    assert served.head() == head
