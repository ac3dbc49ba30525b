"""The result of a built-in drill, recorded in the ledger whose copy was attacked."""

from typing import TYPE_CHECKING

from ledger.limits import DRILL_ITEMS_MAX, LABEL_CHARS_MAX, TEXT_CHARS_MAX
from ledger.operations import PROGRAM

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.client.records import Appended
    from ledger.operations.drills.performance import DrillResult


def record_result(client: "LedgerClient", result: "DrillResult") -> "Appended":
    """Have the server append what came of a drill."""
    from ledger.client import Drill
    from ledger.client.enums import DrillKind

    return client.record_drill(
        Drill(
            drill=result.drill,
            kind=DrillKind.BUILT_IN,
            scenario=result.scenario,
            held_at=result.held_at,
            program=PROGRAM,
            detected=result.detected,
            detected_by=tuple(
                name[:LABEL_CHARS_MAX] for name in result.detected_by[:DRILL_ITEMS_MAX]
            ),
            micros_to_detect=result.micros_to_detect,
            findings=tuple(what[:TEXT_CHARS_MAX] for what in result.findings[:DRILL_ITEMS_MAX]),
        )
    )
