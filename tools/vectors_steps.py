"""Check known answers of the steps around a planner: `plan_steps`."""

from collections.abc import Iterator
from typing import Any

from ledger.events.policy_document import PlanStepsPart
from ledger.kernel.excess import BacklogRow, PlanInputs, PlanModel, PlannerPolicy, PlanResult
from ledger.kernel.plan_steps import BudgetLeft, StepFacts, StepInputs, stepped
from ledger.kernel.ranking import Ranked
from tools.vectors_kernel import difference

Document = dict[str, Any]
_FACTS = ("team", "is_top_tier", "budget", "recent_jobs", "idle_since", "losing_since")
_BY_EXCESS = Ranked("excess", {}, {})


def check_plan_steps(document: Document) -> Iterator[tuple[str, str | None]]:
    """Yield a verdict for each case of the file."""
    for case in document["cases"]:
        yield case["name"], plan_steps_case_problem(case)


def plan_steps_case_problem(case: Document) -> str | None:
    """Return the first difference between what steps make of a plan and the known answer."""
    models = tuple(
        PlanModel(
            one["id"], 0, 1, 1, one["cost_micros"], rest_until=one["rest_until"], gate=one["gate"]
        )
        for one in case["models"]
    )
    policy = PlannerPolicy(1, 1, 1, probe_ppm=case["probe_ppm"], reserve=case["reserve"])
    money = case["purse_micros"], case["purse_cap_micros"]
    made = stepped(
        PlanInputs(policy, case["now_period"], *money, None, models),
        _planned(case),
        StepInputs(
            terms=PlanStepsPart.model_validate(case["terms"]),
            ranked=_BY_EXCESS,
            made_at=case["made_at"],
            under_way=case["under_way"],
            models={
                one["id"]: StepFacts(**{name: one[name] for name in _FACTS})
                for one in case["models"]
            },
            budgets={name: BudgetLeft(name, **one) for name, one in case["budgets"].items()},
        ),
    )
    found = {
        "backlog": [{"id": name, "outcome": outcome} for name, outcome in made.outcomes.items()],
        "purse_left_micros": made.purse_left_micros,
        "changes": [
            {"step": name, "changed": [one._asdict() for one in changed]}
            for name, changed in made.changes
        ],
        "losing": dict(made.losing),
        "guaranteed": made.guaranteed,
    }
    return difference(found, case["expect"])


def _planned(case: Document) -> PlanResult:
    """Return what the planner made of a case's models."""
    planned = case["planned"]
    rows = [
        BacklogRow(
            one["id"], 0, 0, one["rank"], one["cost_micros"], seen=one["seen"],
            resting=one["rest_until"] > case["now_period"], outcome=planned["outcomes"][one["id"]],
        )
        for one in case["models"]
    ]  # fmt: skip
    price, left = case["price"], planned["purse_left_micros"]
    return PlanResult(price, price, 0, left, {}, tuple(rows))
