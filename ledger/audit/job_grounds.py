"""A plan as the ground of a job, as the audit reads it at the job's proposal."""

from ledger.audit.assessor import parameters_in_force
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked
from ledger.events.plans import PLAN_TYPES
from ledger.events.values import SECOND
from ledger.jobs.grounds import PlanGround


def ground_of(event: AuditedEvent, fold: LedgerState, plan: int) -> PlanGround | str | Unchecked:
    """Return the plan that a job names as it counts there, or why it is none."""
    known, facts = fold.jobs.plans.get(plan), fold.models.get(f"models/{event.known['model']}")
    if known is None:
        if fold.gone.lacks(PLAN_TYPES):
            return Unchecked("the body of a plan is not there")
        return f"no plan is at position {plan}"
    parameters = fold.parameters(*known.policy)
    if parameters is None:
        return Unchecked("the document of its plan's policy is not there")
    planning = parameters.document["planning"]
    counted = known.counted.get(event.known["model"])
    steps = planning.get("steps") or {}
    if counted is not None and not steps.get("budgets"):
        counted = counted._replace(budget=None)
    trained = [one.position for one in facts.deployments if one.is_trained] if facts else []
    return PlanGround(
        position=plan,
        as_of=known.as_of,
        made_at=known.made_at,
        policy=known.policy[0],
        counts_for=planning["period_seconds"] * SECOND,
        concurrency=steps.get("concurrency"),
        models=known.models,
        newest=fold.jobs.newest_plan[known.policy[0]],
        activated=fold.jobs.activated,
        trained=max(trained, default=0),
        described=facts.described[-1][0] if facts and facts.described else 0,
        bounded_by=_bounding(event, fold),
        counted=counted,
        unit=fold.unit_of_cost,
        lacks_decision=planning["candidates"] == "decided" and not _is_decided(event, fold),
    )


def _bounding(event: AuditedEvent, fold: LedgerState) -> str:
    """Return the policy in force for a job's model where it has steps; "" where it has not."""
    facts = fold.models.get(f"models/{event.known['model']}")
    parameters = parameters_in_force(fold, facts, event.position - 1)
    planning = None if parameters is None else parameters.document["planning"]
    return parameters.policy if parameters and planning and planning.get("steps") else ""


def _is_decided(event: AuditedEvent, fold: LedgerState) -> bool:
    """Whether the retraining of a job's model is in force, or may be: a body may be gone."""
    facts = fold.models.get(f"models/{event.known['model']}")
    try:
        decided = None if facts is None else facts.in_force(event.position - 1)
    except LookupError:
        return True
    return decided is not None and decided.data["action"] == "SCHEDULE_RETRAINING"
