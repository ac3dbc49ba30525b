"""Which event of a job may come next; `conclusions` says which must come right behind another.

`job_fault` says why an event may not be, with what the job is at: the service asks before it
appends, the auditor asks again. A fault is a sentence without its full stop.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ledger.authority.state import Subject
from ledger.events.budgets import MICROS_MAX
from ledger.events.cases import GOVERNOR
from ledger.events.environment import EnvironmentPart, environment_fault
from ledger.events.gate_names import GATES
from ledger.events.job_parts import ObservedSignalPart
from ledger.events.jobs import (
    GateJudged,
    GateReported,
    JobApproved,
    JobCancelled,
    JobClosed,
    JobDenied,
    JobDeployed,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobReturnOverdue,
    JobRolledBack,
)
from ledger.events.notation import time
from ledger.events.recipe_document import GatePart
from ledger.events.values import SECOND, format_time, parse_time
from ledger.governance.requirements import holds, person_of
from ledger.jobs.changes import Data, missing_approvals
from ledger.jobs.conclusions import closing, evidence_of, observed_until, verdict
from ledger.jobs.grounds import ground_fault, money_fault
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.moment import JobMoment
from ledger.jobs.windows import window_fault
from ledger.rules.gates import NUMBER_MAX, report_fault

TRAINING: Final = "training"
SKEW_MICROS: Final = 300 * SECOND
"""By how much the clock of an executor may be behind."""
_NO_LEASE: Final = "no lease of it was given"
_NO_GATE: Final = "it has no gate more"
_WORDS: Final = {
    "proposed": "waits for approvals before it may begin",
    "ready": "waits for an executor",
    "leased": "is leased to an executor",
    "judging": "waits for the verdict on its report",
    "deploying": "waits for the record of its deployment",
    "awaiting_approval": "waits for approvals before it may be deployed",
    "observing": "is deployed and observed",
    "rolling_back": "waits for an executor that takes it back",
    "closing": "is over",
    "closed": "is over",
    "unreadable": "has an event whose body is gone",
}


def job_fault(jobs: Jobs, name: str, type_: str, data: Data, moment: JobMoment) -> str:
    """Return why an event of a job may not be; empty where it may."""
    job = jobs.jobs.get(name)
    if type_ == JobProposed.TYPE:
        return _proposal_fault(jobs, name, data, moment)
    if job is None:
        return f"no job {name} was proposed"
    states, judge_step = _STEPS[type_]
    if job.state not in states:
        return f"the job {_WORDS[job.state]}{'' if not job.why else ': ' + job.why.rstrip('.')}"
    return judge_step(jobs, job, data, moment)


# ---- people --------------------------------------------------------------------------------------


def _proposal_fault(jobs: Jobs, name: str, data: Data, moment: JobMoment) -> str:
    if name in jobs.jobs:
        return f"a job {name} was proposed before"
    if (open_ := jobs.open_of(data["model"])) is not None:
        return f"job {open_.name} of model {data['model']} is not over"
    if data["budget"] is None and data["reserved_micros"] != "0":
        return "it reserves an amount of no budget"
    spent = next((fault for gate in data["gates"] if (fault := jobs.holdouts.fault(gate))), "")
    return spent or _ground_fault(jobs, data, moment) or _order_fault(data)


def _ground_fault(jobs: Jobs, data: Data, moment: JobMoment) -> str:
    """Return why a job cannot be proposed by this actor, or not for this plan."""
    model, plan = data["model"], data["plan"]
    if plan is None:
        if not moment.actor.startswith("users/"):
            return f"{moment.actor} is not a person, and no plan admitted it"
        if not data["reason"].strip():
            return "no plan admitted it, and it gives no reason"
        return "" if data["approvals"] else "no plan admitted it, and it asks for no approval"
    if moment.ground is None:
        return f"no plan at position {plan} is known"
    stale = ground_fault(moment.ground, jobs, model, moment.decided_at)
    return stale or money_fault(moment.ground, data)


def _order_fault(data: Data) -> str:
    names = [one["gate"] for one in data["gates"]]
    places = [GATES.index(one) for one in names]
    if sorted(set(places)) != places:
        return "its gates are not in their order"
    if "observation" in names and "deployment" not in names:
        return "it observes a version that it does not deploy"
    return ""


def _approval_fault(jobs: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if fault := _stage_fault(jobs, job, data, moment) or _seen_fault(job, data):
        return fault
    actor, authority = moment.actor, moment.authority
    person = person_of(authority, actor)
    if person == person_of(authority, job.proposer):
        return f"{actor} is the person who proposed it"
    if any(person == person_of(authority, one) for one in job.executors):
        return f"{actor} is the person who carried it out"
    if any(person == person_of(authority, one.actor) for one in job.approvals):
        return f"{actor} is a person who approved it already"
    missing = dict(missing_approvals(job, job.approvals))
    role = data["role"]
    if role not in missing:
        asked = ", ".join(f"{count} {named or 'of any person'}" for named, count in missing.items())
        return f"no approval {'as ' + role if role else 'without a role'} is asked for, but {asked}"
    extent = Subject(job.model, None, moment.labels)
    if role and not holds(authority, actor, role, moment.grants_at, extent):
        return f"{actor} does not hold the role {role} for model {job.model}"
    return ""


def _stage_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if not moment.actor.startswith("users/"):
        return f"{moment.actor} is not a person"
    stage = "start" if job.state == "proposed" else "deployment"
    return "" if data["stage"] == stage else f"it is at the stage {stage}"


def _seen_fault(job: Job, data: Data) -> str:
    """Return why an approval is not given for the evidence that there is."""
    if data["seen_position"] == job.evidence_at:
        return ""
    return (
        f"it is approved as it was at position {data['seen_position']}, and its newest evidence is "
        f"at position {job.evidence_at}"
    )


def _cancelling_fault(_: Jobs, job: Job, __: Data, ___: JobMoment) -> str:
    """Return why a job cannot be cancelled: what it has deployed is taken back in any case."""
    if not job.is_rolling_back or job.deployed is None:
        return ""
    return f"{job.deployed.model_version} is being taken back, and a cancel would leave it there"


# ---- leases --------------------------------------------------------------------------------------


def _lease_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if data["token"] != job.token + 1:
        return f"its token is {data['token']}, and the next one is {job.token + 1}"
    if data["attempt"] != job.attempt:
        return f"it is said to be attempt {data['attempt']}, and it is attempt {job.attempt}"
    return _term_fault(job, data, moment)


def _term_fault(job: Job, data: Data, moment: JobMoment) -> str:
    seconds = job.proposed["limits"]["lease_seconds"]
    if parse_time(data["expires_at"]) > moment.now + seconds * SECOND:
        return f"it would last longer than the {seconds} seconds of its recipe"
    return ""


def _extension_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if fault := _holder_fault(job, data, moment.actor):
        return fault
    if job.lease is not None and parse_time(data["expires_at"]) <= job.lease.expires_at:
        return "it would not end later than it does"
    return _term_fault(job, data, moment)


def _expiry_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if moment.actor != GOVERNOR:
        return f"{moment.actor} recorded it, and {GOVERNOR} does"
    if job.lease is None:
        return _NO_LEASE
    if data["token"] != job.token:
        return f"its token is {data['token']}, and the lease has {job.token}"
    return "" if job.lease.expires_at <= moment.now else "the lease had not run out"


def _giving_up_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if fault := _holder_fault(job, data, moment.actor) or _cost_fault(job, data):
        return fault
    # Its attempts have no bound, so each has to last for as long as its lease.
    said = "a return is not given up: its lease runs out, and it is tried again then"
    return said if job.is_rolling_back else ""


def _holder_fault(job: Job, data: Data, actor: str) -> str:
    """Return why an actor does not hold the lease that it names."""
    if job.lease is None:
        return _NO_LEASE
    if data["token"] != job.token:
        return f"the token {data['token']} is not that of the lease, {job.token}"
    if actor != job.lease.executor:
        return f"{job.lease.executor} holds the lease, not {actor}"
    return ""


def _overdue_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    due_at = job.return_due_at
    if due_at is None:
        return "nothing is to be taken back"
    if moment.actor != GOVERNOR:
        return f"{moment.actor} recorded it, and {GOVERNOR} does"
    if job.is_overdue:
        return "it is on record already that no executor has taken it up"
    if data["due_at"] != format_time(due_at):
        return f"it was to be taken up until {format_time(due_at)}, not until {data['due_at']}"
    return "" if due_at <= moment.now else "the time in which it is to be taken up is not over"


# ---- gates ---------------------------------------------------------------------------------------


def _environment_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if fault := _holder_fault(job, data, moment.actor) or _turn_fault(job, data):
        return fault
    if job.environment_of == data["gate"]:
        return f"attempt {job.attempt} has recorded the environment of {data['gate']} already"
    return environment_fault(EnvironmentPart.model_validate(data["environment"]))


def _turn_fault(job: Job, data: Data) -> str:
    """Return why the gate of an event is not the next one of the attempt that runs."""
    gate = job.gate
    if gate is None or job.is_rolling_back or data["gate"] != gate["gate"]:
        what = "to be taken back" if gate is None or job.is_rolling_back else gate["gate"]
        return f"it reports the gate {data['gate']}, and what is next is {what}"
    if data["attempt"] != job.attempt:
        return f"it is said to be of attempt {data['attempt']}, and attempt {job.attempt} runs"
    return ""


def _report_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if job.state == "observing":
        if fault := _observer_fault(job, data, moment):
            return fault
    elif fault := _holder_fault(job, data, moment.actor):
        return fault
    if fault := _turn_fault(job, data) or window_fault(job, data, moment):
        return fault
    gate = job.gate
    if gate is None:
        return _NO_GATE
    if gate["gate"] == TRAINING and job.environment_of != TRAINING:
        return f"attempt {job.attempt} has recorded no environment of its training"
    if fault := _cost_fault(job, data):
        return fault
    return report_fault(GatePart.model_validate(gate), evidence_of(data))


def _observer_fault(job: Job, data: Data, moment: JobMoment) -> str:
    """Return why evidence is not of who deployed a version, within its observation."""
    if job.deployed is None:
        return "it has deployed nothing"
    if moment.actor != job.deployed.executor:
        return f"{job.deployed.executor} deployed it, not {moment.actor}"
    if data["token"] != job.token:
        return f"the token {data['token']} is not that of the deployment, {job.token}"
    until = job.deployed.observed_until or 0
    return f"its observation was over at {time(until)}" if until <= moment.decided_at else ""


def _cost_fault(job: Job, data: Data) -> str:
    """Return why what an executor states as the cost so far cannot be."""
    most = NUMBER_MAX if job.proposed["budget"] is None else MICROS_MAX
    if job.cost_micros <= int(data["cost_micros"]) <= most:
        return ""
    return f"the cost so far was {job.cost_micros} micros, and cannot be {data['cost_micros']}"


def _verdict_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if job.gate is None:
        return _NO_GATE
    observed = [ObservedSignalPart.model_validate(one) for one in data["observed"]]
    if [one.signal for one in observed] != job.gate["signals"]:
        return "it rests on observations of other signals than its gate names"
    try:
        expected = verdict(job, observed)
    except ValueError as error:
        return _unstated(error)
    if data["gate"] != expected.gate or data["report"] != expected.report:
        return (
            f"it judges the gate {data['gate']} by position {data['report']}, and to be judged is "
            f"{expected.gate} by position {expected.report}"
        )
    if job.state == "observing":
        if moment.actor != GOVERNOR:
            return f"{moment.actor} recorded it, and {GOVERNOR} does"
        if job.deployed is None or (job.deployed.observed_until or 0) > moment.now:
            return "the observation is not over"
    is_same = data == expected.to_data()
    return "" if is_same else "its evidence and the criteria of the job give another verdict"


# ---- deployment and end --------------------------------------------------------------------------


def deployment_fault(job: Job, data: Data, moment: JobMoment) -> str:
    """Return why a version cannot be deployed by a job whose gates are passed; empty if it can."""
    if fault := _holder_fault(job, data, moment.actor):
        return fault
    stated, said = parse_time(data["in_service_at"]), data["observed_until"]
    if job.lease is not None and stated < job.lease.since - SKEW_MICROS:
        since = time(job.lease.since)
        return f"it is said to serve since {time(stated)}, and was leased at {since}"
    earliest = observed_until(job, stated, moment.decided_at)
    latest = observed_until(job, stated, moment.now)
    if earliest is None or latest is None:
        return "" if said is None else "it is said to be observed, and has no such gate"
    if said is not None and earliest <= said <= latest:
        return ""
    return f"it is said to be observed until {said}, and is until {latest}"


def _return_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    if fault := _holder_fault(job, data, moment.actor):
        return fault
    deployed = job.deployed
    if not job.is_rolling_back or deployed is None:
        return "nothing is to be taken back"
    is_ours = data["replaces"] == deployed.model_version
    if is_ours and data["model_version"] in job.returns_to:
        return ""
    return (
        f"it puts {data['model_version']} in the place of {data['replaces']}, and what may serve "
        f"instead of {deployed.model_version} is {', '.join(job.returns_to)}"
    )


def _lapse_fault(_: Jobs, job: Job, data: Data, moment: JobMoment) -> str:
    """Return why a job cannot lapse; whether what it names has happened is for others."""
    if moment.actor != GOVERNOR:
        return f"{moment.actor} recorded it, and {GOVERNOR} does"
    if (version := data["model_version"]) is None:
        return ""
    if job.deployed is None and not job.tested_since:
        return f"it has deployed no version in whose place {version} could serve, nor tested one"
    ours = data["tested_against"] if job.deployed is None else job.deployed.model_version
    return f"{version} is its own version, or that of its test" if version == ours else ""


def _closing_fault(_: Jobs, job: Job, data: Data, __: JobMoment) -> str:
    try:
        expected = closing(job).to_data()
    except ValueError as error:
        return _unstated(error)
    differing = sorted(name for name in expected if data[name] != expected[name])
    return f"its {differing[0]} is not what its events say" if differing else ""


def _unstated(error: ValueError) -> str:
    """Return why what the events of a job lead to cannot be stated, which are then not honest."""
    return f"what its events lead to is nothing that can be stated: {type(error).__name__}"


_Judge = Callable[[Jobs, Job, Data, JobMoment], str]
_FOR_PEOPLE: Final = frozenset({"proposed", "awaiting_approval"})
_FOR_EXECUTORS: Final = frozenset({"ready", "rolling_back"})
_LEASED: Final = frozenset({"leased"})
_OPEN: Final = _FOR_PEOPLE | _FOR_EXECUTORS | _LEASED | {"observing"}
_STEPS: Final[Mapping[str, tuple[frozenset[str], _Judge]]] = {
    JobApproved.TYPE: (_FOR_PEOPLE, _approval_fault),
    JobDenied.TYPE: (_FOR_PEOPLE, _stage_fault),
    JobCancelled.TYPE: (_OPEN, _cancelling_fault),
    JobLeased.TYPE: (_FOR_EXECUTORS, _lease_fault),
    JobLeaseExtended.TYPE: (_LEASED, _extension_fault),
    JobLeaseExpired.TYPE: (_LEASED, _expiry_fault),
    JobGivenUp.TYPE: (_LEASED, _giving_up_fault),
    JobEnvironmentRecorded.TYPE: (_LEASED, _environment_fault),
    GateReported.TYPE: (_LEASED | {"observing"}, _report_fault),
    GateJudged.TYPE: (frozenset({"judging", "observing"}), _verdict_fault),
    JobDeployed.TYPE: (frozenset({"deploying"}), lambda _, *rest: deployment_fault(*rest)),
    JobRolledBack.TYPE: (_LEASED, _return_fault),
    JobLapsed.TYPE: (_OPEN, _lapse_fault),
    JobReturnOverdue.TYPE: (frozenset({"rolling_back"}), _overdue_fault),
    JobClosed.TYPE: (frozenset({"closing"}), _closing_fault),
}
"""The states in which an event of each type may be, and what judges it there."""
