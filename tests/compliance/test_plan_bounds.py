"""The answer about budgets tells which steps bounded the plans, and the jobs that were left."""

from pathlib import Path

from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer as answer_to
from ledger.compliance.tables import as_records
from tests.application.test_plan_steps import begin, planned
from tests.support.facts import facts_of
from tests.support.world import World


def test_each_step_of_a_plan_is_listed_with_the_models_that_it_left_out(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db")
    working = begin(world, concurrency=2, cool_down="1d")
    plan = planned(world)
    working.propose("job-a", "a", plan=plan.plan, reason="")
    given = answer_to("budgets", facts_of(world), Inquiry())
    assert any(
        "left models out of plans that had admitted them: 1 of 2" in one for one in given.said
    )
    [table] = [one for one in given.tables if one.name == "plan_bounds"]
    rows = [(row["step"], row["left_out"], row["models"], row["jobs"]) for row in as_records(table)]
    assert rows == [("cool_down", 0, "", "job-a"), ("concurrency", 1, "c", "job-a")]
    of_a = answer_to("budgets", facts_of(world), Inquiry(model="c"))
    [table] = [one for one in of_a.tables if one.name == "plan_bounds"]
    assert [row["step"] for row in as_records(table)] == ["concurrency"]
    world.close()
