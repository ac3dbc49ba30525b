"""`plan show` tells budgets, steps and why a model with a worse error was left out.

Method: plans as a client hands them out, and the lines that are printed below the backlog.
"""

from datetime import UTC, datetime
from typing import Any

from ledger.cli.plans import told_plan
from ledger.client.enums import JobOutcome, JobState, PlanOutcome
from ledger.client.ranking import Plan, PlanBudget, PlanJob, PlanRow, PlanStep, PlanStepChange

AT = datetime(2026, 3, 9, tzinfo=UTC)


def row(model: str, outcome: PlanOutcome, **more: Any) -> PlanRow:  # noqa: ANN401 - members
    usual: dict[str, Any] = {
        "place": 1, "reason": f"Because of {model}.", "rank_ppm": 1_000_000, "gain": 1,
        "benefit_micros": 1, "cost_micros": 1, "unit_value_micros": 1, "baseline_nano": 1,
        "trained_period": 1, "rest_until_period": -1, "model_version": "v1",
        "action_in_force": None, "seen": True, "resting": False, "team": "risk",
        "is_top_tier": False, "budget": "main", "recent_jobs": None, "idle_since": None,
        "losing_since": None, "error_ppm": None, "priority_ppm": None,
        "forecast_benefit_micros": None, "forecast_cost_micros": None,
            "test_micros": 0,
    }  # fmt: skip
    return PlanRow(model=model, outcome=outcome, **(usual | more))


def plan(*rows: PlanRow, **more: Any) -> Plan:  # noqa: ANN401 - members
    usual: dict[str, Any] = {
        "name": "plans/w10", "plan": "w10", "admitted": 1, "as_of_position": 9, "made_at": AT,
        "policy": "main", "policy_version": 1, "policy_digest": "ab", "planner": "excess/2",
        "inputs_digest": "ab", "period": 1, "budget_micros": 1, "budget_cap_micros": 1,
        "price_before_ppm": None, "price_ppm": 1, "next_price_ppm": 1, "demand_micros": 1,
        "budget_left_micros": 0, "modes": (), "position": 10, "steps": (), "steps_digest": "ab",
        "jobs_under_way": 0, "budgets": (), "ranking": "excess",
    }  # fmt: skip
    return Plan(backlog=rows, **(usual | more))


def told(made: Plan) -> list[str]:
    """Return the lines below the backlog."""
    return told_plan(made, "EUR").split("\n\n")[2].splitlines()


def test_a_model_with_a_worse_error_is_held_against_the_admitted_one() -> None:
    made = plan(
        row("a", PlanOutcome.ADMITTED, error_ppm=200_000, rank_ppm=3_000_000),
        row("b", PlanOutcome.AT_CONCURRENCY, error_ppm=300_000, rank_ppm=3_000_000),
        row("c", PlanOutcome.BELOW_PRICE, error_ppm=600_000, rank_ppm=500_000),
        row("d", PlanOutcome.BELOW_PRICE, error_ppm=200_000),
        row("e", PlanOutcome.NO_EVIDENCE),
        row("f", PlanOutcome.NOT_DECIDED, error_ppm=700_000, rank_ppm=500_000),
    )
    left_out = "is left out with an error {} above its training, a admitted with 20.0%: "
    assert told(made) == [
        "b " + left_out.format("30.0%") + "Because of b.",
        "c " + left_out.format("60.0%")
        + "what its excess costs is 50.0% of a retraining, that of a 300.0%.",
        "f " + left_out.format("70.0%") + "Because of f.",
    ]  # fmt: skip


def test_the_heading_says_by_what_models_were_taken_in() -> None:
    rows = row("a", PlanOutcome.ADMITTED, error_ppm=1), row("b", PlanOutcome.SAVING, error_ppm=2)
    said = told_plan(plan(*rows, ranking="benefit_per_cost"), "EUR")
    assert "; excess/2 ranked by benefit per cost, policy main version 1," in said
    assert "with an error" not in said
    assert "; excess/2, policy main version 1," in told_plan(plan(*rows), "EUR")


def test_budgets_and_steps_are_told_below_the_backlog() -> None:
    change = PlanStepChange("b", PlanOutcome.ADMITTED, PlanOutcome.AT_CONCURRENCY)
    made = plan(
        row("a", PlanOutcome.ADMITTED),
        budgets=(
            PlanBudget("main", 6_000_000, 3_000_000, 9_000_000, 0, 0, 500_000, 900_000, 0, 0),
        ),
        steps=(PlanStep("concurrency", (change,)), PlanStep("budgets", ())),
    )
    assert told(made) == [
        (
            "Budget main had 6.00 EUR free, 3.00 EUR of it kept for the top tier, and 0.50 EUR for "
            "tests."
        ),
        "Step concurrency changed b from admitted to at concurrency.",
        "Step budgets changed nothing.",
    ]


def test_each_admitted_model_is_told_with_the_job_that_came_of_it() -> None:
    def job(model: str, state: JobState | None, outcome: JobOutcome | None) -> PlanJob:
        return PlanJob(f"models/{model}/jobs/j-{model}", model, f"j-{model}", state, outcome)

    made = plan(
        *(row(model, PlanOutcome.ADMITTED) for model in "abcd"),
        row("e", PlanOutcome.BELOW_PRICE),
        jobs=(
            job("c", None, None),
            job("b", JobState.CLOSED, JobOutcome.ROLLED_BACK),
            job("a", JobState.AWAITING_APPROVAL, None),
        ),
    )
    assert told_plan(made, "EUR").split("\n\n")[-1].splitlines() == [
        "a: job j-a, awaiting approval",
        "b: job j-b, rolled back",
        "c: job j-c, unknown",
        "d: no job yet",
    ]


def test_the_unit_of_the_amounts_in_reasons_is_told_once() -> None:
    heading = told_plan(plan(row("a", PlanOutcome.ADMITTED)), "EUR").split("\n\n")[0]
    assert heading.endswith("as of position 9. Amounts in its reasons are in EUR.")
    for made, unit in ((plan(row("a", PlanOutcome.ADMITTED)), ""), (plan(), "EUR")):
        assert told_plan(made, unit).split("\n\n")[0].endswith("as of position 9.")
