"""A person asks that an earlier version serves again, and it is offered to executors.

Method: a ledger in one process whose policy wants gates and compares versions; what was recorded is
audited, and what is said of it elsewhere is forged.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.application.jobs.stated_deployments import DeploymentGround
from ledger.errors import LedgerError, Reason
from ledger.events.models import DeploymentExplained
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.job_worlds import Working
from tests.support.world import ANA, DAY, ORIGIN, START, World

from .test_gated_deployments import FIRST, GATED, LOSSES, SERVICE, WEEK

AT = FIRST + WEEK + DAY
WHY = "It is worse at night."


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A model whose third version serves, under a policy that wants gates since."""
    world = World(tmp_path / "ledger.db").begin("m")
    for number, version in enumerate(("v2", "v3"), 1):
        at = FIRST + number * WEEK // 2
        world.deploy("m", version, at=at, through=at - 1, baseline="0.3")
    world.activate(GATED)
    world.observe(*(("m", "loss", name, loss, AT, 100) for name, loss in LOSSES.items()))
    return world


def ask(world: World, version: str | None = "", reason: str = WHY, by: Caller = ANA) -> int:
    """Ask for a version, or withdraw what was asked; return where that is recorded."""
    return world.ledger.roll_backs.ask(by, RollBackSpec("m", version, reason))[0].last_position


def listed(world: World) -> list[tuple[int, str, str, str]]:
    """Return what is offered to executors."""
    found = world.ledger.job_reader.workable(world.ledger.put_backs.open())
    return [(one.position, one.put_back, one.in_service, one.asked_by) for one, _ in found]


def carry_out(world: World, position: int, by: Caller = SERVICE) -> None:
    world.ledger.stated_deployments.put_back(by, "m", position, AT)


def refused(world: World, act: Callable[[], object]) -> str:
    """Fail unless something is refused; return what is said."""
    head = world.head
    with pytest.raises(LedgerError) as caught:
        act()
    assert caught.value.reason is Reason.DEPLOYMENT_REFUSED
    assert world.head == head
    return caught.value.message


def finish(world: World, tmp_path: Path) -> DeploymentExplained:
    """Audit the ledger, and return why its last version serves."""
    found = world.all_of(DeploymentExplained)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["roll_backs.asked"] > 0
    return found[-1]


def test_an_executor_carries_out_what_a_person_asked(world: World, tmp_path: Path) -> None:
    asked = ask(world)
    assert listed(world) == [(asked, "v2", "v3", "users/ana")]
    carry_out(world, asked)
    assert listed(world) == []
    assert "is open" in refused(world, lambda: carry_out(world, asked)), "it is done once"
    found = finish(world, tmp_path)
    assert (found.basis, found.proposal, found.replaces) == ("roll_back", asked, "v3")


def test_a_program_states_it_and_cites_what_was_asked(world: World, tmp_path: Path) -> None:
    asked = ask(world, "v1")
    spec = DeploymentSpec("m", "v1", AT, START, "0.4")
    world.ledger.stated_deployments.record(SERVICE, spec)
    assert finish(world, tmp_path).proposal == asked


def test_it_is_open_until_it_is_withdrawn_or_replaced(world: World) -> None:
    first = ask(world)
    assert [one[:2] for one in listed(world)] == [(first, "v2")]
    second = ask(world, "v1")
    assert [one[:2] for one in listed(world)] == [(second, "v1")]
    assert "is open" in refused(world, lambda: carry_out(world, first))
    ask(world, None)
    assert listed(world) == []
    assert "is open" in refused(world, lambda: carry_out(world, second))
    assert "no person" in refused(world, lambda: ask(world, None))
    world.close()


