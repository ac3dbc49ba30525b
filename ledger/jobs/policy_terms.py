"""The terms of a policy for jobs, beside those of recipes: approvals first, criteria at gates.

The service asks it before a job is proposed, and the auditor asks it again.
"""

from collections.abc import Iterable, Sequence

from ledger.events.policy_document import JobsPart, PolicyCriterionPart, PolicyDocument
from ledger.events.recipe_document import CriterionPart, GatePart
from ledger.limits import CRITERIA_MAX
from ledger.rules.expressions import ExpressionError
from ledger.rules.gates import compile_criterion, declared_by


class PolicyTermsError(ValueError):
    """A recipe's gates cannot be judged by what the policy asks; says why, without a full stop."""


def jobs_part(document: PolicyDocument | None) -> JobsPart | None:
    """Return what a policy asks of jobs; None where it asks for nothing, or none is in force."""
    found = getattr(document, "jobs", None)
    return found if isinstance(found, JobsPart) else None


def gates_under(gates: Sequence[GatePart], asked: JobsPart | None) -> list[GatePart]:
    """Return the gates of a recipe with the criteria of a policy behind their own.

    PolicyTermsError where the recipe lacks a gate, or a number that a criterion reads.
    """
    if asked is None:
        return list(gates)
    for one in asked.criteria:
        if all(gate.gate != one.gate for gate in gates):
            raise PolicyTermsError(
                f"the policy has the criterion {one.name} for the gate {one.gate}, and the recipe "
                "has no such gate"
            )
    return [_joined(gate, asked.criteria) for gate in gates]


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
