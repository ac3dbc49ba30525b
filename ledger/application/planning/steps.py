"""The steps around a planner: what they read, gathered from the ledger, and what they changed."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ledger.application.fleet.history import History
from ledger.application.planning.fleet_reading import ActionInForce, FleetReading
from ledger.events.canonical import encode
from ledger.events.notation import duration, time
from ledger.events.plans import (
    PlanBudgetPart,
    PlannedFleet,
    PlanStepPart,
    StepChangePart,
    SteppedRowPart,
)
from ledger.events.policy_document import PlanningPart, PlanStepsPart, ReusingPlanningPart
from ledger.events.values import SECOND, format_time, parse_time
from ledger.jobs.budgets import Budget, refilled
from ledger.jobs.money import JOBS, TESTS
from ledger.kernel.excess import PlanInputs, PlanResult, need_of, newest_errors
from ledger.kernel.plan_steps import BudgetLeft, StepFacts, StepInputs, SteppedPlan, stepped
from ledger.kernel.ranking import Ranked


class PlanBefore(NamedTuple):
    """The plan of an earlier period from which a plan goes on."""

    position: int
    made: PlannedFleet

    def losing(self, fleet: FleetReading) -> dict[str, int]:
        """Return since when each model lost up to that plan that had no job since."""
        had_one = fleet.tests.proposed_after(self.position)
        return {
            row.model: parse_time(row.losing_since)
            for row in self.made.backlog
            if isinstance(row, SteppedRowPart) and row.losing_since and row.model not in had_one
        }


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one plan."""

    inputs: StepInputs
    made: SteppedPlan
    budgets: tuple[PlanBudgetPart, ...]
    errors: Mapping[str, int]
    """The newest error of each model that was observed."""
    tests: Mapping[str, int]
    """The cost of each model's test."""

    def result(self, planned: PlanResult) -> PlanResult:
        """Return what a planner made of a fleet, as the steps left it."""
        rows = {row.id: row for row in planned.backlog}
        backlog = tuple(
            replace(rows[model], outcome=outcome) for model, outcome in self.made.outcomes.items()
        )
        return replace(planned, backlog=backlog, purse_left_micros=self.made.purse_left_micros)

    def row(self, model: str) -> dict[str, Any]:
        """Return what the row of a model says of the steps."""
        since = self.made.losing.get(model)
        error = self.errors.get(model)
        return _facts(model, self.inputs) | {
            "error": None if error is None else str(error),
            "test_micros": str(self.tests[model]),
            "losing_since": None if since is None else format_time(since),
        }

    def turn(self, model: str) -> str:
        """Return the sentence of a model whose turn was guaranteed; empty for any other."""
        terms, since = self.inputs.terms, self.inputs.models[model].losing_since
        if model != self.made.guaranteed or terms is None or since is None:
            return ""
        span = duration(terms.guaranteed_after_seconds or 0)
        return f" It comes first: it has lost since {time(since)}, longer than {span}."

    def members(self) -> dict[str, Any]:
        """Return what the event of a plan says of them."""
        return {
            "ranking": self.inputs.ranked.by,
            "under_way": self.inputs.under_way,
            "budgets": list(self.budgets),
            "steps": [
                PlanStepPart(
                    step=name,
                    changed=[StepChangePart(**one._asdict()) for one in changed],
                )
                for name, changed in self.made.changes
            ],
            "steps_digest": steps_digest(self.inputs, self.budgets),
        }


