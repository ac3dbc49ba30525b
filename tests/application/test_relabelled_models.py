"""Who describes a model frees it from no gates: a policy that wants them stays in force for it.

Method: the labels of a model say which policy is in force for it, one with gates or one without.
"""

import json
from pathlib import Path

import pytest

from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.stated_deployments import DeploymentGround
from ledger.errors import LedgerError, Reason
from ledger.events.models import ModelDeployed
from ledger.events.policies import ScopePart
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.world import ANA, DAY, ORIGIN, START, World, policy_text

FREE = governed(policy_text())
GATED = json.dumps(json.loads(FREE) | {"jobs": {"budget": "optional", "deployments": "gated"}})
NORTH = ScopePart(kind="labels", model=None, labels={"region": "north"})
SOUTH = ScopePart(kind="labels", model=None, labels={"region": "south"})
ITSELF = ScopePart(kind="model", model="m", labels={})


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A model of the north, whose policy wants gates; elsewhere none are wanted."""
    world = World(tmp_path / "ledger.db").begin()
    world.activate(FREE)
    world.activate(GATED, policy="north", scope=NORTH)
    world.register("m", labels={"region": "north"})
    world.deploy("m", "v1", at=START)
    world.observe(("m", "loss", "v1", "0.5", START + 3 * DAY, 100))
    return world


def deploy(world: World, version: str, ground: DeploymentGround | None = None) -> None:
    at = START + len(world.all_of(ModelDeployed)) * DAY
    spec = DeploymentSpec("m", version, at, at, "0.4")
    world.ledger.stated_deployments.record(ANA, spec, ground)


def refused(world: World, version: str = "v2") -> str:
    """Fail unless a deployment is refused; return why."""
    with pytest.raises(LedgerError) as caught:
        deploy(world, version)
    assert caught.value.reason is Reason.DEPLOYMENT_REFUSED
    return caught.value.metadata["why"]


def test_a_model_that_is_described_otherwise_keeps_its_gates(world: World, tmp_path: Path) -> None:
    first = world.events("model.registered.v1")[-1].position
    wanted = f"policy north, in force for the model as described at position {first}, has"
    assert wanted in refused(world)
    world.update("m", labels={"region": "south"})
    assert wanted in refused(world)
    world.update("m", labels={})
    assert wanted in refused(world)
    world.activate(GATED, policy="south", scope=SOUTH)
    assert "policy south" in refused(world), "that it had in between counts too"
    world.close()
    assert audited(tmp_path / "ledger.db").passed


def test_a_deployment_that_says_why_lets_no_other_past_the_gates(world: World) -> None:
    world.update("m", labels={})
    deploy(world, "v2", DeploymentGround("emergency", "The first one fails."))
    assert "policy north" in refused(world, "v3")
    world.close()


def test_policies_free_a_model_from_gates(world: World, tmp_path: Path) -> None:
    world.update("m", labels={})
    assert "policy north" in refused(world)
    world.activate(FREE, policy="own", scope=ITSELF)
    deploy(world, "v2")
    world.activate(GATED, policy="own", scope=ITSELF)
    assert "policy own" in refused(world, "v3")
    world.activate(FREE, policy="north", scope=NORTH)
    assert "policy own" in refused(world, "v3")
    world.close()
    assert audited(tmp_path / "ledger.db").passed


def test_what_a_model_was_before_a_version_of_it_served_does_not_count(
    world: World, tmp_path: Path
) -> None:
    world.register("n", labels={"region": "north"})
    world.update("n", labels={})
    record = world.ledger.stated_deployments.record
    at = START + DAY
    for version in ("v1", "v2"):
        record(ANA, DeploymentSpec("n", version, at, START, "0.4"))
        at += 1
    world.close()
    assert audited(tmp_path / "ledger.db").passed


def test_the_auditor_finds_a_version_that_served_while_its_model_was_described_otherwise(
    world: World, tmp_path: Path
) -> None:
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    described = paper.at(paper.find("model.registered.v1", model="m")[0]).data
    served = paper.at(paper.find("model.deployed.v1", model="m")[0]).data
    paper.append("models/m", "model.updated.v1", described | {"labels": {}})
    new = served | {"model_version": "v2", "replaces": "v1"}
    found = paper.append("models/m", "model.deployed.v1", new)
    paper.append("models/m", "model.updated.v1", described)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("deployments.gated", found)]
