"""The steps around a planner, as the audit derives them: a second writing of what they read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ledger.audit.budgets import AuditedBudget, AuditedBudgets
from ledger.audit.parameters import Parameters, digest_of
from ledger.audit.plan_state import AuditedPlan
from ledger.events.policy_document import PlanStepsPart
from ledger.events.values import SECOND, format_time
from ledger.jobs.budget_scopes import covers, rank
from ledger.jobs.money import is_top_tier
from ledger.kernel.excess import PlanResult
from ledger.kernel.plan_steps import BudgetLeft, StepFacts, StepInputs, SteppedPlan
from ledger.kernel.ranking import Ranked

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState

_MEMBERS: Final = ("ranking", "under_way", "steps", "steps_digest")
_OF_ROWS: Final = (
    "team", "is_top_tier", "budget", "recent_jobs", "idle_since", "losing_since", "priority",
    "forecast_benefit_micros", "forecast_cost_micros",
)  # fmt: skip
"""The members of a plan's event and of its rows that tell its steps; `budgets` has its own rule."""


_BESIDE: Final = ("error", "test_micros")
"""Members of rows that are told beside them, and that the steps' digest leaves out."""


def terms_of(parameters: Parameters) -> dict[str, Any] | None:
    """Return the steps that a policy version has, as it is stored; None for none."""
    found: dict[str, Any] | None = parameters.document["planning"].get("steps")
    return found


def step_inputs(
    fold: "LedgerState",
    parameters: Parameters,
    decisions: Mapping[str, Mapping[str, Any] | None],
    before: AuditedPlan | None,
    moment: tuple[int, int],
    ranked: Ranked,
) -> StepInputs:
    """Return what the steps of a plan read as of its horizon; `decisions` of each of its models."""
    as_of, at = moment
    terms, budgets = terms_of(parameters), fold.budgets.as_of(as_of)
    tests, models = fold.planning.tests, {}
    at_most, over = None if terms is None else terms["at_most"], tests.over_since(as_of)
    losing = {} if before is None else before.losing
    had_one = frozenset() if before is None else tests.proposed_after(before.position, as_of)
    recent = None
    if at_most is not None:
        recent = tests.recent(at - at_most["per_seconds"] * SECOND, as_of)
    for name, decided in decisions.items():
        facts = fold.models[f"models/{name}"]
        described = facts.description(as_of)
        assert described is not None, "a candidate is described"
        ends = [one.in_service_at for one in facts.deployed(as_of) if one.is_trained]
        ends = [one for one in ends if one <= at]
        ends += [over[name]] if name in over else []
        models[name] = StepFacts(
            team=described["owner"],
            is_top_tier=_is_top(fold, decided),
            budget=_paying(budgets, described, fold.unit_of_cost),
            recent_jobs=None if recent is None else recent[name],
            idle_since=max(ends, default=None),
            losing_since=None if name in had_one else losing.get(name),
        )
    named = sorted({one.budget for one in models.values() if one.budget is not None})
    return StepInputs(
        terms=None if terms is None else PlanStepsPart.model_validate(terms),
        ranked=ranked,
        made_at=at,
        under_way=tests.under_way(parameters.policy, models, as_of),
        models=models,
        budgets={name: _left(name, _known(budgets, name, at)) for name in named},
    )


def _is_top(fold: "LedgerState", decided: Mapping[str, Any] | None) -> bool:
    if decided is None or decided["action"] == "NO_ACTION":
        return False
    named = decided["policy"], decided["policy_version"]
    parameters = fold.parameters(*named, fold.drafts.get(named, ""))
    return parameters is not None and is_top_tier(parameters.document, decided["tier"])


def _paying(budgets: AuditedBudgets, described: Mapping[str, Any], unit: str) -> str | None:
    """Return the most specific budget that covers a model, if it is in the unit of plans."""
    covering = [
        (rank(one.scope), name)
        for name, one in budgets.others("")
        if covers(one.scope, described["owner"], described["labels"])
    ]
    name = max(covering)[1] if covering else None
    found = None if name is None else budgets.of(name)
    return name if found is not None and unit in ("", found.unit) else None


