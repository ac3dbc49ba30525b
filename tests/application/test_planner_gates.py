"""The gate of a policy's planner is a criterion of its jobs, which the ledger judges.

Method: a recipe whose gate `candidate` compares versions by the loss signal, and says nothing of
it otherwise; candidates at the border of what the policy allows.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.application.jobs import proposals
from ledger.application.recipes.text import parse_recipe
from ledger.errors import LedgerError, Reason
from ledger.events.recipe_document import GatePart
from ledger.jobs.policy_terms import PlannerGate, gates_under
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import RECIPE, Working
from tests.support.world import DAY, START, World, policy_text

LENIENT = RECIPE.replace(
    'candidate["loss"] < champion["loss"]', 'candidate["loss"] * 2 < champion["loss"] * 3'
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.db")
    yield made
    made.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def judged(world: World, loss: int, **planning: object) -> tuple[list[str], bool]:
    """Return the criteria of a candidate test, and whether it is passed by a loss against 100."""
    chosen = {"planner": "excess/2"} | planning
    world.begin("alpha", policy=governed(policy_text(planning=chosen)))
    working = Working.of(world, LENIENT)
    working.propose()
    working.approve()
    token = working.lease()
    working.report("data_integrity", token)
    working.report("candidate", token, loss=loss)
    [gate] = [one for one in working.job().proposed["gates"] if one["gate"] == "candidate"]
    return [one["name"] for one in gate["criteria"]], working.job().state != "closed"


@pytest.mark.parametrize(("loss", "is_passed"), [(109, True), (110, False)])
def test_a_candidate_may_lose_a_tenth_more_and_equality_is_refused(
    world: World, loss: int, *, is_passed: bool
) -> None:
    assert judged(world, loss) == (["better", "planner-gate"], is_passed)


def test_a_policy_says_how_much_more(world: World) -> None:
    assert judged(world, 149, gate="50%") == (["better", "planner-gate"], True)


def test_a_planner_without_tests_has_no_gate(world: World) -> None:
    assert judged(world, 149, probe="0%") == (["better"], True)


def test_a_recipe_that_compares_by_other_metrics_has_no_gate_of_the_planner() -> None:
    gates = parse_recipe(LENIENT).gates
    [made] = PlannerGate("loss", 100_000).criterion(gates)
    assert (made.gate, made.when) == ("candidate", 'candidate["loss"] * 10 < champion["loss"] * 11')
    assert PlannerGate("log-loss", 100_000).criterion(gates) == []
    others = [gate for gate in gates if gate.gate != "candidate"]
    assert PlannerGate("loss", 100_000).criterion(others) == []
    of_run = [gate.model_copy(update={"gate": "candidate"}) for gate in others]
    assert PlannerGate("loss", 100_000).criterion(of_run) == []


def untested(
    world: World, jobs: dict[str, str] | None = None, **planning: object
) -> tuple[Working, str]:
    """Return jobs by a recipe without a candidate test, and a plan that admitted the model."""
    chosen = {"planner": "excess/2", "common": "0%", "min_models": 1} | planning
    text = json.loads(policy_text(planning=chosen)) | ({"jobs": jobs} if jobs else {})
    world.begin("alpha", policy=governed(json.dumps(text)))
    world.see("alpha", "0.9", START + 8 * DAY)
    plan = world.plan(90_000_000)
    assert plan.backlog[0].outcome == "admitted"
    before, _, after = RECIPE.partition("  - gate: candidate")
    return Working.of(world, before + after[after.index("  - gate: holdout") :]), plan.plan


def test_a_planned_job_is_tested_where_the_planner_has_candidates_tested(world: World) -> None:
    working, plan = untested(world)
    with pytest.raises(LedgerError, match="the recipe has no gate candidate") as refused:
        working.propose(plan=plan)
    assert refused.value.reason is Reason.JOB_REFUSED
    assert working.propose().state == "proposed"


def test_a_policy_may_have_planned_jobs_bought_untested(world: World) -> None:
    working, plan = untested(world, jobs={"candidate_test": "optional", "budget": "optional"})
    assert working.propose(plan=plan).state == "ready"


def test_a_planner_without_tests_asks_for_none(world: World) -> None:
    working, plan = untested(world, probe="0%")
    assert working.propose(plan=plan).state == "ready"


def test_the_auditor_finds_a_planned_job_that_is_not_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "forged.db")
    working, plan = untested(world)

    def lenient(*given: Any, is_of_plan: bool) -> list[GatePart]:  # noqa: ANN401 - as it is called
        assert is_of_plan
        return gates_under(*given, is_of_plan=False)

    monkeypatch.setattr(proposals, "gates_under", lenient)
    working.propose(plan=plan)
    world.close()
    [found] = audited(tmp_path / "forged.db").findings
    assert found.rule == "jobs.proposed"
    assert "the recipe has no gate candidate" in found.what
