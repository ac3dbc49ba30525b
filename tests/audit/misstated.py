"""Forgeries of what was done about a ledger: wrong counts, reads to come, drills of none."""

from collections.abc import Callable
from typing import Final

from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.support.world import START

AT: Final = format_time(START)


def miscount_refusals(paper: Paper) -> int:
    row = {
        "actor": "users/x", "method": "Evaluate", "reason": "MODEL_UNKNOWN", "count": 3,
        "first_at": AT, "last_at": AT,
    }  # fmt: skip
    data = {"since": AT, "until": AT, "total": 4, "refusals": [row]}
    return paper.append("ledger", "requests.refused.v1", data, actor="system/refusals")


def tell_too_many_hosts_apart(paper: Paper) -> int:
    rows = [
        {
            "actor": "unknown", "method": "GetModel", "reason": "CREDENTIAL_INVALID", "count": 1,
            "address": f"192.0.2.{number}", "first_at": AT, "last_at": AT,
        }
        for number in range(10, 31)
    ]  # fmt: skip
    data = {"since": AT, "until": AT, "total": 21, "refusals": rows}
    return paper.append("ledger", "requests.refused.v2", data, actor="system/refusals")


def miscount_reads(paper: Paper) -> int:
    row = {"actor": "users/x", "method": "GetModel", "count": 3, "first_at": AT, "last_at": AT}
    data = {"since": AT, "until": AT, "total": 4, "reads": [row], "unlisted": 0}
    return paper.append("ledger", "reads.counted.v1", data, actor="system/access")


def read_what_was_to_come(paper: Paper) -> int:
    position = len(paper.events) + 1
    data = {
        "access": "a1", "actor": "users/x", "method": "ListEvents", "address": "192.0.2.7",
        "purpose": "", "export": None, "first_position": 1, "last_position": position,
        "events": position, "archive_bytes": 0, "started_at": AT, "ended_at": AT,
    }  # fmt: skip
    return paper.append("ledger", "access.recorded.v1", data, actor="system/access")


def drill(paper: Paper, **changes: object) -> int:
    """Record a drill that was held when the event before was recorded."""
    actor = str(changes.pop("actor", "users/ana"))
    data = {
        "drill": "lost-key", "kind": "tabletop", "scenario": "The key is lost.",
        "held_at": format_time(paper.events[-1].recorded_at), "participants": ["staff-1"],
        "program": "", "detected": None, "detected_by": [], "micros_to_detect": None,
        "findings": [], "follow_ups": [],
    } | changes  # fmt: skip
    return paper.append("ledger", "drill.recorded.v1", data, actor=actor)


def hold_a_drill_by_itself(paper: Paper) -> int:
    return drill(paper, actor="system/evaluator")


MISSTATED: Final[dict[str, Callable[[Paper], int]]] = {
    "refusals": miscount_refusals,
    "refusals.rows": tell_too_many_hosts_apart,
    "reads": miscount_reads,
    "accesses": read_what_was_to_come,
    "drills": hold_a_drill_by_itself,
}
