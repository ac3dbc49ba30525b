"""An override keeps its bounds, is in a role, and is followed by a decision once it is over.

Method: an honest ledger with one override more that breaks one bound, or states one role that was
not held; then a ledger of a machine's clock from which all is taken out that came after the end of
an override, with accounts of a service behind it, or none.
"""

from copy import deepcopy
from pathlib import Path

import pytest

from ledger.audit.report import Report
from ledger.events.values import SECOND, format_time, parse_time
from tests.audit.left_out import account, say_that_all_was_governed
from tests.audit.overruled import (
    BOUNDS,
    DECISION,
    EARLIER,
    OVERRIDDEN,
    ROLES,
    as_an_earlier_release,
    overrule,
)
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import EVE, begin, grant
from tests.support.world import DAY, HOUR, ORIGIN, START, World


def seen(report: Report) -> list[tuple[str, int | None]]:
    return [(one.rule, one.position) for one in report.findings]


@pytest.mark.parametrize("what", BOUNDS)
def test_each_bound_of_an_override_is_held_by_the_auditor(
    paper: Paper, tmp_path: Path, what: str
) -> None:
    position = BOUNDS[what](paper)
    assert seen(audit_of(paper, tmp_path)) == [("overrides", position)]


@pytest.mark.parametrize("what", ROLES)
def test_a_role_that_was_not_held_is_refused_by_its_rule_alone(
    paper: Paper, tmp_path: Path, what: str
) -> None:
    position = ROLES[what](paper)
    assert seen(audit_of(paper, tmp_path)) == [("overrides.role", position)]


def test_the_same_overrides_hold_where_all_is_as_it_must_be(paper: Paper, tmp_path: Path) -> None:
    as_an_earlier_release(paper)
    overrule(paper, type_=EARLIER)
    begin(paper)
    grant(paper, EVE, "model-owner")
    overrule(paper, actor=EVE, type_=EARLIER)
    overrule(paper, actor=EVE, role="model-owner")
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()


def test_before_roles_are_held_they_are_stated_as_none(paper: Paper, tmp_path: Path) -> None:
    overrule(paper)
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()


@pytest.mark.parametrize("shown", ["an override", "an account"])
def test_no_earlier_release_writes_after_one_that_records_roles(
    paper: Paper, tmp_path: Path, shown: str
) -> None:
    as_an_earlier_release(paper)
    overrule(paper, type_=EARLIER)
    if shown == "an account":
        say_that_all_was_governed(paper)
    else:
        overrule(paper)
    position = overrule(paper, type_=EARLIER)
    found = seen(audit_of(paper, tmp_path))
    assert [one for one in found if one[0] == "overrides.role"] == [("overrides.role", position)]


def test_where_no_policy_is_in_force_there_is_nothing_to_override(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 0.5, START)
    world.settle()
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    for event in paper.events:
        if event.type == "policy.activated.v1":
            event.data["scope"] = {"kind": "model", "model": "alpha", "labels": {}}
    described = deepcopy(paper.at(paper.find("model.registered.v1")[0]).data)
    paper.append("models/beta", "model.registered.v1", described | {"model": "beta"})
    data = {
        "model": "beta", "action": "NO_ACTION", "tier": "none", "rationale": "x", "role": None,
        "effective_from": format_time(START), "effective_until": format_time(START + HOUR),
    }  # fmt: skip
    position = paper.append("models/beta", OVERRIDDEN, data)
    assert seen(audit_of(paper, tmp_path)) == [("overrides", position)]


# ---- a machine's clock ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["wall", "data"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger in which an override of two hours held, ended, and was followed by a decision."""
    path = tmp_path_factory.mktemp("overruled") / "ledger.db"
    world = World(path, clock=request.param)
    world.begin("alpha", "beta", silence="20d", interval="6h")
    for model in ("alpha", "beta"):
        world.see(model, "1.4", START)
    world.settle()
    world.clock.advance(HOUR)
    world.override("alpha", "NO_ACTION", 2 * HOUR)
    world.settle()
    world.clock.advance(2 * HOUR + 600 * SECOND)
    world.see("beta", "1.4", START + 2 * HOUR + 600 * SECOND)
    world.settle()
    world.see("beta", "1.4", START + 3 * HOUR)
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def overruled(written: Paper) -> Paper:
    """The same, for one test to change."""
    return deepcopy(written)


def leave_the_end_out(paper: Paper) -> int:
    """Take out the score and the decision that followed the override; return where that is."""
    last = paper.find(DECISION, model="alpha")[-1]
    assert paper.at(last).data["overridden"] is None
    paper.remove(last - 1, last)
    return paper.find(OVERRIDDEN)[0]


def gaps(report: Report, position: int) -> list[str]:
    return [one for one in report.remarks if one.startswith(f"Gap: positions {position} to")]


def test_the_ledger_itself_holds(overruled: Paper, tmp_path: Path) -> None:
    account(overruled, evaluated_through=len(overruled.events))
    report = audit_of(overruled, tmp_path)
    assert report.passed, report.text()
    assert gaps(report, overruled.find(OVERRIDDEN)[0]) == []


def test_an_override_that_is_over_without_a_decision_behind_it_is_named(
    overruled: Paper, tmp_path: Path
) -> None:
    position = leave_the_end_out(overruled)
    account(overruled, evaluated_through=len(overruled.events))
    report = audit_of(overruled, tmp_path)
    assert seen(report) == [("overrides.over", position)], report.text()
    assert gaps(report, position) == []


@pytest.mark.parametrize("said", ["nothing", "an earlier position"])
def test_it_is_a_gap_where_no_service_says_that_it_evaluated_by_then(
    overruled: Paper, tmp_path: Path, said: str
) -> None:
    position = leave_the_end_out(overruled)
    if said != "nothing":
        account(overruled, evaluated_through=position + 1)
    report = audit_of(overruled, tmp_path)
    assert report.passed, report.text()
    (gap,) = gaps(report, position)
    assert "the override of alpha was over at" in gap


def test_a_model_that_retired_meanwhile_is_owed_nothing(overruled: Paper, tmp_path: Path) -> None:
    position = leave_the_end_out(overruled)
    data = {"model": "alpha", "reason": "replaced"}
    overruled.append("models/alpha", "model.retired.v1", data)
    account(overruled, evaluated_through=len(overruled.events))
    report = audit_of(overruled, tmp_path)
    assert report.passed, report.text()
    assert gaps(report, position) == []


def test_an_override_that_holds_still_is_followed_by_nothing(
    overruled: Paper, tmp_path: Path
) -> None:
    position = leave_the_end_out(overruled)
    until = format_time(parse_time(overruled.at(position).data["effective_until"]) + DAY)
    overruled.at(position).data["effective_until"] = until
    account(overruled, evaluated_through=len(overruled.events))
    report = audit_of(overruled, tmp_path)
    assert report.passed, report.text()
    assert gaps(report, position) == []


@pytest.mark.parametrize("written", ["wall"], indirect=True)
@pytest.mark.parametrize("member", ["effective_until", "effective_from"])
def test_by_a_machines_clock_an_override_is_of_the_time_at_which_it_was_set(
    overruled: Paper, tmp_path: Path, member: str
) -> None:
    position = overruled.find(OVERRIDDEN)[0]
    recorded = overruled.at(position).recorded_at
    del overruled.events[position:]
    overruled.checkpoint_sizes = [len(overruled.events)]
    overruled.at(position).data[member] = format_time(recorded - 1_100 * SECOND)
    assert seen(audit_of(overruled, tmp_path)) == [("overrides", position)]
