"""A deployment by an actor without the right to state one: its jobs alone may have left it."""

from pathlib import Path

from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import EVE, grant, name, register, show
from tests.support.governed import governed
from tests.support.world import ORIGIN, World, policy_text


def deploy_as_executor(path: Path) -> Paper:
    """Return a ledger on paper in which a version was deployed by right of the role `executor`."""
    paper = Paper.copied(path, ORIGIN)
    name(paper)
    show(paper)
    register(paper, EVE, "staff-2")
    show(paper, EVE)
    grant(paper, EVE, "executor")
    at = format_time(paper.events[-1].recorded_at)
    deployed = {
        "model": "east", "model_version": "v1", "kind": "trained", "in_service_at": at,
        "trained_through": at, "baseline_loss": "0.4", "replaces": None,
    }  # fmt: skip
    paper.append("models/east", "model.deployed.v1", deployed, actor=EVE)
    return paper


def test_an_executor_deploys_by_jobs_alone_since_the_ledger_has_a_release_that_knows_jobs(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "before.db", clock="wall").begin()
    world.register("east")
    before = deploy_as_executor(tmp_path / "before.db")
    assert audit_of(before, tmp_path).passed
    world.activate(governed(policy_text()))
    world.close()
    since = deploy_as_executor(tmp_path / "before.db")
    report = audit_of(since, tmp_path)
    seen = [(finding.rule, finding.position) for finding in report.findings]
    assert seen == [("deployments.gated", len(since.events))], report.text()
