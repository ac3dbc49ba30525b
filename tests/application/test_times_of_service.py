"""When a version is said to begin to serve moves no time but its model's.

Method: ledgers whose time comes with their data, on which a job is leased or observed, a budget has
been spent and a shadow runs; another model's version is stated to serve a month ahead, and the
governor looks. Then an observation of that month comes, which does move the time. All is audited.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.errors import LedgerError
from ledger.events.budgets import BudgetReleased
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import JobLeased, JobLeaseExpired
from ledger.events.models import DeploymentExplained
from ledger.events.registry import typed
from ledger.events.shadows import ShadowEnded
from ledger.events.values import SECOND, format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unjudged import follow
from tests.support.audits import audited
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.job_worlds import BOB, LEASE_SECONDS, WINDOW_SECONDS, Working
from tests.support.world import ANA, DAY, EVERYWHERE, HOUR, ORIGIN, START, World

MONTH = START + 30 * DAY


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Working]:
    world = World(tmp_path / "ledger.db", clock="data").begin("alpha", "beta")
    yield Working.of(world)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def leased(working: Working) -> int:
    working.world.see("beta", 0.4, START)
    working.propose()
    working.approve()
    return working.lease()


def types(world: World) -> list[str]:
    return [event.type for event in world.events(JobLeaseExpired.TYPE, ShadowEnded.TYPE)]


def test_a_version_that_is_to_serve_in_a_month_ends_no_lease_of_others(working: Working) -> None:
    token = leased(working)
    working.world.deploy("beta", "v2", at=MONTH)
    assert working.world.govern() == 0
    working.pass_gates(token)
    working.deploy(token, "v2", at=START + HOUR)
    working.world.see("beta", 0.4, START + WINDOW_SECONDS * SECOND)
    assert working.world.govern() == 0
    working.world.see("beta", 0.4, START + HOUR + WINDOW_SECONDS * SECOND)
    assert working.world.govern() == 1
    assert working.job().state == "rolling_back"


def test_what_is_observed_a_month_on_ends_a_lease(working: Working) -> None:
    leased(working)
    working.world.see("beta", 0.4, MONTH)
    assert working.world.govern() == 1
    assert types(working.world) == [JobLeaseExpired.TYPE]


def test_an_executor_that_says_so_of_its_own_version_takes_no_job_from_another(
    working: Working,
) -> None:
    token = leased(working)
    working.propose("j2", "beta")
    working.approve("j2")
    ahead = working.lease("j2")
    working.pass_gates(ahead, "j2")
    working.deploy(ahead, "v2", "j2", at=MONTH)
    assert working.world.govern() == 0
    working.pass_gates(token)
    working.deploy(token, "v2", at=START)  # no earlier than its lease, by the same time


def test_no_budget_is_refilled_by_it(working: Working) -> None:
    world = working.world
    world.see("beta", 0.4, START)
    set_budget(world, unit="EUR", **in_euros())
    working.propose()
    world.deploy("beta", "v2", at=MONTH)
    with pytest.raises(LedgerError, match="Budget main lacks"):
        working.propose("j2", "beta")
    world.see("beta", 0.4, MONTH)
    working.propose("j2", "beta")


def test_no_shadow_ends_by_it(working: Working) -> None:
    world = working.world
    world.see("beta", 0.4, START)
    drafted = world.ledger.shadowing
    drafted.begin(ANA, "main", 1, "", EVERYWHERE, 2 * 86_400, "to compare")
    world.deploy("beta", "v2", at=MONTH)
    assert world.govern() == 0
    world.see("beta", 0.4, START + 3 * DAY)
    world.govern()
    assert types(world) == [ShadowEnded.TYPE]


def test_a_roll_back_that_a_person_asks_for_is_carried_out_then(working: Working) -> None:
    world = working.world
    world.see("alpha", 0.4, START)
    world.deploy("alpha", "v2", at=START + HOUR)
    world.see("alpha", 0.4, START + 2 * HOUR)
    world.deploy("beta", "v2", at=MONTH)
    asked = world.ledger.roll_backs.ask(ANA, RollBackSpec("alpha", "", "It is worse."))[0]
    executor, at = Caller("services/executor"), START + 2 * HOUR
    world.ledger.stated_deployments.put_back(executor, "alpha", asked.last_position, at)
    assert world.all_of(DeploymentExplained)[-1].basis == "roll_back"


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """A lease and a budget, with all that a version is said to serve in a month."""
    world = World(tmp_path / "forged.db", clock="data").begin("alpha", "beta")
    world.see("beta", 0.4, START)
    set_budget(world, unit="EUR", **in_euros())
    working = Working.of(world)
    working.propose()
    working.approve()
    working.lease()
    world.deploy("beta", "v2", at=MONTH)
    world.ledger.jobs.cancel(BOB, "j1", "no more")
    world.close()
    return Paper.copied(tmp_path / "forged.db", ORIGIN)


def finding(paper: Paper, path: Path) -> tuple[str, int]:
    found = audit_of(paper, path).findings[0]
    return found.rule, found.position


def test_a_lease_that_ends_by_it_is_found(paper: Paper, tmp_path: Path) -> None:
    at = paper.find("job.cancelled.v1")[0]
    paper.remove(*range(at, len(paper.events) + 1))
    expired = follow(paper, JobLeaseExpired.TYPE, {"job": "j1", "token": 1}, actor=GOVERNOR)
    assert finding(paper, tmp_path) == ("jobs.leases", expired)


def test_a_shadow_that_ends_by_it_is_found(tmp_path: Path) -> None:
    world = World(tmp_path / "forged.db", clock="data").begin("alpha", "beta")
    world.see("beta", 0.4, START)
    begun = world.ledger.shadowing.begin(
        ANA, "main", 1, "", EVERYWHERE, 2 * 86_400, "to compare"
    ).last_position
    world.deploy("beta", "v2", at=MONTH)
    world.close()
    paper = Paper.copied(tmp_path / "forged.db", ORIGIN)
    data = {"policy": "main", "shadow": begun, "ground": "time", "reason": ""}
    ended = paper.append(
        "policies/main", ShadowEnded.TYPE, data, actor=GOVERNOR, causation_position=begun
    )
    assert finding(paper, tmp_path) == ("shadows.ended", ended)


def test_a_budget_that_is_reckoned_by_it_is_found(paper: Paper, tmp_path: Path) -> None:
    released = paper.find(BudgetReleased.TYPE)[0]
    data = paper.at(released).data
    data["at"] = format_time(MONTH)
    data["balances"] = {"jobs": str(40 * EURO), "tests": str(10 * EURO)}
    assert finding(paper, tmp_path) == ("budgets.time", released)


def test_before_anything_was_observed_the_newest_version_tells_the_time(working: Working) -> None:
    working.propose()
    working.approve()
    working.lease()
    [event] = working.world.events(JobLeased.TYPE)
    begun = working.world.model("alpha").model.in_service
    assert begun is not None
    assert typed(event, JobLeased).expires_at == format_time(START + LEASE_SECONDS * SECOND)
    assert begun.in_service_at == format_time(START)


def test_a_step_that_the_first_observation_overtakes_is_decided_again(working: Working) -> None:
    world = working.world
    world.deploy("beta", "v2", at=MONTH)
    working.propose()
    working.approve()
    world.before_append(lambda: world.see("alpha", 0.4, START + DAY))
    working.lease()
    [event] = world.events(JobLeased.TYPE)
    until = format_time(START + DAY + LEASE_SECONDS * SECOND)
    assert typed(event, JobLeased).expires_at == until
