"""Rules about jobs: each step may be taken, each verdict is what the evidence gives, none is left.

The rules about the versions that jobs deploy are in `job_versions.py`.
"""

from collections.abc import Iterator
from typing import Any, Final

from ledger.audit.assessor import policy_in_force
from ledger.audit.authority import judged_at
from ledger.audit.event import AuditedEvent
from ledger.audit.job_grounds import ground_of
from ledger.audit.ledger_state import LedgerState
from ledger.audit.observed_windows import observed_again
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.decisions import DECISION_TYPES
from ledger.events.job_parts import ForecastPart
from ledger.events.jobs import (
    FOLLOWING_TYPES,
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobApproved,
    JobCancelled,
    JobClosed,
    JobDenied,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobReturnOverdue,
    JobRolledBack,
)
from ledger.events.models import DESCRIBING, ModelDeployed
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.policy_document import JobsPart, RankedPlanningPart, ReusingPlanningPart
from ledger.events.recipe_document import GatePart
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import SECOND, parse_time
from ledger.jobs.forecast import forecast, margin_fault, margin_verdict
from ledger.jobs.grounds import PlanGround
from ledger.jobs.machine import Job
from ledger.jobs.moment import JobMoment
from ledger.jobs.policy_terms import (
    PlannerGate,
    PolicyTermsError,
    budget_fault,
    gates_under,
    planner_gate,
)
from ledger.jobs.recipes import use_fault
from ledger.jobs.steps import job_fault

_OF_LEASES: Final = (
    JobLeased.TYPE,
    JobLeaseExtended.TYPE,
    JobLeaseExpired.TYPE,
    JobGivenUp.TYPE,
    JobReturnOverdue.TYPE,
)
_OF_PEOPLE: Final = (JobApproved.TYPE, JobDenied.TYPE, JobCancelled.TYPE, JobClosed.TYPE)


def _labels(fold: LedgerState, model: str) -> dict[str, str]:
    """Return the labels of a model as it is described then, as far as that is known."""
    facts = fold.models.get(f"models/{model}")
    described = facts.described[-1][1] if facts is not None and facts.described else {}
    labels: dict[str, str] = described.get("labels", {})
    return labels


def step_fault(event: AuditedEvent, fold: LedgerState) -> str | Unchecked:
    """Return why an event of a job may not be; empty where it may."""
    job = fold.jobs.known.jobs.get(event.name)
    if job is not None and job.state == "unreadable":
        return Unchecked(fold.absences.reason(job.changed_at))
    at, state = judged_at(event, fold), fold.authority.state
    labels = {} if job is None else _labels(fold, job.model)
    decided_at = _decided_at(event, fold, job)
    now = fold.work_times(event)[1]
    moment = JobMoment(event.actor, now, min(decided_at, now), at, state, labels)
    if event.type == JobProposed.TYPE and (plan := event.known["plan"]) is not None:
        ground = ground_of(event, fold, plan)
        if not isinstance(ground, PlanGround):
            return ground
        moment = moment._replace(ground=ground)
    if event.known["job"] != event.name:
        return f"it names job {event.known['job']}"
    is_first = event.type not in {*FOLLOWING_TYPES, JobRolledBack.TYPE}
    if job is not None and is_first and event.cause != job.changed_at:
        return f"it cites position {event.cause}, and the job's last event is {job.changed_at}"
    if job is not None and event.run_id != job.run_id:
        return f"it belongs to run {event.run_id}, and the job to {job.run_id}"
    fault = job_fault(fold.jobs.known, event.name, event.type, event.known, moment)
    if fault and job is not None and event.known.get("role"):  # held by labels that may be gone
        facts = fold.models.get(f"models/{job.model}")
        gone = {} if facts is None else facts.gone_by_type
        missed = fold.absences.missed_of(gone, DESCRIBING, event.position - 1)
        return Unchecked(missed) if missed else fault
    return fault


def _decided_at(event: AuditedEvent, fold: LedgerState, job: Job | None) -> int:
    """Return the earliest time at which an event may have been decided.

    The time of a ledger of data may rise by any span between that and the record: it is no earlier
    than the lease of a job, or else its newest event.
    """
    if fold.clock != "data":
        return judged_at(event, fold)
    if job is None:
        return fold.newest_observed_at
    if job.lease is not None:
        return job.lease.since
    moment = fold.moments.at(job.changed_at)
    return 0 if moment is None else moment.newest


