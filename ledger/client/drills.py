"""Drills, as `record_drill` puts them on record."""

from dataclasses import dataclass

from ledger.client.enums import DrillKind
from ledger.client.inputs import Time, number_of, timestamp_of
from ledger.v1 import drill_pb2


@dataclass(frozen=True, slots=True)
class DrillFollowUp:
    """Something to be done because of a drill; the owner is an actor or a pseudonym."""

    what: str
    owner: str
    due_at: Time


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill: what was tried, by whom, whether it was detected, and what follows."""

    drill: str
    kind: DrillKind | str
    scenario: str
    held_at: Time
    participants: tuple[str, ...] = ()
    program: str = ""
    """The program that carried it out; required for one that is built in."""
    detected: bool | None = None
    """None where there was nothing to detect."""
    detected_by: tuple[str, ...] = ()
    micros_to_detect: int | None = None
    findings: tuple[str, ...] = ()
    follow_ups: tuple[DrillFollowUp, ...] = ()


def drill_message(drill: Drill) -> drill_pb2.Drill:
    """Return the drill to send."""
    return drill_pb2.Drill(
        drill=drill.drill,
        kind=number_of(drill.kind, DrillKind, drill_pb2.DrillKind, "drill.kind"),
        scenario=drill.scenario,
        held_at=timestamp_of(drill.held_at, "drill.held_at"),
        participants=drill.participants,
        program=drill.program,
        detected=drill.detected,
        detected_by=drill.detected_by,
        micros_to_detect=drill.micros_to_detect,
        findings=drill.findings,
        follow_ups=[
            drill_pb2.DrillFollowUp(
                what=one.what,
                owner=one.owner,
                due_at=timestamp_of(one.due_at, f"drill.follow_ups.{index}.due_at"),
            )
            for index, one in enumerate(drill.follow_ups)
        ],
    )
