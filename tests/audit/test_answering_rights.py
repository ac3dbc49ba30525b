"""The auditor holds answers to escalations to the grants of their callers, limited ones included.

Method: a ledger on paper whose decisions ask people; an administrator grants a role for a part of
the fleet, and its holder answers for one model.
"""

from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import EVE, WHOLE, begin, define, grant, name, register, show


def acknowledge_by_eve(paper: Paper, role: str, **scope: object) -> int:
    name(paper)
    show(paper)
    register(paper, EVE, "staff-2")
    grant(paper, EVE, role, scope=WHOLE | scope)
    show(paper, EVE)
    raised = paper.find("escalation.raised.v1", model="delta")[-1]
    data = {"model": "delta", "escalation": paper.at(raised).data["escalation"], "note": "Seen."}
    return paper.append(
        "escalations/delta", "escalation.acknowledged.v1", data, actor=EVE,
        causation_position=raised,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("role", "scope", "is_right"),
    [
        ("model-owner", {"models": ["delta"]}, True),
        ("operator", {}, True),
        ("model-owner", {"models": ["alpha"]}, False),
        ("viewer", {}, False),
    ],
)
def test_an_answer_is_in_order_where_a_grant_covers_its_model(
    long_paper: Paper,
    tmp_path: Path,
    role: str,
    scope: dict[str, object],
    is_right: bool,  # noqa: FBT001 - of a table
) -> None:
    position = acknowledge_by_eve(long_paper, role, **scope)
    report = audit_of(long_paper, tmp_path)
    found = [(one.rule, one.position) for one in report.findings]
    assert found == ([] if is_right else [("authority.rights", position)]), report.text()


def test_a_granted_role_that_is_none_gives_no_right_and_stops_no_audit(
    paper: Paper, tmp_path: Path
) -> None:
    begin(paper)
    granted = grant(paper, EVE, "emperor")
    defined = define(paper, EVE)
    report = audit_of(paper, tmp_path)
    found = [(one.rule, one.position) for one in report.findings]
    assert found == [("authority.changes", granted), ("authority.rights", defined)]