def _known(budgets: AuditedBudgets, name: str, at: int) -> AuditedBudget:
    """Return a copy of a budget with the refills up to a time."""
    found = budgets.of(name)
    assert found is not None, "it pays for a model"
    copied = replace(found, free=dict(found.free))
    copied.refill(at)
    return copied


def _left(name: str, known: AuditedBudget) -> BudgetLeft:
    caps = {envelope: cap for envelope, (_, cap) in known.flows.items()}
    free = known.free
    return BudgetLeft(
        name, free["jobs"], known.kept, caps["jobs"], free["tests"], caps["tests"]
    )  # fmt: skip


def told_budgets(by: StepInputs, budgets: AuditedBudgets) -> list[dict[str, str]]:
    """Return each budget that models of a plan name, as its event tells it."""
    found = []
    for name, left in by.budgets.items():
        known = _known(budgets, name, by.made_at)
        told = {"budget": name, "kept_micros": str(left.kept_micros)}
        for envelope, prefix in (("jobs", ""), ("tests", "tests_")):
            amounts = {
                "free": known.free[envelope],
                "cap": known.flows[envelope][1],
                "reserved": known.reserved(envelope),
                "spent": known.spent[envelope],
            }
            told |= {f"{prefix}{what}_micros": str(one) for what, one in amounts.items()}
        found.append(told)
    return found


def after_steps(result: PlanResult, made: SteppedPlan) -> PlanResult:
    """Return a planner's result with the outcomes that the steps left."""
    known = {row.id: row for row in result.backlog}
    rows = (replace(known[name], outcome=outcome) for name, outcome in made.outcomes.items())
    return replace(result, backlog=tuple(rows), purse_left_micros=made.purse_left_micros)


def step_facts(
    name: str, by: StepInputs, made: SteppedPlan, errors: Mapping[str, int], test_micros: int
) -> dict[str, Any]:
    """Return the members of a row that tell what the steps read of its model, and if it lost."""
    return _read_of(name, by) | {
        "error": str(errors[name]) if name in errors else None,
        "test_micros": str(test_micros),
        "losing_since": _time(made.losing.get(name)),
    }


def _read_of(name: str, by: StepInputs) -> dict[str, Any]:
    one = by.models[name]
    told: list[Any] = [one.team, one.is_top_tier, one.budget, one.recent_jobs]
    told += [_time(one.idle_since), _time(one.losing_since), by.ranked.priorities.get(name)]
    told += [str(amount) for amount in by.ranked.worths.get(name, ())] or [None, None]
    return dict(zip(_OF_ROWS, told, strict=True))


def _time(micros: int | None) -> str | None:
    return None if micros is None else format_time(micros)


def step_members(by: StepInputs, made: SteppedPlan, budgets: AuditedBudgets) -> dict[str, Any]:
    """Return the members of a plan's event that tell its steps."""
    told = told_budgets(by, budgets)
    pinned = {
        "budgets": told,
        "models": [{"model": name, **_read_of(name, by)} for name in sorted(by.models)],
        "ranking": by.ranked.by,
        "steps": None if by.terms is None else by.terms.model_dump(),
        "under_way": by.under_way,
    }
    changes = [
        {"step": name, "changed": [one._asdict() for one in changed]}
        for name, changed in made.changes
    ]
    return {
        "ranking": by.ranked.by,
        "under_way": by.under_way,
        "budgets": told,
        "steps": changes,
        "steps_digest": digest_of(pinned),
    }


def steps_alone(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan's event says of its steps."""
    names = ("model", *_BESIDE, *_OF_ROWS)
    rows = [{name: row[name] for name in names} for row in data["backlog"]]
    return {name: data[name] for name in _MEMBERS} | {"backlog": rows}


def budgets_alone(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan's event says of budgets."""
    return {"budgets": data["budgets"]}


def without_steps(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return all else that a plan's event says."""
    left_out = (*_MEMBERS, "budgets", "backlog")
    rows = [
        {name: value for name, value in row.items() if name not in (*_BESIDE, *_OF_ROWS)}
        for row in data["backlog"]
    ]
    return {name: one for name, one in data.items() if name not in left_out} | {"backlog": rows}
