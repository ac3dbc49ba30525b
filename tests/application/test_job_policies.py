"""A policy adds criteria and approvals to the jobs of its models, and the auditor holds jobs to it.

Method: a ledger in one process under a policy of format policy/2; then proposals that leave out
what it asks for are forced into the log.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.application.policies.text import parse
from ledger.errors import LedgerError, Reason
from ledger.events.authority import GrantScopePart
from ledger.events.jobs import JobApproved, JobProposed
from ledger.jobs.policy_terms import jobs_part
from tests.support.audits import audited
from tests.support.budgeted import in_euros, set_budget
from tests.support.explained import explained
from tests.support.job_worlds import Working
from tests.support.staffed import KIM, SAM, Governed
from tests.support.world import World, policy_text, reason_of

BETTER = {
    "gate": "holdout",
    "name": "well-below",
    "when": 'metrics["loss"] < 50',
    "rationale": "The business pays for half of it.",
}


def text_with(*criteria: dict[str, str], roles: tuple[str, ...] = ()) -> str:
    approvals = [{"role": role} for role in roles]
    asked = {"budget": "optional", "criteria": list(criteria), "approvals": approvals}
    return json.dumps(explained(json.loads(policy_text())) | {"jobs": asked})


def working_under(tmp_path: Path, text: str) -> Working:
    world = World(tmp_path / "ledger.db", clock="wall")
    return Working.of(world.begin("alpha", "beta", policy=text))


def proposed(working: Working, job: str) -> dict[str, Any]:
    return dict(working.job(job).proposed)


def test_a_criterion_of_the_policy_is_judged_beside_those_of_the_recipe(tmp_path: Path) -> None:
    working = working_under(tmp_path, text_with(BETTER))
    data = working.propose().proposed
    assert (data["policy"], data["policy_version"], data["roles"]) == ("main", 1, [])
    holdout = next(one for one in data["gates"] if one["gate"] == "holdout")
    assert [one["name"] for one in holdout["criteria"]] == ["holds", "well-below"]
    working.approve()
    token = working.lease()
    for gate in ("data_integrity", "candidate"):
        working.report(gate, token)
    verdict = working.world.ledger.jobs.verdict(working.report("holdout", token, loss=60))
    assert verdict is not None
    assert [(one.name, one.is_met) for one in verdict.criteria] == [
        ("holds", True), ("well-below", False),
    ]  # fmt: skip
    assert working.job().outcome == "failed"
    working.world.close()
    report = audited(Path(working.world.path))
    assert report.passed, report.text()


def test_a_job_keeps_the_criteria_that_it_was_proposed_with(tmp_path: Path) -> None:
    working = working_under(tmp_path, text_with())
    working.propose()
    working.world.activate(text_with(BETTER))
    first = [len(one["criteria"]) for one in proposed(working, "j1")["gates"]]
    assert first == [1, 2, 1, 0, 1]  # with that of the planner at the candidate
    working.propose("j2", "beta")
    assert [len(one["criteria"]) for one in proposed(working, "j2")["gates"]] == [1, 2, 2, 0, 1]
    assert proposed(working, "j2")["policy_version"] == 2


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        (BETTER | {"gate": "training"}, "for the gate training, and the recipe has no such gate"),
        (BETTER | {"when": 'metrics["auc"] > 1'}, "does not fit the recipe's gate holdout"),
        (BETTER | {"name": "holds"}, "both have a criterion holds at holdout"),
    ],
    ids=["no gate", "no number", "one name"],
)
def test_a_recipe_that_cannot_be_judged_so_is_refused_with_a_reason(
    tmp_path: Path, criterion: dict[str, str], said: str
) -> None:
    working = working_under(tmp_path, text_with(criterion))
    head = working.world.head
    with pytest.raises(LedgerError, match=said) as refused:
        working.propose()
    assert reason_of(refused) is Reason.JOB_REFUSED
    assert "decision-ledger recipe show monthly" in refused.value.remedy
    assert working.world.head == head


def test_a_job_waits_for_persons_in_the_roles_that_the_policy_names(tmp_path: Path) -> None:
    working = working_under(tmp_path, text_with(roles=("model-owner",)))
    assert working.propose().proposed["roles"] == [{"role": "model-owner", "count": 1}]
    working.approve()
    assert working.job().state == "proposed"


def _left_out(data: dict[str, Any]) -> None:
    for gate in data["gates"]:
        gate["criteria"] = [one for one in gate["criteria"] if one["name"] != "well-below"]


FORGED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "criteria left out": (_left_out, "its gates are not those of version 1 of monthly"),
    "roles left out": (lambda data: data.update(roles=[]), "its roles are not those"),
    "another policy": (
        lambda data: data.update(policy_version=9),
        "it names policy main version 9, and in force was main version 1",
    ),
    "no policy": (
        lambda data: data.update(policy=None, policy_version=None),
        "it names policy None version None, and in force was main version 1",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_job_that_leaves_out_what_the_policy_asks_is_found(tmp_path: Path, name: str) -> None:
    forge, said = FORGED[name]
    working = working_under(tmp_path, text_with(BETTER, roles=("model-owner",)))
    working.propose()
    data = json.loads(json.dumps(proposed(working, "j1"))) | {"job": "j2", "model": "beta"}
    forge(data)
    written = working.world.forge("jobs/j2", JobProposed.from_data(data))
    working.world.close()
    report = audited(Path(working.world.path))
    found = [(one.rule, one.position, one.sentence) for one in report.findings]
    assert [one for one in found if one[0] == "jobs.proposed"], found
    [(_, position, sentence)] = [one for one in found if one[0] == "jobs.proposed"]
    assert position == written.first_position
    assert said in sentence


def test_a_role_approves_jobs_of_the_models_that_it_is_held_for(tmp_path: Path) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.grant(SAM.actor, "model-owner", GrantScopePart(labels={}, models=["alpha"], signals=[]))
    east = GrantScopePart(labels={"wing": "north"}, models=[], signals=[])
    world.grant(KIM.actor, "model-owner", east)
    working = Working.of(world.begin("alpha", "beta", policy=text_with(roles=("model-owner",))))
    working.propose("j1", "alpha")
    working.propose("j2", "beta")
    working.approve("j1", SAM)
    assert [one.role for one in working.job("j1").approvals] == ["model-owner"]
    seen = working.job("j2").evidence_at
    for who in (SAM, KIM):
        with pytest.raises(LedgerError) as refused:
            world.ledger.jobs.approve(who, "j2", seen, "model-owner", "fine")
        assert reason_of(refused) is Reason.JOB_REFUSED
        said = f"{who.actor} does not hold the role model-owner for model beta"
        assert said in refused.value.message
    world.update("beta", labels={"wing": "north"})
    working.approve("j2", KIM)
    assert [one.role for one in working.job("j2").approvals] == ["model-owner"]
    world.close()
    assert not of_jobs(working)


@pytest.mark.parametrize("held_for", ["alpha", "beta"])
def test_an_approval_by_a_role_for_another_model_is_found(tmp_path: Path, held_for: str) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    part = GrantScopePart(labels={}, models=[held_for], signals=[])
    world.grant(SAM.actor, "model-owner", part)
    working = Working.of(world.begin("alpha", "beta", policy=text_with(roles=("model-owner",))))
    job = working.propose("j2", "beta")
    forged = JobApproved(
        job="j2", stage="start", role="model-owner", seen_position=job.evidence_at, note=""
    )
    links: dict[str, Any] = {"causation_position": job.changed_at, "run_id": job.run_id}
    at = world.forge("jobs/j2", forged, actor=SAM.actor, **links).first_position
    world.close()
    said = "users/sam does not hold the role model-owner for model beta"
    expected = [] if held_for == "beta" else [("jobs.steps", at, said)]
    assert of_jobs(working) == expected


def of_jobs(working: Working) -> list[tuple[str, int, str]]:
    """Return what an audit finds about jobs; these actors have shown no credentials."""
    report = audited(Path(working.world.path))
    found = [(one.rule, one.position, one.sentence) for one in report.findings]
    return [one for one in found if one[0].startswith("jobs.")]


def test_a_policy_may_have_no_job_without_a_budget(tmp_path: Path) -> None:
    asked = text_with().replace('"optional"', '"required"')
    working = working_under(tmp_path, asked)
    head = working.world.head
    with pytest.raises(LedgerError, match="No budget pays for jobs of model alpha") as refused:
        working.propose()
    assert reason_of(refused) is Reason.BUDGET_REQUIRED
    assert "decision-ledger budget set" in refused.value.remedy
    assert working.world.head == head
    set_budget(working.world, **in_euros())
    assert working.propose().proposed["budget"] == "main"


def test_a_part_for_jobs_that_says_nothing_of_money_wants_a_budget() -> None:
    document = json.loads(text_with())
    del document["jobs"]["budget"]
    asked = jobs_part(parse(json.dumps(document)))
    assert asked is not None
    assert asked.budget == "required"