@rule("jobs.proposed", JobProposed.TYPE)
def jobs_proposed(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job has the gates and limits of an approved recipe, and a plan or a person as ground."""
    data = event.known
    if fault := step_fault(event, fold):
        return fault
    recipe, version = data["recipe"], data["recipe_version"]
    if fault := use_fault(fold.recipes.shelf, recipe, version, data["recipe_digest"]):
        return fault
    terms = fold.jobs.terms(recipe, version)
    if terms is None:
        return Unchecked("the document of its recipe is not there")
    asked = _asked_by_policy(event, fold)
    if isinstance(asked, str | Unchecked):
        return asked
    return _terms_fault(data, terms, *asked) or _ground_fault(event, fold)


def _asked_by_policy(
    event: AuditedEvent, fold: LedgerState
) -> tuple[JobsPart | None, PlannerGate | None] | str | Unchecked:
    """Return what the policy in force asks of a job, or what is wrong with the one it names.

    Its part for jobs, and the gate of its planner.
    """
    data, facts = event.known, fold.models.get(f"models/{event.known['model']}")
    if facts is None or facts.description(event.position - 1) is None:
        return Unchecked("the model is not described there")
    expected = policy_in_force(fold, facts, event.position - 1)
    named = data["policy"], data["policy_version"]
    if named != ((None, None) if expected is None else expected[:2]):
        if fold.gone.lacks(ACTIVATED_TYPES):
            return Unchecked("a body is not there that may bring a policy into force")
        shown = "none" if expected is None else f"{expected[0]} version {expected[1]}"
        return f"it names policy {named[0]} version {named[1]}, and in force was {shown}"
    if expected is None:
        return None, None
    parameters = fold.parameters(*expected)
    if parameters is None:
        return Unchecked("the document of its policy is not there")
    part = parameters.document.get("jobs")
    planning = parameters.document["planning"]
    gate = None
    if planning is not None and "gate_ppm" in planning:
        kind = RankedPlanningPart if "ranking" in planning else ReusingPlanningPart
        gate = planner_gate(kind.model_validate(planning))
    return None if part is None else JobsPart.model_validate(part), gate


def _terms_fault(
    data: dict[str, Any],
    terms: dict[str, Any],
    asked: JobsPart | None,
    planned: PlannerGate | None,
) -> str:
    """Return which terms of a job are not those of its recipe under the policy in force."""
    version = f"version {data['recipe_version']} of {data['recipe']}"
    try:
        gates = gates_under(
            [GatePart.model_validate(one) for one in terms["gates"]],
            asked,
            planned,
            is_of_plan=data["plan"] is not None,
        )
    except PolicyTermsError as error:
        return str(error)
    expected = terms | {"gates": [one.model_dump(mode="json") for one in gates]}
    for name, stated in expected.items():
        if data[name] != stated:
            return f"its {name} are not those of {version} under the policy in force"
    roles = [] if asked is None else [one.model_dump(mode="json") for one in asked.approvals]
    return "" if data["roles"] == roles else "its roles are not those that the policy asks for"


def _ground_fault(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Return what is wrong with the plan and the decision that a job names."""
    data = event.known
    plan = fold.jobs.plans.get(data["plan"] or 0)
    if plan is not None and data["model"] not in plan.admitted:
        return f"the plan at position {data['plan']} did not admit model {data['model']}"
    facts = fold.models.get(f"models/{data['model']}")
    if facts is None or facts.retired_at:
        return f"model {data['model']} is not in the fleet"
    if facts.gone_by_type.keys() & {*DECISION_TYPES, ModelDeployed.TYPE}:
        return Unchecked("the body of a decision or deployment of the model is not there")
    try:
        decided = facts.in_force(event.position - 1)
    except LookupError as error:
        return Unchecked(str(error))
    is_action = decided is not None and decided.data["action"] != "NO_ACTION"
    expected = decided.position if decided is not None and is_action else None
    if data["decision"] != expected:
        return f"it names a decision at {data['decision']}, and the one in force is at {expected}"
    return None


@rule("jobs.forecast", JobProposed.TYPE)
def jobs_forecast(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job states the forecast that the jobs before it give, and is worth it by its policy."""
    data = event.known
    if any(one.state == "unreadable" for one in fold.jobs.known.jobs.values()):
        return Unchecked("the body of an event of a job is not there")
    plan = data["plan"]
    if plan is not None and plan not in fold.jobs.plans:
        return Unchecked("the body of its plan is not there")
    benefit = None if plan is None else fold.jobs.plans[plan].admitted.get(data["model"])
    expected = data["expected"]
    facts = fold.models.get(f"models/{data['model']}")
    described = None if facts is None else facts.description(event.position - 1)
    if described is None:
        return Unchecked("the model is not described there")
    is_money = expected["unit"] == fold.unit_of_cost
    if data["unit_value_micros"] != (described["unit_value_micros"] if is_money else None):
        return "the value of a unit of its model's loss is not that of the model"
    made = forecast(
        fold.jobs.known.worked(),
        data["model"],
        int(expected["cost_micros"]),
        benefit if expected["unit"] == fold.unit_of_cost else None,
    )
    if data["forecast"] != made.model_dump(mode="json"):
        return "its forecast is not what the jobs that were over give"
    return _margin_fault(event, fold, made) or None


def _margin_fault(event: AuditedEvent, fold: LedgerState, made: ForecastPart) -> str:
    """Return why a job is not worth it by its policy, or says of the margin what is not so."""
    asked = _asked_by_policy(event, fold)
    if isinstance(asked, str | Unchecked):
        return ""  # another rule's finding
    margin = None if asked[0] is None else asked[0].margin_ppm
    if fault := margin_fault(made, margin):
        return fault
    said, expected = event.known["margin"], margin_verdict(made, margin)
    return "" if said == expected else f"it says {said} of its policy's margin, and is {expected}"


@rule("jobs.paid", JobProposed.TYPE)
def jobs_paid(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job has a budget where the policy in force for its model has no job without one."""
    asked = _asked_by_policy(event, fold)
    if isinstance(asked, str | Unchecked):
        return None  # another rule's finding
    return budget_fault(asked[0], event.known["model"], event.known["budget"]) or None


@rule("jobs.steps", *_OF_PEOPLE)
def jobs_steps(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job is approved by others than its proposer for its newest evidence, and ends once."""
    return step_fault(event, fold) or None


@rule("jobs.leases", *_OF_LEASES)
def jobs_leases(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """One executor at a time has a job, by the next token, until it gives it up or time is over.

    A return is called overdue once no executor has taken it up for as long as a lease lasts.
    """
    return step_fault(event, fold) or _short_fault(event, fold)


def _short_fault(event: AuditedEvent, fold: LedgerState) -> str | None:
    """Return why a lease is shorter than its job has it; times of data may move meanwhile."""
    job = fold.jobs.known.jobs.get(event.name)
    if fold.clock != "wall" or job is None or "expires_at" not in event.known:
        return None
    seconds = job.proposed["limits"]["lease_seconds"]
    is_short = parse_time(event.known["expires_at"]) < judged_at(event, fold) + seconds * SECOND
    return f"it would not last the {seconds} seconds of its recipe" if is_short else None


@rule("jobs.environments", JobEnvironmentRecorded.TYPE)
def jobs_environments(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An environment is recorded whole, once, by the holder of the lease, for the next gate."""
    return step_fault(event, fold) or None


@rule("gates.reported", GateReported.TYPE)
def gates_reported(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Evidence is of the next gate, under the newest token; a job without a use left has ended."""
    return step_fault(event, fold) or None


@rule("gates.judged", GateJudged.TYPE)
def gates_judged(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A verdict is what the job's own criteria give for the evidence right before it."""
    return step_fault(event, fold) or None


@rule("gates.observed", GateJudged.TYPE)
def gates_observed(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A verdict on a version in service rests on what the ledger holds of its window, all of it."""
    job = fold.jobs.known.jobs.get(event.name)
    if job is None or job.state != "observing" or not event.known["observed"]:
        return None  # another rule's business
    expected = observed_again(fold, job, event.position - 1)
    for stated, counted in zip(event.known["observed"], expected, strict=False):
        differing = sorted(name for name in counted if stated[name] != counted[name])
        if differing:
            facts = fold.models.get(f"models/{job.model}")
            if facts is not None and facts.newest_gone(OBSERVED_TYPES, event.position):
                return Unchecked("the body of an observation of the model is not there")
            name = differing[0]
            return (
                f"it says that {name} of {stated['signal']} is {stated[name]}, and the ledger's "
                f"observations give {counted[name]}"
            )
    return None


def _missing(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.jobs.missing()


@rule("jobs.due", *sorted(FOLLOWING_TYPES), needs_data=False, finish=_missing)
def jobs_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Right behind a report is its verdict, and behind the event that ends a job is its end."""
    job = fold.jobs.known.jobs.get(event.name)
    is_alone = event.type == GateJudged.TYPE and job is not None and job.state == "observing"
    if is_alone or fold.jobs.owing(event):
        return None
    return "the event right before it does not ask for it"


def _overdue(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("jobs.time")


@rule("jobs.time", *sorted(JOB_TYPES), needs_data=False, finish=_overdue)
def jobs_time(_event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Each lease that ran out is taken up, each observation judged, each late return called so.

    And each job lapses of which nothing is left to do.
    """
    return None
