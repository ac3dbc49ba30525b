"""A verdict says what it did not look at; salts that hide nothing are a finding.

Method: events of a later release in an honest ledger, and salts that are zero, counted up or equal.
"""

from pathlib import Path
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.events.budgets import BudgetReleased, BudgetReserved
from ledger.events.values import DAY, format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import DECISION, audit_of, foreign
from tests.audit.unauthorised import name
from tests.support.audits import audited
from tests.support.budgeted import in_euros, set_budget
from tests.support.job_worlds import Working
from tests.support.world import World


def last_line(paper: Paper, folder: Path) -> str:
    return audit_of(paper, folder).text().split("\n")[-1]


def test_the_last_line_counts_events_of_newer_versions_of_known_types(
    paper: Paper, tmp_path: Path
) -> None:
    assert last_line(paper, tmp_path) == "Everything that could be checked holds."
    for _ in range(2):
        paper.append("models/alpha", "decision.made.v9", {"model": "alpha", "action": "anything"})
    paper.append("ledger", "weather.seen.v1", {"is_fine": True})
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()
    assert report.newer_types == {"decision.made.v9": 2}
    assert report.unknown_types == {"decision.made.v9": 2, "weather.seen.v1": 1}
    assert report.text().split("\n")[-1] == (
        "Everything that could be checked holds. "
        "Not checked: 2 events of newer versions of known types."
    )


def test_a_verdict_of_damage_counts_them_too(paper: Paper, tmp_path: Path) -> None:
    paper.append("models/alpha", DECISION.replace("v2", "v3"), {"model": "alpha"})
    paper.at(foreign(paper)).is_gone = True
    line = last_line(paper, tmp_path)
    assert line.startswith("The ledger does not hold: 1 finding")
    assert line.endswith("Not checked: 1 event of newer versions of known types.")


def test_an_event_beside_another_of_its_request_leaves_nothing_unchecked(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", clock="wall")
    working = Working.of(world.begin("alpha"))
    set_budget(world, **in_euros())
    proposed = working.propose("j1", caller=Caller("users/ana", "r1", bytes(32)))
    working.approve(by=Caller("users/bob", "r2", bytes(32)))
    world.ledger.jobs.cancel(Caller("users/bob", "r3", bytes(32)), proposed.name, "Not now.")
    assert [one.TYPE for one in (BudgetReserved, BudgetReleased) if not world.all_of(one)] == []
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert report.gaps == ()


def test_a_proposal_is_of_the_method_of_the_change_that_it_asks_for(
    paper: Paper, tmp_path: Path
) -> None:
    name(paper)
    change: dict[str, Any] = {
        "actor": "users/eve", "role": "operator", "expires_at": None, "reason": "Work.",
        "scope": {"labels": {}, "models": [], "signals": []}, "proposal": None,
    }  # fmt: skip
    until = format_time(paper.events[-1].recorded_at + 7 * DAY)
    for reason in ("Work.", "More work."):
        data = {"type": "role.granted.v1", "change": change | {"reason": reason}, "until": until}
        found = paper.append("authority/changes", "authority.proposed.v1", data, request_id="r1")
        paper.events[-1].recorded_at += len(reason)
    report = audit_of(paper, tmp_path)
    assert ("requests.unique", found) in {(one.rule, one.position) for one in report.findings}
    assert "requests.unique" not in {one.rule for one in report.gaps}


def test_the_method_of_an_event_of_its_own_request_may_be_unknown(
    paper: Paper, tmp_path: Path
) -> None:
    """An application that uses the recorder calls its methods as it likes."""
    found = foreign(paper)
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["request_id"] = "r1"
    [gap] = audit_of(paper, tmp_path).gaps
    assert (gap.rule, gap.count) == ("requests.unique", 1)


@pytest.mark.parametrize(
    "salt",
    [bytes(16), b"\xff" * 16, bytes(15) + b"\1", b"salt" * 4, bytes(11) + b"abcde"],
    ids=["zero", "one value", "counted", "a word", "half drawn"],
)
def test_a_salt_that_can_be_guessed_is_a_finding(paper: Paper, tmp_path: Path, salt: bytes) -> None:
    position = foreign(paper)
    paper.at(position).salt = salt
    found = audit_of(paper, tmp_path).findings
    assert [(one.rule, one.position) for one in found] == [("salts", position)]
    assert "can be guessed" in found[0].what


def test_equal_salts_are_found_however_far_apart_and_both_are_named(
    paper: Paper, tmp_path: Path
) -> None:
    salt = bytes(range(40, 56))
    paper.at(9).salt = salt
    between = [foreign(paper) for _ in range(6_000)]
    paper.at(between[-1]).salt = salt
    paper.checkpoint_sizes = [between[-1]]
    found = audit_of(paper, tmp_path).findings
    assert [(one.rule, one.position) for one in found] == [("salts", between[-1])]
    assert "position 9" in found[0].what


def test_the_salt_of_a_body_that_is_gone_is_said_to_be_unchecked(
    paper: Paper, tmp_path: Path
) -> None:
    position = foreign(paper)
    paper.at(position).is_gone = True
    report = audit_of(paper, tmp_path)
    counts = {one.rule: (one.checked, one.unchecked) for one in report.rules}
    assert counts["salts"] == (report.size - 1, 1)
