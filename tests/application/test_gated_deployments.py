"""Under a policy that wants gates nothing goes live past them, unless it is on record why.

Method: a ledger in one process whose policy has `deployments: gated`; each way to put one into
service is tried, and what was recorded is audited.
"""

import json
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.stated_deployments import DeploymentGround
from ledger.errors import LedgerError, Reason
from ledger.events.models import DeploymentBasis, DeploymentExplained
from ledger.events.policies import ScopePart
from tests.application.erasing import erase
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.staffed import PERSONS, Governed
from tests.support.world import ANA, DAY, EVERYWHERE, ORIGIN, START, World, policy_text

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
PLANNING = {"planner": "excess/2", "common": "0%", "min_models": 1, "max_periods": 512}
JOBS = {"budget": "optional", "deployments": "gated"}
GATED = json.dumps(json.loads(governed(policy_text(planning=PLANNING))) | {"jobs": JOBS})
SERVICE = Caller("services/releases")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A model whose second version serves, under a policy that wants gates since."""
    world = World(tmp_path / "ledger.db").begin("m")
    world.observe(("m", "loss", "v1", "0.5", FIRST + DAY, 100))
    world.deploy("m", "v2", at=FIRST + WEEK, through=FIRST + WEEK - 1, baseline="0.3")
    world.activate(GATED)
    world.observe(
        *(("m", "loss", name, loss, FIRST + WEEK + DAY, 100) for name, loss in LOSSES.items())
    )
    return world


LOSSES = {"v1": "0.4", "v2": "0.6"}


def state(
    world: World,
    version: str,
    basis: DeploymentBasis | None = None,
    reason: str = "It is worse at night.",
    by: Caller = ANA,
    replaces: str = "v2",
) -> None:
    """State that a version serves."""
    at = FIRST + WEEK + DAY
    through = START if version == "v1" else at
    ground = None if basis is None else DeploymentGround(basis, reason)
    spec = DeploymentSpec("m", version, at, through, "0.4", replaces)
    world.ledger.stated_deployments.record(by, spec, ground)


def refused(
    world: World,
    version: str,
    basis: DeploymentBasis | None = None,
    reason: str = "It is worse at night.",
    by: Caller = ANA,
) -> str:
    """Fail unless a deployment is refused; return why."""
    head = world.head
    with pytest.raises(LedgerError) as caught:
        state(world, version, basis, reason, by)
    assert caught.value.reason is Reason.DEPLOYMENT_REFUSED
    assert world.head == head
    return caught.value.metadata["why"]


def explained(world: World, tmp_path: Path) -> DeploymentExplained:
    """Audit the ledger, and return why a version serves."""
    [found] = world.all_of(DeploymentExplained)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    counted = {one.rule: one.checked for one in report.rules}
    assert counted["deployments.explained"] == 1
    return found


def test_a_new_version_does_not_serve_without_a_job(world: World) -> None:
    assert "jobs that pass their gates" in refused(world, "v3")
    assert "never served" in refused(world, "v3", "roll_back")
    world.close()


def test_the_first_version_of_a_model_is_taken_in_and_the_next_one_is_not(
    world: World, tmp_path: Path
) -> None:
    world.register("n")
    at = FIRST + WEEK + DAY
    record = world.ledger.stated_deployments.record
    record(SERVICE, DeploymentSpec("n", "v1", at, START, "0.4"))
    with pytest.raises(LedgerError, match="jobs that pass their gates") as caught:
        record(SERVICE, DeploymentSpec("n", "v2", at + 1, at, "0.4"))
    assert caught.value.reason is Reason.DEPLOYMENT_REFUSED
    with pytest.raises(LedgerError, match="jobs that pass their gates"):
        record(SERVICE, DeploymentSpec("n", "v0", at - DAY, START, "0.4"))
    found = explained(world, tmp_path)
    assert (found.model, found.basis, found.proposal, found.reason) == ("n", "adopted", None, "")

    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    taken_in = paper.find("deployment.explained.v1")[0]
    paper.remove(taken_in)
    assert seen(paper, tmp_path) == [("deployments.gated", taken_in - 1)]


def test_a_first_version_whose_record_was_erased_was_the_first_all_the_same(
    world: World, tmp_path: Path
) -> None:
    world.register("n")
    at = FIRST + WEEK + DAY
    record = world.ledger.stated_deployments.record
    deployed = record(SERVICE, DeploymentSpec("n", "v1", at, START, "0.4")).first_position
    erase(world, (deployed, deployed))
    with pytest.raises(LedgerError, match="jobs that pass their gates"):
        record(SERVICE, DeploymentSpec("n", "v2", at + 1, at, "0.4"))
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_a_version_that_comes_after_another_is_not_taken_in(world: World, tmp_path: Path) -> None:
    state(world, "v1", "roll_back")
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    found = paper.find("deployment.explained.v1")[0]
    paper.at(found).data.update(basis="adopted", reason="")
    assert seen(paper, tmp_path) == [("deployments.explained", found)]


def seen(paper: Paper, tmp_path: Path) -> list[tuple[str, int | None]]:
    """Return what an audit of a paper finds."""
    return [(one.rule, one.position) for one in audit_of(paper, tmp_path).findings]


def test_a_version_serves_by_a_job_that_passed_its_gates(world: World, tmp_path: Path) -> None:
    Working.of(world).observing("v3", model="m", at=FIRST + WEEK + 2 * DAY)
    serving = world.model("m").model.in_service
    assert serving is not None
    assert serving.model_version == "v3"
    assert audited(tmp_path / "ledger.db").passed
    deployed = world.events("model.deployed.v1")[-1].position
    erase(world, (deployed, deployed))
    world.close()
    assert audited(tmp_path / "ledger.db").passed


def test_an_earlier_version_serves_again_by_a_person_with_a_reason(
    world: World, tmp_path: Path
) -> None:
    assert "jobs" in refused(world, "v1")
    assert "is not a person" in refused(world, "v1", "roll_back", by=SERVICE)
    assert "gives no reason" in refused(world, "v1", "roll_back", " ")
    state(world, "v1", "roll_back")
    found = explained(world, tmp_path)
    assert (found.basis, found.proposal, found.replaces) == ("roll_back", None, "v2")


def test_what_the_ledger_proposed_serves_again_and_cites_the_proposal(
    world: World, tmp_path: Path
) -> None:
    _, [(_, proposed)] = world.ledger.plans.propose_reuse(ANA, "")
    assert "jobs" in refused(world, "v3")
    state(world, "v1", by=SERVICE)
    found = explained(world, tmp_path)
    assert (found.basis, found.proposal) == ("put_back", proposed.position)


def staffed(tmp_path: Path) -> Governed:
    """Return the same under an authority, in which Kim is an operator."""
    world = Governed(tmp_path / "ledger.db")
    world.begin("m")
    world.staff()
    world.deploy("m", "v2", at=FIRST + WEEK, through=FIRST + WEEK - 1, baseline="0.3")
    world.activate(GATED)
    world.observe(("m", "loss", "v2", "0.6", FIRST + WEEK + DAY, 100))
    world.grant("users/kim", "operator")
    return world


def test_a_change_of_authority_meanwhile_has_a_deployment_judged_again(tmp_path: Path) -> None:
    world = staffed(tmp_path)
    world.before_append(lambda: world.grant("users/sam", "executor"))
    state(world, "v1", "roll_back")
    assert world.all_of(DeploymentExplained)[-1].model_version == "v1"

    others = iter(PERSONS)
    world.before_append(lambda: world.grant(next(others), "auditor"), each=True)
    with pytest.raises(LedgerError) as caught:
        state(world, "v3", "emergency", by=Caller("users/kim"), replaces="v1")
    assert caught.value.reason is Reason.VERSION_CONFLICT
    assert caught.value.metadata["stream"] == "authority/changes", "the model is the same"
    world.close()


def test_a_change_of_the_model_meanwhile_is_what_a_deployment_is_refused_for(world: World) -> None:
    version = world.model("m").model.version
    world.before_append(lambda: world.update("m", owner="another"))
    with pytest.raises(LedgerError) as caught:
        state(world, "v1", "roll_back")
    assert caught.value.reason is Reason.VERSION_CONFLICT
    assert caught.value.metadata == {
        "stream": "models/m", "expected": str(version), "found": str(version + 1),
    }  # fmt: skip
    state(world, "v1", "roll_back")
    world.close()


def test_an_emergency_takes_the_right_to_it_beside_the_right_to_deploy(tmp_path: Path) -> None:
    world = staffed(tmp_path)
    world.grant("users/dpo", "operator")
    assert "lacks the action policies.emergency" in refused(
        world, "v3", "emergency", by=Caller("users/dpo")
    )
    assert "lacks the action models.deploy" in refused(
        world, "v3", "emergency", by=Caller("users/sam")
    )
    state(world, "v3", "emergency", by=Caller("users/kim"))
    [found] = world.all_of(DeploymentExplained)
    assert (found.basis, found.model_version) == ("emergency", "v3")
    deployed_at = world.head - 1
    world.close()
    report = audited(tmp_path / "ledger.db")
    named = {one.rule for one in report.findings if one.position >= deployed_at}
    assert named <= {"authority.shown"}, report.text()


def test_a_version_that_its_job_took_back_serves_again_by_an_emergency_alone(
    world: World, tmp_path: Path
) -> None:
    working = Working.of(world)
    now = world.store.events.head(ORIGIN).recorded_at
    token = working.observing("v3", model="m", at=now)
    working.report("observation", token, loss=100)
    at = now + WEEK
    losses = {"v1": "0.4", "v2": "0.6", "v3": "0.7"}
    world.observe(*(("m", "loss", name, loss, at, 100) for name, loss in losses.items()))
    proposed = world.ledger.plans.propose_reuse(ANA, "main")[1]
    assert [one.put_back for one, _ in proposed] == ["v1"], "it did better than what is observed"
    put_back, position = world.ledger.stated_deployments.put_back, proposed[0][1].position
    with pytest.raises(LedgerError, match="job j1 decides otherwise") as refused:
        put_back(SERVICE, "m", position, at)
    assert refused.value.reason is Reason.DEPLOYMENT_REFUSED
    world.govern()
    working.take_back(working.lease(), at=at)
    assert working.job().outcome == "rolled_back"
    spec = DeploymentSpec("m", "v3", at, now, "0.4", "v2")
    stated = world.ledger.stated_deployments
    with pytest.raises(LedgerError, match="job j1 took v3 back"):
        stated.record(ANA, spec, DeploymentGround("roll_back", "It was not so bad."))
    stated.record(ANA, spec, DeploymentGround("emergency", "The other one fails."))
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    found = paper.find("deployment.explained.v1")[-1]
    paper.at(found).data["basis"] = "roll_back"
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [
        ("deployments.explained", found)
    ]


def propose(world: World) -> int:
    """Have it proposed that v1 serves again; return where."""
    [(made, event)] = world.ledger.plans.propose_reuse(ANA, "main")[1]
    assert (made.put_back, made.in_service) == ("v1", "v2")
    return event.position


def not_put_back(world: World, proposal: int) -> str:
    """Fail unless a proposal is offered to nobody and carried out by nothing; return why."""
    assert world.ledger.put_backs.open() == []
    head = world.head
    with pytest.raises(LedgerError) as caught:
        world.ledger.stated_deployments.put_back(SERVICE, "m", proposal, FIRST + WEEK + DAY)
    assert caught.value.reason is Reason.DEPLOYMENT_REFUSED
    why = caught.value.metadata["why"]
    assert why in refused(world, "v1", by=SERVICE), "said so too where it is stated by hand"
    assert world.head == head
    return why


def claimed(world: World, proposal: int, tmp_path: Path) -> None:
    """Fail unless the auditor finds that a roll-back which claims to be proposed is not."""
    state(world, "v1", "roll_back")
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    found = paper.find("deployment.explained.v1")[-1]
    paper.at(found).data.update({"basis": "put_back", "proposal": proposal, "reason": ""})
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [
        ("deployments.explained", found)
    ], report.text()


def test_a_proposal_counts_for_one_period_of_its_policy(world: World, tmp_path: Path) -> None:
    proposal = propose(world)
    until = FIRST + 2 * WEEK + DAY
    world.observe(("m", "loss", "v2", "0.6", until - 1, 100))
    assert [one.position for one in world.ledger.put_backs.open()] == [proposal]
    world.observe(("m", "loss", "v2", "0.6", until, 100))
    assert "for one period of its policy" in not_put_back(world, proposal)
    claimed(world, proposal, tmp_path)


def test_a_proposal_whose_time_is_over_a_moment_before_is_not_carried_out(world: World) -> None:
    proposal, until = propose(world), FIRST + 2 * WEEK + DAY
    world.before_append(lambda: world.see("m", "0.6", until, version="v2"))
    with pytest.raises(LedgerError, match="for one period of its policy"):
        world.ledger.stated_deployments.put_back(SERVICE, "m", proposal, FIRST + WEEK + DAY)
    assert world.all_of(DeploymentExplained) == []
    world.close()


def test_a_proposal_that_is_over_is_made_anew_and_carried_out(world: World, tmp_path: Path) -> None:
    propose(world)
    at = FIRST + 2 * WEEK + DAY
    world.observe(*(("m", "loss", name, loss, at, 100) for name, loss in LOSSES.items()))
    again = propose(world)
    world.ledger.stated_deployments.put_back(SERVICE, "m", again, at)
    assert explained(world, tmp_path).proposal == again


def without_reuse() -> str:
    document = json.loads(GATED)
    document["planning"]["reuse_versions"] = 0
    return json.dumps(document)


@pytest.mark.parametrize("policy", ["main", "special"])
def test_a_proposal_is_over_once_another_version_or_policy_is_for_its_model(
    world: World, tmp_path: Path, policy: str
) -> None:
    proposal = propose(world)
    scope = EVERYWHERE if policy == "main" else ScopePart(kind="model", model="m", labels={})
    world.activate(without_reuse(), policy=policy, scope=scope)
    assert "main version 2, which is not in force for m any more" in not_put_back(world, proposal)
    claimed(world, proposal, tmp_path)


def test_a_proposal_counts_while_its_document_is_in_force_whatever_came_between(
    world: World, tmp_path: Path
) -> None:
    world.register("other")
    proposal = propose(world)
    scope = ScopePart(kind="model", model="other", labels={})
    world.activate(without_reuse(), policy="special", scope=scope)
    assert [one.position for one in world.ledger.put_backs.open()] == [proposal]
    world.activate(without_reuse())
    not_put_back(world, proposal)
    world.activate(GATED)
    assert [one.position for one in world.ledger.put_backs.open()] == [proposal]
    state(world, "v1", by=SERVICE)
    assert explained(world, tmp_path).proposal == proposal


def test_a_proposal_whose_policy_is_erased_counts_no_more(world: World, tmp_path: Path) -> None:
    proposal = propose(world)
    drafted = [one for one in world.events() if one.type.startswith("policy.drafted")][-1]
    world.erase(drafted.position)
    assert world.ledger.put_backs.open() == []
    with pytest.raises(LedgerError, match="was erased"):
        world.ledger.stated_deployments.put_back(SERVICE, "m", proposal, FIRST + WEEK + DAY)
    world.close()
    assert audited(tmp_path / "ledger.db").passed


def test_what_was_put_back_is_not_judged_once_its_policy_is_erased(
    world: World, tmp_path: Path
) -> None:
    world.ledger.stated_deployments.put_back(SERVICE, "m", propose(world), FIRST + WEEK + DAY)
    erased = [one for one in world.events() if one.type.startswith("policy.drafted")][-1]
    world.erase(erased.position)
    world.close()
    assert audited(tmp_path / "ledger.db").passed
