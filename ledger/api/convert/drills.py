"""Drills, as callers state them."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError

from ledger.api.checks import Checks
from ledger.api.convert.basics import inverse, numbers
from ledger.events.drills import DrillKind, DrillRecorded
from ledger.events.values import TIME_LIMIT, format_time
from ledger.limits import DRILL_ITEMS_MAX
from ledger.v1 import drill_pb2

_KINDS: Final = inverse(numbers(drill_pb2.DrillKind, DrillKind))


def drill_of(drill: drill_pb2.Drill, checks: Checks) -> DrillRecorded:
    """Return the drill that a request states; FIELD_INVALID names everything wrong with it."""
    checks.identifier("drill.drill", drill.drill)
    if drill.kind not in _KINDS:
        checks.refuse("drill.kind", "is required")
    checks.text("drill.scenario", drill.scenario)
    stated = {
        "drill": drill.drill,
        "kind": _KINDS.get(drill.kind, "tabletop"),
        "scenario": drill.scenario,
        "held_at": _time("drill.held_at", drill.held_at, checks, given=drill.HasField("held_at")),
        "participants": list(drill.participants),
        "program": drill.program,
        "detected": drill.detected if drill.HasField("detected") else None,
        "detected_by": list(drill.detected_by),
        "micros_to_detect": (
            drill.micros_to_detect if drill.HasField("micros_to_detect") else None
        ),
        "findings": list(drill.findings),
        "follow_ups": [
            {
                "what": one.what,
                "owner": one.owner,
                "due_at": _time(
                    f"drill.follow_ups.{index}.due_at",
                    one.due_at,
                    checks,
                    given=one.HasField("due_at"),
                ),
            }
            for index, one in enumerate(drill.follow_ups[: DRILL_ITEMS_MAX + 1])
        ],
    }
    try:
        return DrillRecorded.from_data(stated)
    except ValidationError as error:
        checks.model_errors("drill", error)
    checks.done()
    raise AssertionError("a refused field was noted")


def _time(field: str, value: Timestamp, checks: Checks, *, given: bool) -> str:
    micros = checks.time(field, value, given=given)
    return format_time(micros if 0 <= micros < TIME_LIMIT else 0)
