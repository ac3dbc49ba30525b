"""`decision-ledger drill …`: drills that people held, and those that are built in."""

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.cli.built_in_drills import run
from ledger.cli.compliance import Since, Until, scoped
from ledger.cli.session import session
from ledger.cli.values import parse_time, seconds
from ledger.events import notation
from ledger.events.drills import DRILL_KINDS
from ledger.events.values import SECOND
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import DrillFollowUp

__all__ = ["list_", "record", "run"]

_FOLLOW_UP: Final = re.compile(r"(\S+) by (\S+): (.+)", re.DOTALL)
_HELD: Final = tuple(kind.replace("_", "-") for kind in DRILL_KINDS if kind != "built_in")


def record(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The scenario, such as `lost-key`.")],
    scenario: Annotated[str, typer.Option(help="The attack or the case that was tried.")],
    by: Annotated[
        list[str], typer.Option("--by", metavar="WHO", help="A participant; once for each.")
    ],
    kind: Annotated[str, typer.Option(help=f"How: {' or '.join(_HELD)}.")] = "tabletop",
    held_at: Annotated[str | None, typer.Option(help="When; now if left out.")] = None,
    detected: Annotated[
        bool | None,
        typer.Option("--detected/--not-detected", help="Whether it was; neither if nothing was."),
    ] = None,
    detected_by: Annotated[
        list[str] | None, typer.Option(help="By which check or person; once for each.")
    ] = None,
    took: Annotated[
        str | None, typer.Option(metavar="SPAN", help="How long that took, such as 20m.")
    ] = None,
    finding: Annotated[list[str] | None, typer.Option(help="A finding; once for each.")] = None,
    follow_up: Annotated[
        list[str] | None,
        typer.Option(metavar="'OWNER by DATE: TEXT'", help="A task that follows; once for each."),
    ] = None,
) -> None:
    """Record that people held a drill, and what came of it.

    Name people by the actors or the pseudonyms that the ledger knows. Its texts can be erased. A
    later drill under the same name repeats it.
    """
    from ledger.client import Drill
    from ledger.clock import SystemClock

    if kind not in _HELD:
        raise MisuseError(f"--kind: {kind[:40]!r} is not one of {', '.join(_HELD)}.")
    if detected is None and detected_by:
        detected = True
    chosen = session()
    held = Drill(
        drill=name,
        kind=kind.replace("-", "_").upper(),
        scenario=scenario,
        held_at=parse_time(held_at, "--held-at") if held_at else SystemClock().now_micros(),
        participants=tuple(by),
        detected=detected,
        detected_by=tuple(detected_by or ()),
        micros_to_detect=None if took is None else seconds(took, "--took") * SECOND,
        findings=tuple(finding or ()),
        follow_ups=tuple(_follow_up(text) for text in follow_up or ()),
    )
    appended = chosen.client.record_drill(held)
    chosen.show(appended, f"Recorded as drill.recorded at position {appended.position}.")


def _follow_up(text: str) -> "DrillFollowUp":
    from ledger.client import DrillFollowUp

    found = _FOLLOW_UP.fullmatch(text)
    if found is None:
        raise MisuseError(
            f"--follow-up: {text[:80]!r} does not say who does what until when.",
            "Write it as 'users/ana by 2026-12-01: Keep a second copy of the key.'",
        )
    return DrillFollowUp(found[3], found[1], parse_time(found[2], "--follow-up"))


def list_(since: Since = None, until: Until = None) -> None:
    """List the drills on record: what was tried, whether it was detected, what follows."""
    from ledger.compliance.drills import drills_table
    from ledger.compliance.tables import as_records
    from ledger.operations.compliance import ServerFacts

    chosen = session()
    found = as_records(drills_table(ServerFacts(chosen.client), scoped("", "", since, until)))
    rows = [
        (
            notation.shown_time(str(one["held_at"])),
            one["drill"],
            one["kind"],
            _detected(one["detected"], str(one["detected_by"])),
            _took(one["detection_micros"]),
            one["follow_ups"] or "-",
        )
        for one in found
    ]
    headings = ("HELD", "DRILL", "KIND", "DETECTED", ">AFTER", "FOLLOW-UPS")
    chosen.show({"drills": found}, output.table(headings, rows))


def _detected(detected: object, by: str) -> str:
    if detected is None:
        return "-"
    return f"by {by}" if detected else "NO"


def _took(micros: object) -> str:
    return notation.short_span(micros) if isinstance(micros, int) else "-"
