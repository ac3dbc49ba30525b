"""A job's deployment in an audit: it may state the time of its whole request, and may be erased."""

from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.job_worlds import Working
from tests.support.world import DAY, HOUR, ORIGIN, START, World


@pytest.fixture
def deployed(tmp_path: Path) -> World:
    """A ledger whose clock is its data, which a job's deployment moved by an hour."""
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 0.4, START + DAY)
    Working.of(world).observing("v2", at=START + DAY + HOUR)
    return world


def test_the_deployment_of_a_job_states_the_time_of_its_report(
    deployed: World, tmp_path: Path
) -> None:
    [report] = [
        one for one in deployed.events("gate.reported.v1") if one.data["gate"] == "deployment"
    ]
    assert report.recorded_at == START + DAY + HOUR
    deployed.close()
    assert audited(Path(deployed.path)).passed
    paper = Paper.copied(Path(deployed.path), ORIGIN)
    for position in range(report.position, len(paper.events) + 1):
        paper.at(position).recorded_at += HOUR
    found = [(one.rule, one.position) for one in audit_of(paper, tmp_path).findings]
    assert found == [("times.derived", report.position)]


def test_the_deployment_of_a_job_may_be_erased(deployed: World) -> None:
    [position] = [
        one.position
        for one in deployed.events("model.deployed.v1")
        if one.data["model_version"] == "v2"
    ]
    deployed.erase(position)
    deployed.close()
    report = audited(Path(deployed.path))
    assert report.passed, report.text()
