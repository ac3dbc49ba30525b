"""Advice on the steps around a planner: those that bound nothing, or leave nothing to admit."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ledger.application.policies.problems import Code
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import duration, listed
from ledger.events.policy_document import PlanStepsPart, PolicyDocument, ReusingPlanningPart
from ledger.events.values import PPM

_AT: Final = "planning.steps"
_SHOWN: Final = 10


class PlannedModels(NamedTuple):
    """The models of the ledger that are not retired, as steps bound them."""

    teams: frozenset[str]
    """Their owners."""
    is_paid: bool
    """Whether a budget in the unit of plans pays for any of them."""
    are_tests_paid: bool
    """Whether one of those can have money for tests of candidates."""


Planned = Callable[[], PlannedModels]


class _Doubt(NamedTuple):
    path: str
    code: Code
    message: str
    remedy: str


def lint_steps(reading: PolicyReading, document: PolicyDocument, planned: Planned | None) -> None:
    """Warn of steps that do not do what a person may think; `planned` None: no ledger is known."""
    planning = document.planning
    if not isinstance(planning, ReusingPlanningPart) or planning.steps is None:
        return
    doubts = [
        *_short_spans(planning.steps, planning.period_seconds),
        *_of_none(document, planning.steps),
        *([] if planned is None else _without_models(planning, planning.steps, planned())),
    ]
    for one in doubts:
        reading.report(f"{_AT}.{one.path}", one.code, one.message, one.remedy, "warning")


def _short_spans(steps: PlanStepsPart, period: int) -> Iterator[_Doubt]:
    """Yield spans that are over before the next period is planned."""
    at_most = None if steps.at_most is None else steps.at_most.per_seconds
    spans = (
        ("cool_down", steps.cool_down_seconds),
        ("at_most.per", at_most),
        ("guaranteed_after", steps.guaranteed_after_seconds),
    )
    for path, seconds in spans:
        if seconds is not None and seconds < period:
            message = f"is shorter than a period of planning, {duration(period)}"
            remedy = "It is over before the next period is planned: lengthen it, or leave it out."
            yield _Doubt(path, "STEP_BELOW_PERIOD", message, remedy)


def _of_none(document: PolicyDocument, steps: PlanStepsPart) -> Iterator[_Doubt]:
    """Yield what leaves nothing to admit, and a reserve that is for no decision."""
    for index, one in enumerate(steps.team_shares):
        if one.share_ppm == 0:
            remedy = "Give it a share, or take its models out of the scope of the policy."
            message = f"no model of {one.team} is ever admitted"
            yield _Doubt(f"team_shares[{index}].share", "STEP_ADMITS_NOTHING", message, remedy)
    if steps.tier_reserve_ppm is None:
        return
    if steps.tier_reserve_ppm == PPM:
        message = "nothing is admitted below the top tier"
        remedy = "Keep less than `100%`."
        yield _Doubt("tier_reserve", "STEP_ADMITS_NOTHING", message, remedy)
    decision = document.decision
    used = {decision.otherwise_tier, decision.error_tier, *(one.tier for one in decision.rules)}
    top = document.tiers[-1].name if document.tiers else ""
    if top not in used:
        named = f"the top tier, {top!r}" if top else "a tier, and the policy has none"
        message = f"money is kept for {named}; no decision of this policy is at it"
        remedy = "Let a rule lead to the last of `tiers`, or keep nothing."
        yield _Doubt("tier_reserve", "STEP_FOR_NONE", message, remedy)


def _without_models(
    planning: ReusingPlanningPart, steps: PlanStepsPart, planned: PlannedModels
) -> Iterator[_Doubt]:
    """Yield shares of teams without a model, and budgets that pay for no model or no test."""
    for index, one in enumerate(steps.team_shares):
        if one.team not in planned.teams:
            message = f"no model of the ledger is owned by {one.team!r}"
            remedy = (
                "Write a team as models name their owner; they are owned by "
                f"{listed(sorted(planned.teams)[:_SHOWN])}."
                if planned.teams
                else "The ledger has no model, or all are retired: register one, `decision-ledger "
                "model register MODEL --owner TEAM …`."
            )
            yield _Doubt(f"team_shares[{index}].team", "STEP_FOR_NONE", message, remedy)
    if steps.budgets and not planned.is_paid:
        message = "no budget in the ledger's unit of cost pays for any model"
        remedy = "It bounds nothing until one does: `decision-ledger budget set`."
        yield _Doubt("budgets", "STEP_FOR_NONE", message, remedy)
    elif steps.budgets and planning.probe_ppm and not planned.are_tests_paid:
        message = "each job has a test, and no budget that pays for a model has money for tests"
        remedy = (
            "Give one an envelope for tests, `decision-ledger budget set --tests AMOUNT`, or plan "
            "without tests: `probe: 0%`."
        )
        yield _Doubt("budgets", "STEP_ADMITS_NOTHING", message, remedy)
