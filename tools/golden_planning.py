"""The golden instances of planner `excess/2`, a plan and a proposal: they show the shape alone."""

from typing import Any

from ledger.events.models import DeploymentExplained
from ledger.events.plans import PlanMadeV1, PlanMadeV2, PlanScheduled
from ledger.events.reuse import ReuseProposed, RollBackAsked
from tools.golden_proving import Appender

_BUDGET = {
    "budget": "main",
    "free_micros": "150000000",
    "kept_micros": "20000000",
    "cap_micros": "400000000",
    "reserved_micros": "40000000",
    "spent_micros": "0",
    "tests_free_micros": "15000000",
    "tests_cap_micros": "40000000",
    "tests_reserved_micros": "4000000",
    "tests_spent_micros": "0",
}
_STEPPED = {
    "ranking": "excess",
    "under_way": 4,
    "budgets": [_BUDGET],
    "steps": [
        {
            "step": "concurrency",
            "changed": [{"model": "fraud-eu", "before": "admitted", "after": "at_concurrency"}],
        }
    ],
    "steps_digest": "ab" * 32,
}
_FACTS = {
    "team": "risk",
    "is_top_tier": False,
    "budget": "main",
    "recent_jobs": None,
    "idle_since": "2026-02-27T08:00:00.000000Z",
    "losing_since": None,
    "error": "275000",
    "test_micros": "4000000",
    "priority": None,
    "forecast_benefit_micros": None,
    "forecast_cost_micros": None,
}


def with_steps(made: dict[str, Any]) -> dict[str, Any]:
    """Return a plan with the members that tell the steps around its planner."""
    return made | _STEPPED | {"backlog": [row | _FACTS for row in made["backlog"]]}


def run(ledger: Appender) -> None:
    """Plan once more what was planned before, as if by the other planner."""
    [made] = [one.data for one in ledger.events if one.type == PlanMadeV1.TYPE]
    data = PlanMadeV2.from_data(
        with_steps(made) | {"plan": "2026-w45", "planner": "excess/2", "second_to": None}
    )
    ledger.append(data, data.stream_name, "2027-03-01T09:00:00.000000Z", actor="users/ada")
    compared = {"n": "6325915099599446710", "den": "724825230328492429080000000000"}
    better = {"adv": "86438806494037099884000000000", "advantage_ppm": "68972"}
    proposed = ReuseProposed.from_data(
        {
            "model": made["backlog"][0]["model"],
            "as_of": made["as_of"],
            "made_at": made["made_at"],
            "policy": made["policy"],
            "policy_version": made["policy_version"],
            "policy_digest": made["policy_digest"],
            "inputs_digest": "ef" * 32,
            "now_period": made["now_period"],
            "in_service": "v4",
            "put_back": "v3",
            "compared": [
                {"model_version": "v2", "n": "0", "den": "0", "adv": "0", "advantage_ppm": None},
                {"model_version": "v3", **compared, **better},
            ],
            "reason": "v3 did better lately than v4, which serves: by 6.8972%, above the margin of "
            "2%. Compared: 2 earlier versions.",
        }
    )
    ledger.append(proposed, proposed.stream_name, "2027-03-01T09:05:00.000000Z", actor="users/ada")


def schedule(ledger: Appender) -> None:
    """Have plans made each week."""
    [made] = [one.data for one in ledger.events if one.type == PlanMadeV1.TYPE]
    data = PlanScheduled.from_data(
        {
            "policy": made["policy"],
            "since": "2027-03-01T09:10:00.000000Z",
            "every_seconds": 604_800,
            "purse_micros": "60000000",
            "purse_cap_micros": "80000000",
            "recipe": "weekly",
            "reason": "The money of a week, planned on Thursdays.",
        }
    )
    ledger.append(data, data.stream_name, "2027-03-01T09:10:00.000000Z", actor="users/ada")


def explain(ledger: Appender) -> None:
    """Have the version that serves again cite the proposal that it carries out."""
    [proposed] = [one for one in ledger.events if one.type == ReuseProposed.TYPE]
    data = DeploymentExplained(
        model=proposed.data["model"],
        model_version=proposed.data["put_back"],
        replaces=proposed.data["in_service"],
        basis="put_back",
        proposal=proposed.position,
        reason="",
    )
    ledger.append(data, data.stream_name, "2027-03-01T09:15:00.000000Z", actor="services/nightly")


def ask_back(ledger: Appender) -> None:
    """Have a person ask that the version before serves again."""
    [proposed] = [one for one in ledger.events if one.type == ReuseProposed.TYPE]
    data = RollBackAsked(
        model=proposed.data["model"],
        in_service=proposed.data["put_back"],
        put_back=proposed.data["in_service"],
        reason="It is worse at night.",
    )
    ledger.append(data, data.stream_name, "2027-03-01T10:05:00.000000Z", actor="users/ada")