def steps_of(
    policy: str,
    planning: PlanningPart,
    fleet: FleetReading,
    described: Mapping[str, tuple[History, ActionInForce]],
    inputs: PlanInputs,
    ranked: Ranked,
    made: tuple[PlanResult, PlanBefore | None],
) -> Steps:
    """Return the steps of a plan by a policy, by the planning part of that.

    `described`: each model with the action that counts for it. `made`: what the planner made, and
    the plan before.
    """
    planned, before = made
    terms = planning.steps if isinstance(planning, ReusingPlanningPart) else None
    losing = {} if before is None else before.losing(fleet)
    facts = dict(_read(fleet, described, terms, losing))
    named = {one.budget for one in facts.values()}
    known = [
        (name, refilled(budget, fleet.made_at))
        for name, budget in sorted(fleet.budgets.items())
        if name in named
    ]
    by = StepInputs(
        terms=terms,
        ranked=ranked,
        made_at=fleet.made_at,
        under_way=fleet.tests.under_way(policy, facts),
        models=facts,
        budgets={name: _left(budget) for name, budget in known},
    )
    budgets = tuple(_told(budget) for _, budget in known)
    tests = {one.id: need_of(one, inputs.policy) - one.cost_micros for one in inputs.models}
    return Steps(by, stepped(inputs, planned, by), budgets, newest_errors(inputs), tests)


def _read(
    fleet: FleetReading,
    described: Mapping[str, tuple[History, ActionInForce]],
    terms: PlanStepsPart | None,
    losing: Mapping[str, int],
) -> Iterator[tuple[str, StepFacts]]:
    at_most = None if terms is None else terms.at_most
    over = fleet.tests.over_since()
    recent = fleet.tests.recent(fleet.made_at - at_most.per_seconds * SECOND) if at_most else None
    for model, (history, in_force) in described.items():
        budget = fleet.budget_of(history.described)
        retrained = [
            one.in_service_at
            for one in history.deployments
            if one.is_trained and one.in_service_at <= fleet.made_at
        ]
        since = max([*retrained, *([over[model]] if model in over else [])], default=None)
        yield (
            model,
            StepFacts(
                team=history.described.owner,
                is_top_tier=in_force.is_top_tier,
                budget=None if budget is None else budget.name,
                recent_jobs=None if recent is None else recent[model],
                idle_since=since,
                losing_since=losing.get(model),
            ),
        )


def _left(budget: Budget) -> BudgetLeft:
    jobs, tests = budget.envelopes[JOBS], budget.envelopes[TESTS]
    return BudgetLeft(
        budget.name, jobs.free_micros, budget.reserve_micros, jobs.cap_micros,
        tests.free_micros, tests.cap_micros,
    )  # fmt: skip


def _told(budget: Budget) -> PlanBudgetPart:
    jobs, tests = budget.envelopes[JOBS], budget.envelopes[TESTS]
    return PlanBudgetPart(
        budget=budget.name,
        free_micros=str(jobs.free_micros),
        kept_micros=str(budget.reserve_micros),
        cap_micros=str(jobs.cap_micros),
        reserved_micros=str(budget.reserved_micros(JOBS)),
        spent_micros=str(jobs.spent_micros),
        tests_free_micros=str(tests.free_micros),
        tests_cap_micros=str(tests.cap_micros),
        tests_reserved_micros=str(budget.reserved_micros(TESTS)),
        tests_spent_micros=str(tests.spent_micros),
    )


def _facts(model: str, by: StepInputs) -> dict[str, Any]:
    one, worth = by.models[model], by.ranked.worths.get(model)
    return {
        "team": one.team,
        "is_top_tier": one.is_top_tier,
        "budget": one.budget,
        "recent_jobs": one.recent_jobs,
        "idle_since": None if one.idle_since is None else format_time(one.idle_since),
        "priority": by.ranked.priorities.get(model),
        "forecast_benefit_micros": None if worth is None else str(worth.benefit_micros),
        "forecast_cost_micros": None if worth is None else str(worth.cost_micros),
        "losing_since": None if one.losing_since is None else format_time(one.losing_since),
    }


def steps_digest(by: StepInputs, budgets: Sequence[PlanBudgetPart]) -> str:
    """Return SHA-256 over the canonical JSON of every input of the steps, in hex."""
    document = {
        "budgets": [one.model_dump() for one in budgets],
        "models": [{"model": model, **_facts(model, by)} for model in sorted(by.models)],
        "ranking": by.ranked.by,
        "steps": None if by.terms is None else by.terms.model_dump(),
        "under_way": by.under_way,
    }
    return hashlib.sha256(encode(document)).hexdigest()
