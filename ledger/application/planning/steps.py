"""The steps around a planner: what they read, gathered from the ledger, and what they changed."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from ledger.application.planning.fleet_reading import FleetReading
from ledger.events.canonical import encode
from ledger.events.plans import PlanStepPart, StepChangePart
from ledger.events.policy_document import PlanningPart, PlanStepsPart, ReusingPlanningPart
from ledger.kernel.excess import PlanInputs, PlanResult
from ledger.kernel.plan_steps import StepInputs, SteppedPlan, stepped


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one plan."""

    inputs: StepInputs
    made: SteppedPlan

    def result(self, planned: PlanResult) -> PlanResult:
        """Return what a planner made of a fleet, as the steps left it."""
        backlog = tuple(replace(row, outcome=self.made.outcomes[row.id]) for row in planned.backlog)
        return replace(planned, backlog=backlog, purse_left_micros=self.made.purse_left_micros)

    def members(self) -> dict[str, Any]:
        """Return what the event of a plan says of them."""
        return {
            "under_way": self.inputs.under_way,
            "steps": [
                PlanStepPart(
                    step=name,
                    changed=[StepChangePart(**one._asdict()) for one in changed],
                )
                for name, changed in self.made.changes
            ],
            "steps_digest": steps_digest(self.inputs),
        }


def steps_of(
    planning: PlanningPart, fleet: FleetReading, inputs: PlanInputs, planned: PlanResult
) -> Steps:
    """Return the steps of a plan, by the planning part of its policy."""
    models = {model.id for model in inputs.models}
    by = StepInputs(terms=step_terms(planning), under_way=len(fleet.tests.in_progress() & models))
    return Steps(by, stepped(inputs, planned, by))


def step_terms(planning: PlanningPart | None) -> PlanStepsPart | None:
    """Return the steps that a policy has; None for none."""
    return planning.steps if isinstance(planning, ReusingPlanningPart) else None


def steps_digest(by: StepInputs) -> str:
    """Return SHA-256 over the canonical JSON of every input of the steps, in hex."""
    document = {
        "steps": None if by.terms is None else by.terms.model_dump(),
        "under_way": by.under_way,
    }
    return hashlib.sha256(encode(document)).hexdigest()