def test_it_goes_before_what_the_ledger_proposes_and_outlasts_its_policy(
    world: World, tmp_path: Path
) -> None:
    world.see("m", "0.9", AT, version="v3")
    asked = ask(world, "v2")
    [(proposed, event)] = world.ledger.plans.propose_reuse(ANA, "main")[1]
    assert proposed.put_back == "v1"
    assert [one[:2] for one in listed(world)] == [(asked, "v2")]
    ask(world, None)
    assert [one[:2] for one in listed(world)] == [(event.position, "v1")]
    asked = ask(world, "v2")
    world.activate(GATED.replace("Test", "Another"))
    world.see("m", "0.9", AT + 3 * WEEK, version="v3")
    assert [one[:2] for one in listed(world)] == [(asked, "v2")]
    world.restart()
    carry_out(world, asked)
    assert finish(world, tmp_path).proposal == asked


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"by": SERVICE}, "services/releases is not a person"),
        ({"reason": " "}, "it gives no reason"),
        ({"version": "v3"}, "v3 serves already"),
        ({"version": "v9"}, "version v9 of it never served"),
        ({"version": None}, "no person's roll-back of it is open"),
    ],
)
def test_what_cannot_be_asked_is_refused(world: World, asked: dict[str, Any], why: str) -> None:
    assert why in refused(world, lambda: ask(world, **asked))
    world.close()


def test_a_first_version_has_none_before_it(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("m")
    assert "v1 is its first version" in refused(world, lambda: ask(world))
    world.close()


def test_no_job_is_against_it(world: World, tmp_path: Path) -> None:
    now = world.store.events.head(ORIGIN).recorded_at
    working, at = Working.of(world), now + WEEK
    earlier = ask(world)
    token = working.observing("v4", model="m", at=now)
    assert listed(world) == [], "what its job deployed is over it"
    assert "is open" in refused(world, lambda: carry_out(world, earlier))
    assert "job j1 of the model decides" in refused(world, lambda: ask(world))
    working.report("observation", token, loss=100)
    world.see("m", "0.9", at, version="v4")
    world.govern()
    working.take_back(working.lease(), at=at)
    assert "job j1 took v4 back" in refused(world, lambda: ask(world, "v4"))
    asked = ask(world, "v2")
    world.ledger.stated_deployments.put_back(SERVICE, "m", asked, at)
    assert finish(world, tmp_path).proposal == asked


def test_a_job_that_comes_to_its_deployment_a_moment_before_holds_it_back(world: World) -> None:
    working = Working.of(world)
    working.propose(model="m")
    working.approve()
    token, asked = working.lease(), ask(world)
    for gate in ("data_integrity", "candidate"):
        working.report(gate, token)
    world.before_append(lambda: working.report("holdout", token))
    with pytest.raises(LedgerError, match="job j1 decides otherwise"):
        carry_out(world, asked)
    assert world.all_of(DeploymentExplained) == []
    world.close()


def test_a_job_that_is_about_to_deploy_holds_it_back(world: World) -> None:
    working = Working.of(world)
    working.propose(model="m")
    working.approve()
    token, asked = working.lease(), ask(world)
    assert [one[0] for one in listed(world)] == [asked]
    for gate in ("data_integrity", "candidate", "holdout"):
        working.report(gate, token)
    assert listed(world) == []
    assert "job j1 decides otherwise" in refused(world, lambda: carry_out(world, asked))
    world.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"basis": "put_back"},
        {"basis": "emergency"},
        {"reason": "Of its own."},
        {"proposal": 7},
    ],
)
def test_a_deployment_that_cites_it_wrongly_is_found(
    world: World, tmp_path: Path, changes: dict[str, object]
) -> None:
    carry_out(world, ask(world))
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    found = paper.find("deployment.explained.v1")[-1]
    paper.at(found).data.update(changes)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [
        ("deployments.explained", found)
    ]


def test_a_person_states_a_roll_back_over_what_was_asked(world: World, tmp_path: Path) -> None:
    ask(world, "v1")
    spec = DeploymentSpec("m", "v2", AT, FIRST + WEEK // 2 - 1, "0.3")
    world.ledger.stated_deployments.record(ANA, spec, DeploymentGround("roll_back", WHY))
    assert listed(world) == []
    found = finish(world, tmp_path)
    assert (found.proposal, found.reason) == (None, WHY)


def test_where_the_deployment_is_erased_that_was_asked_back_nothing_is_put_back_or_judged(
    world: World, tmp_path: Path
) -> None:
    asked = ask(world, "v1")
    deployed = next(one for one in world.events("model.deployed.v1") if one.stream == "models/m")
    assert deployed.data["model_version"] == "v1"
    world.erase(deployed.position)
    assert "is open" in refused(world, lambda: carry_out(world, asked))
    assert "never served" in refused(world, lambda: ask(world, "v1"))
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    counted = {one.rule: (one.checked, one.unchecked) for one in report.rules}
    assert counted["roll_backs.asked"] == (0, 1)
