"""Drills as auditors ask for them: what was tried, whether it was detected, what follows."""

from typing import Any

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events import notation
from ledger.events.drills import DrillRecorded
from ledger.events.facts import Fact, readable


def drills_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the drills of the period, oldest first."""
    note = "Drills are of the ledger and its people, not of a model." if scope.model else ""
    return table_of(
        "drills",
        "Drills",
        (
            ("position", "integer", "where it is recorded"),
            ("held_at", "time", "when it was held, by the clock of who held it"),
            ("drill", "text", "the name of the scenario; under one name a drill is repeated"),
            ("kind", "text", "by people talking or attacking, or built in"),
            ("scenario", "prose", "what was tried"),
            ("participants", "prose", "who took part"),
            ("program", "text", "what carried it out, if a program did"),
            ("detected", "boolean", "whether it was detected; empty if there was nothing to"),
            ("detected_by", "text", "by which checks, reasons or people"),
            ("detection_micros", "brief", "how long that took"),
            ("findings", "prose", "what was found"),
            ("follow_ups", "prose", "what follows, by whom, until when"),
            ("actor", "text", "who recorded it"),
        ),
        [
            _record(fact, data)
            for fact, data in readable(source.facts((DrillRecorded.TYPE,)))
            if scope.takes(fact)
        ],
        note,
        page=(
            ("Held", ("held_at", "position", "actor")),
            ("Drill", ("drill", "kind", "program")),
            ("Scenario", ("scenario", "participants", "findings", "follow_ups")),
            ("Detected", ("detected", "detected_by", "detection_micros")),
        ),
    )


def _record(fact: Fact, data: dict[str, Any]) -> dict[str, Any]:
    """Return a row's values; lists become text."""
    follow_ups = (
        f"{one['what']} ({one['owner']}, by {notation.shown_time(one['due_at'])})"
        for one in data["follow_ups"]
    )
    return fact.record | {
        "kind": data["kind"].replace("_", " "),
        "participants": ", ".join(data["participants"]),
        "detected_by": ", ".join(data["detected_by"]),
        "detection_micros": data["micros_to_detect"],
        "findings": "; ".join(data["findings"]),
        "follow_ups": "; ".join(follow_ups),
    }
