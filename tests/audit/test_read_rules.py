"""Counts of reads and accesses that cannot be are found, each for its own reason.

Method: an honest ledger on paper, to which a count or an access is appended that is right but for
one member, or written by another actor; what is right holds.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.world import DAY, START

AT, LATER = format_time(START), format_time(START + 1_000_000)
NEXT_DAY = format_time(START + DAY)
ROW = {"actor": "users/x", "method": "GetModel", "count": 3, "first_at": AT, "last_at": LATER}
COUNT: dict[str, Any] = {"since": AT, "until": LATER, "total": 3, "reads": [ROW], "unlisted": 0}
ACCESS: dict[str, Any] = {
    "access": "a1", "actor": "users/x", "method": "ListEvents", "address": "192.0.2.7",
    "purpose": "audit", "export": None, "first_position": 1, "last_position": 9, "events": 18,
    "archive_bytes": 0, "started_at": AT, "ended_at": LATER,
}  # fmt: skip
EXPORT = {"export": "e1", "archive_bytes": 7, "events": 0, "first_position": 0, "last_position": 0}


def findings(paper: Paper, folder: Path) -> list[tuple[str, str]]:
    return [(one.rule, one.what) for one in audit_of(paper, folder).findings]


def test_counts_and_accesses_that_can_be_hold(paper: Paper, tmp_path: Path) -> None:
    both_days = [ROW, ROW | {"first_at": NEXT_DAY, "last_at": NEXT_DAY}]
    full = [ROW | {"actor": f"users/u{number:04}"} for number in range(1_000)]
    for counted in (
        COUNT,
        COUNT | {"reads": both_days, "total": 6, "until": NEXT_DAY},
        COUNT | {"reads": full, "total": 3_007},
        COUNT | {"reads": [], "total": 0, "unlisted": 1},
    ):
        paper.append("ledger", "reads.counted.v1", counted, actor="system/access")
    nothing = {"events": 0, "first_position": 0, "last_position": 0}
    for access in (ACCESS, ACCESS | EXPORT, ACCESS | nothing):
        paper.append("ledger", "access.recorded.v1", access, actor="system/access")
    assert findings(paper, tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "actor", "what"),
    [
        ({}, "users/x", "users/x cannot count reads"),
        ({"until": AT, "since": LATER}, "", "it ends before it begins"),
        ({"total": 4}, "", "its total is 4, and its rows add up to 3"),
        ({"total": 2}, "", "its total is 2, and its rows add up to 3"),
        ({"reads": [ROW | {"count": 0}], "total": 0}, "", "its row of users/x cannot be"),
        (
            {"reads": [ROW | {"last_at": NEXT_DAY}], "until": NEXT_DAY},
            "",
            "its row of users/x cann",
        ),
        ({"since": LATER}, "", "its row of users/x cannot be"),
        ({"until": AT}, "", "its row of users/x cannot be"),
        ({"reads": [ROW, ROW], "total": 6}, "", "its rows are not in order"),
    ],
)
def test_a_count_of_reads_that_cannot_be_is_found(
    paper: Paper, tmp_path: Path, changes: dict[str, Any], actor: str, what: str
) -> None:
    paper.append(
        "ledger", "reads.counted.v1", deepcopy(COUNT) | changes, actor=actor or "system/access"
    )
    ((rule, found),) = findings(paper, tmp_path)
    assert rule == "reads"
    assert found.startswith(what)


@pytest.mark.parametrize(
    ("changes", "actor", "what"),
    [
        ({}, "users/x", "users/x cannot record who read"),
        ({"started_at": LATER, "ended_at": AT}, "", "it ends before it begins"),
        ({"first_position": 0}, "", "it is of positions 0 to 9"),
        ({"first_position": 9, "last_position": 1}, "", "it is of positions 9 to 1"),
        ({"last_position": 10_000}, "", "it is of positions 1 to 10000"),
        ({"archive_bytes": 1}, "", "it hands out an archive, and names no export"),
        (EXPORT | {"events": 1}, "", "it is of an export, and of events besides"),
        ({"first_position": 0, "last_position": 0}, "", "it hands out 18 events, and says none"),
    ],
)
def test_an_access_that_cannot_be_is_found(
    paper: Paper, tmp_path: Path, changes: dict[str, Any], actor: str, what: str
) -> None:
    paper.append("ledger", "access.recorded.v1", ACCESS | changes, actor=actor or "system/access")
    ((rule, found),) = findings(paper, tmp_path)
    assert rule == "accesses"
    assert found.startswith(what)
