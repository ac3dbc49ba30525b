"""What comes of an escalation is derived again, and not believed.

Method: as in `test_forgeries`.
"""

from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.unasked import put_off
from tests.support.audits import audited
from tests.support.world import HOUR


def test_an_escalation_goes_on_to_the_tier_that_follows_and_to_no_other(
    long_paper: Paper, tmp_path: Path
) -> None:
    paper = long_paper
    found = paper.find("escalation.escalated.v1", model="delta")[0]
    paper.at(found).data["route"] = "a drawer"
    vkeys = (str(paper.key.verifier_key),)
    report = audited(paper.write(tmp_path / "paper.db"), vkeys=vkeys)
    assert [(one.rule, one.position) for one in report.findings] == [("cases.time", found)]


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize(
    ("type_", "members"),
    [
        ("escalation.raised.v1", ("raised_at", "acknowledge_until")),
        ("escalation.escalated.v1", ("reached_at", "acknowledge_until")),
        ("task.opened.v1", ("opened_at", "due_at")),
    ],
)
def test_peoples_time_begins_when_it_is_recorded_and_neither_sooner_nor_later(
    long_paper: Paper, tmp_path: Path, type_: str, members: tuple[str, str], hours: int
) -> None:
    paper = long_paper
    found = paper.find(type_, model="delta")[0]
    said = dict(paper.at(found).data)
    put_off(paper.at(found).data, hours * HOUR, *(one for one in members if said[one]))
    vkeys = (str(paper.key.verifier_key),)
    report = audited(paper.write(tmp_path / "paper.db"), vkeys=vkeys)
    assert [(one.rule, one.position) for one in report.findings] == [("cases.begun_at", found)]
    assert f"it says {paper.at(found).data[members[0]]}" in report.findings[0].what


@pytest.mark.parametrize(
    ("type_", "member", "rule"),
    [
        ("escalation.raised.v1", "acknowledge_until", "cases.begun"),
        ("escalation.escalated.v1", "acknowledge_until", "cases.time"),
        ("task.opened.v1", "due_at", "cases.begun"),
    ],
)
def test_the_time_to_answer_is_that_of_the_policy_counted_from_then_on(
    long_paper: Paper, tmp_path: Path, type_: str, member: str, rule: str
) -> None:
    paper = long_paper
    found = next(at for at in paper.find(type_, model="delta") if paper.at(at).data[member])
    put_off(paper.at(found).data, -HOUR, member)
    vkeys = (str(paper.key.verifier_key),)
    report = audited(paper.write(tmp_path / "paper.db"), vkeys=vkeys)
    assert [(one.rule, one.position) for one in report.findings] == [(rule, found)]
