"""The observation of a job's version: it begins when the ledger is told, and is who deployed's.

Method: on a ledger with a machine's clock an executor states what would shorten or excuse its
observation; on paper the same is forced into the log.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.values import SECOND, format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.job_worlds import TWO, WINDOW_SECONDS, Working
from tests.support.world import DAY, ORIGIN, World

HALF_AN_HOUR = 1_800 * SECOND


@pytest.fixture
def working(tmp_path: Path) -> Iterator[Working]:
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha")
    world.clock.advance(DAY)
    yield Working.of(world)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def leased(working: Working) -> int:
    working.propose()
    working.approve()
    return working.lease()


def test_a_version_is_observed_for_its_whole_window_from_the_record_of_its_deployment(
    working: Working,
) -> None:
    token, world = leased(working), working.world
    began = world.clock.now_micros()
    world.clock.advance(HALF_AN_HOUR)
    working.pass_gates(token)
    working.deploy(token, "v2", at=began)
    deployed = working.job().deployed
    assert deployed is not None
    assert deployed.observed_until == began + HALF_AN_HOUR + WINDOW_SECONDS * SECOND


def test_a_version_is_not_said_to_have_served_before_the_lease_of_its_job(
    working: Working,
) -> None:
    token, world = leased(working), working.world
    working.pass_gates(token)
    with pytest.raises(LedgerError, match="was leased at"):
        working.deploy(token, "v2", at=world.clock.now_micros() - DAY)
    working.deploy(token, "v2", at=world.clock.now_micros() - 300 * SECOND)
    assert working.job().state == "observing"


def test_who_did_not_deploy_a_version_reports_nothing_of_it_and_nobody_does_afterwards(
    working: Working,
) -> None:
    world = working.world
    token = working.observing("v2", at=world.clock.now_micros())
    working.report("observation", token, loss=100)
    with pytest.raises(LedgerError, match="services/worker-1 deployed it, not services/worker-2"):
        working.report("observation", token, by=TWO)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    with pytest.raises(LedgerError, match="its observation was over at"):
        working.report("observation", token)
    world.govern()
    assert working.job().state == "rolling_back"


def test_the_gate_of_the_deployment_is_passed_with_its_version_alone(working: Working) -> None:
    token = leased(working)
    working.pass_gates(token)
    head = working.world.head
    with pytest.raises(LedgerError, match="together with the version") as refused:
        working.report("deployment", token)
    assert refused.value.reason is Reason.FIELD_INVALID
    assert working.world.head == head
    working.deploy(token, "v2", at=working.world.clock.now_micros())
    assert working.job().state == "observing"


def test_a_window_that_was_cut_on_paper_is_found(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha")
    world.clock.advance(DAY)
    working = Working.of(world)
    at = world.clock.now_micros()
    working.observing("v2", at=at)
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    cut = at - HALF_AN_HOUR
    leased_at = paper.find("job.leased.v1")[0]
    paper.at(leased_at).data["expires_at"] = format_time(at)
    model = paper.find("model.deployed.v1", model_version="v2")[0]
    deployed = paper.find("job.deployed.v1")[0]
    paper.at(model).data["in_service_at"] = format_time(cut)
    paper.at(deployed).data.update(
        in_service_at=format_time(cut), observed_until=format_time(cut + WINDOW_SECONDS * SECOND)
    )
    report = audit_of(paper, tmp_path)
    found = {(one.rule, one.position) for one in report.findings}
    assert ("jobs.deployed", deployed) in found, report.text()
