"""The terms of a policy for jobs, beside those of recipes: approvals first, criteria at gates.

The service asks it before a job is proposed, and the auditor asks it again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Final

from ledger.events.gate_names import GateName
from ledger.events.policy_document import (
    JobsPart,
    PlanningPart,
    PolicyCriterionPart,
    PolicyDocument,
    ReusingPlanningPart,
)
from ledger.events.recipe_document import CriterionPart, GatePart
from ledger.events.values import PPM
from ledger.limits import CRITERIA_MAX
from ledger.rules.expressions import ExpressionError
from ledger.rules.gates import compile_criterion, declared_by

_CANDIDATE: Final[GateName] = "candidate"


class PolicyTermsError(ValueError):
    """A recipe's gates cannot be judged by what the policy asks; says why, without a full stop."""


def jobs_part(document: PolicyDocument | None) -> JobsPart | None:
    """Return what a policy asks of jobs; None where it asks for nothing, or none is in force."""
    found = getattr(document, "jobs", None)
    return found if isinstance(found, JobsPart) else None


@dataclass(frozen=True, slots=True)
class PlannerGate:
    """How much more than the version in service a candidate may lose by a policy's planner."""

    loss_signal: str
    gate_ppm: int

    def criterion(self, gates: Sequence[GatePart]) -> list[PolicyCriterionPart]:
        """Return the criterion that judges it, in a list.

        Empty where no gate `candidate` compares versions by a metric of the signal's name.
        """
        compared = [one for gate in gates if gate.gate == _CANDIDATE for one in gate.metrics]
        if not any((one.name, one.of) == (self.loss_signal, "versions") for one in compared):
            return []
        common = gcd(PPM, PPM + self.gate_ppm)
        own, other = PPM // common, (PPM + self.gate_ppm) // common
        name = self.loss_signal
        return [
            PolicyCriterionPart(
                gate=_CANDIDATE,
                name="planner-gate",
                when=f'candidate["{name}"] * {own} < champion["{name}"] * {other}',
                rationale="The gate of the planner, as the policy has it.",
            )
        ]


def budget_fault(asked: JobsPart | None, model: str, budget: str | None) -> str:
    """Return why a job cannot be without a budget; empty where it has one, or needs none."""
    if budget is not None or asked is None or asked.budget == "optional":
        return ""
    return f"no budget pays for jobs of model {model}, and its policy has no job without one"


def planner_gate(planning: PlanningPart | None) -> PlannerGate | None:
    """Return the gate of a policy's planner; None where it has none, or makes no tests."""
    if not isinstance(planning, ReusingPlanningPart) or not planning.probe_ppm:
        return None
    return PlannerGate(planning.loss_signal, planning.gate_ppm)


def gates_under(
    gates: Sequence[GatePart],
    asked: JobsPart | None,
    planned: PlannerGate | None,
    *,
    is_of_plan: bool,
) -> list[GatePart]:
    """Return the gates of a recipe with the criteria of a policy and its planner behind their own.

    PolicyTermsError where the recipe lacks a gate, or a number that a criterion reads. The planner
    has the candidate of each job tested that is of a plan, unless the policy says otherwise.
    """
    is_tested = any(gate.gate == _CANDIDATE for gate in gates)
    is_asked = asked is None or asked.candidate_test == "required"
    if is_of_plan and planned is not None and is_asked and not is_tested:
        raise PolicyTermsError(
            "the planner of the policy has the candidate of each planned job tested, and the "
            f"recipe has no gate {_CANDIDATE}"
        )
    by_planner = [] if planned is None else planned.criterion(gates)
    criteria = [*([] if asked is None else asked.criteria), *by_planner]
    for one in criteria:
        if all(gate.gate != one.gate for gate in gates):
            raise PolicyTermsError(
                f"the policy has the criterion {one.name} for the gate {one.gate}, and the recipe "
                "has no such gate"
            )
    return [_joined(gate, criteria) for gate in gates]


def _joined(gate: GatePart, criteria: Iterable[PolicyCriterionPart]) -> GatePart:
    added = [
        CriterionPart(name=one.name, when=one.when, rationale=one.rationale)
        for one in criteria
        if one.gate == gate.gate
    ]
    declared, own = declared_by(gate), {one.name for one in gate.criteria}
    for one in added:
        if one.name in own:
            raise PolicyTermsError(
                f"the policy and the recipe both have a criterion {one.name} at {gate.gate}"
            )
        try:
            compile_criterion(one.when, declared)
        except ExpressionError as error:
            raise PolicyTermsError(
                f"the criterion {one.name} of the policy does not fit the recipe's gate "
                f"{gate.gate}: {error.message}"
            ) from error
    if len(gate.criteria) + len(added) > CRITERIA_MAX:
        raise PolicyTermsError(
            f"the gate {gate.gate} would have {len(gate.criteria) + len(added)} criteria, and "
            f"{CRITERIA_MAX} are the most"
        )
    return gate.model_copy(update={"criteria": [*gate.criteria, *added]}) if added else gate
