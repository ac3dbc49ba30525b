"""A count of refused requests: goal: the auditor takes the service's and refuses every other.

Method: a small ledger on paper with one count of two hosts; then one thing about it is changed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.audit.misstated import AT
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of

Data = dict[str, Any]


def row(address: str, **changes: object) -> Data:
    usual = {
        "actor": "users/x", "method": "GetModel", "reason": "MODEL_UNKNOWN", "count": 2,
        "address": address, "first_at": AT, "last_at": AT,
    }  # fmt: skip
    return usual | changes


def found(paper: Paper, folder: Path, *rows: Data, **how: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    """Append a count of rows, and return what the auditor finds wrong with it."""
    total = sum(one["count"] for one in rows) + how.pop("more", 0)
    data = {"since": AT, "until": AT, "total": total, "refusals": list(rows)}
    at = paper.append("ledger", "requests.refused.v2", data, **{"actor": "system/refusals"} | how)
    findings = audit_of(paper, folder).findings
    assert {one.position for one in findings} <= {at}
    return [(one.rule, one.what) for one in findings]


def test_a_count_of_the_service_holds(paper: Paper, tmp_path: Path) -> None:
    hosts = [row(f"192.0.2.{number}") for number in range(10, 30)]
    assert found(paper, tmp_path, *hosts, row("others")) == []


FORGED: dict[str, tuple[Callable[[Paper, Path], list[tuple[str, str]]], str]] = {
    "by a person": (
        lambda paper, folder: found(paper, folder, row("a"), actor="users/ana"),
        "users/ana recorded it, and system/refusals does",
    ),
    "one host twice": (
        lambda paper, folder: found(paper, folder, row("a"), row("a")),
        "do not ascend",
    ),
    "in another order": (
        lambda paper, folder: found(paper, folder, row("b"), row("a")),
        "do not ascend",
    ),
    "too many hosts": (
        lambda paper, folder: found(paper, folder, *(row(f"{at:02}") for at in range(21))),
        "it tells 21 hosts of users/x apart, not 20 at most",
    ),
    "a total of more": (
        lambda paper, folder: found(paper, folder, row("a"), more=1),
        "its total is 3, and its rows add up to 2",
    ),
    "a row of nothing": (
        lambda paper, folder: found(paper, folder, row("a", count=0)),
        "its row of users/x cannot be",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_count_is_refused(paper: Paper, tmp_path: Path, name: str) -> None:
    forge, what = FORGED[name]
    ((_, said),) = forge(paper, tmp_path)
    assert what in said
