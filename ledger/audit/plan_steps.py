"""The steps around a planner, as the audit derives them: a second writing of what they read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger.audit.parameters import Parameters, digest_of
from ledger.events.policy_document import PlanStepsPart
from ledger.kernel.excess import PlanInputs, PlanResult
from ledger.kernel.plan_steps import StepInputs, SteppedPlan

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState

_MEMBERS = ("under_way", "steps", "steps_digest")
"""The members of a plan's event that tell its steps."""


def terms_of(parameters: Parameters) -> dict[str, Any] | None:
    """Return the steps that a policy version has, as it is stored; None for none."""
    found: dict[str, Any] | None = parameters.document["planning"].get("steps")
    return found


def step_inputs(
    fold: "LedgerState", parameters: Parameters, inputs: PlanInputs, as_of: int
) -> StepInputs:
    """Return what the steps of a plan read as of its horizon."""
    terms, models = terms_of(parameters), {model.id for model in inputs.models}
    return StepInputs(
        terms=None if terms is None else PlanStepsPart.model_validate(terms),
        under_way=len(models & fold.planning.tests.in_progress(as_of)),
    )


def after_steps(result: PlanResult, made: SteppedPlan) -> PlanResult:
    """Return a planner's result with the outcomes that the steps left."""
    rows = (replace(row, outcome=made.outcomes[row.id]) for row in result.backlog)
    return replace(result, backlog=tuple(rows), purse_left_micros=made.purse_left_micros)


def step_members(by: StepInputs, made: SteppedPlan) -> dict[str, Any]:
    """Return the members of a plan's event that tell its steps."""
    return {
        "under_way": by.under_way,
        "steps": [
            {
                "step": name,
                "changed": [
                    {"model": model, "before": before, "after": after}
                    for model, before, after in changed
                ],
            }
            for name, changed in made.changes
        ],
        "steps_digest": digest_of(_pinned(by)),
    }


def _pinned(by: StepInputs) -> Mapping[str, Any]:
    """Return what the digest of the steps is taken of, as their page lists it."""
    terms = by.terms
    return {
        "steps": None if terms is None else {"concurrency": terms.concurrency},
        "under_way": by.under_way,
    }


def steps_alone(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan's event says of its steps."""
    return {name: data[name] for name in _MEMBERS}


def without_steps(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return all else that a plan's event says."""
    return {name: value for name, value in data.items() if name not in _MEMBERS}
