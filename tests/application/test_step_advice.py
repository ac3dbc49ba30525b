"""Advice on the steps around a planner goes by the models and budgets of the ledger as it is."""

from pathlib import Path

from tests.application.test_plan_steps import policy
from tests.support.budgeted import in_euros, set_budget
from tests.support.world import ANA, World


def advised(world: World, text: str) -> dict[str, str]:
    """Return the path and message of each finding about a step that is for none."""
    found = world.ledger.definitions.lint(text).problems
    return {one.path: one.message for one in found if one.code == "STEP_FOR_NONE"}


def test_teams_and_budgets_are_those_of_models_that_are_not_retired(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", unit="EUR")
    [early] = [
        one.remedy
        for one in world.ledger.definitions.lint(
            policy(team_shares=[{"team": "risk", "share": "10%"}])
        ).problems
        if one.path.endswith(".team")
    ]
    assert "`decision-ledger model register MODEL --owner TEAM …`" in early
    world.begin("alpha", "beta")
    world.update("alpha", owner="risk")
    world.update("beta", owner="fraud")
    shares = [{"team": team, "share": "10%"} for team in ("risk", "fraud", "other")]
    text = policy(team_shares=shares, budgets=True)
    at = "planning.steps."
    assert advised(world, text) == {
        f"{at}team_shares[2].team": "no model of the ledger is owned by 'other'",
        f"{at}budgets": "no budget in the ledger's unit of cost pays for any model",
    }
    set_budget(world, **in_euros())
    assert advised(world, text).keys() == {f"{at}team_shares[2].team"}
    world.ledger.commands.retire_model(ANA, "beta", "gone")
    assert advised(world, text).keys() == {f"{at}team_shares[1].team", f"{at}team_shares[2].team"}
    world.close()


def test_a_fleet_without_money_for_tests_is_told_of_where_each_job_has_one(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", unit="EUR").begin("alpha")
    set_budget(world, **in_euros(tests={"refill_micros": 0, "cap_micros": 0}))
    found = world.ledger.definitions.lint(policy(budgets=True)).problems
    assert [(one.path, one.code) for one in found if one.code.startswith("STEP")] == [
        ("planning.steps.budgets", "STEP_ADMITS_NOTHING")
    ]
    set_budget(world, **in_euros())
    found = world.ledger.definitions.lint(policy(budgets=True)).problems
    assert not [one for one in found if one.code.startswith("STEP")]
    world.close()
