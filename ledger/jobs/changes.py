"""The changes that each event makes to a job; `machine` folds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

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
from ledger.events.values import SECOND, parse_time
from ledger.jobs.windows import is_early

if TYPE_CHECKING:
    from ledger.jobs.machine import Job

TESTED: Final = "candidate"
"""The gate at which a candidate is tested before it is trained in full."""
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one executor to work on a job."""

    executor: str
    token: int
    expires_at: int
    since: int
    """When it was given."""


@dataclass(frozen=True, slots=True)
class JobApproval:
    """A person's approval at the stage that a job is at."""

    actor: str
    role: str


@dataclass(frozen=True, slots=True)
class JobVersion:
    """The version that a job brought into service, and the one that it replaced."""

    model_version: str
    replaces: str | None
    observed_until: int | None
    executor: str
    """It deployed it, and alone reports on it while it is observed."""


def _approved(job: "Job", _: int, actor: str, data: Data) -> "Job":
    given = (*job.approvals, JobApproval(actor, data["role"]))
    if missing_approvals(job, given):
        return replace(job, approvals=given)
    passed = job.passed + (data["stage"] == "deployment")
    return _goes_on(replace(job, approvals=(), passed=passed))


def _goes_on(job: "Job") -> "Job":
    """Return a job as its next gate has it: open to executors, waiting for people, or over."""
    gate = job.gate
    if gate is None:
        return _ends(job, "succeeded", "Every gate was passed.")
    if gate["gate"] == "approval":
        return replace(job, state="awaiting_approval", lease=None, approvals=())
    return replace(job, state="ready" if job.lease is None else "leased")


def _ends(job: "Job", outcome: str, why: str) -> "Job":
    return replace(job, state="closing", lease=None, outcome=outcome, why=why)


def _denied(job: "Job", _: int, actor: str, data: Data) -> "Job":
    return _ends(job, "denied", _because(f"{actor} denied it", data))


def _cancelled(job: "Job", _: int, actor: str, data: Data) -> "Job":
    why = _because(f"{actor} cancelled it", data)
    return _goes_back(job, why) if job.state == "observing" else _ends(job, "cancelled", why)


def _because(what: str, data: Data) -> str:
    """Return what a caller did with its reason, as a sentence; the reason's own end stays."""
    reason = data["reason"].rstrip()
    return f"{what}, because: {reason}{'' if reason.endswith(('.', '!', '?')) else '.'}"


def _goes_back(job: "Job", why: str) -> "Job":
    """Return a job whose version is to be taken back, or that fails as there is none before it."""
    if not job.returns_to:
        return _ends(job, "failed", f"{why} No version served before, so none can serve again.")
    return replace(job, state="rolling_back", is_rolling_back=True, why=why, report=None)


def _leased(job: "Job", position: int, actor: str, data: Data) -> "Job":
    until = parse_time(data["expires_at"])
    since = until - job.proposed["limits"]["lease_seconds"] * SECOND
    lease = Lease(actor, data["token"], until, since)
    executors = job.executors | {actor}
    return replace(
        job, state="leased", lease=lease, token=data["token"], executors=executors,
        step_since=position,
    )  # fmt: skip


def _extended(job: "Job", _: int, __: str, data: Data) -> "Job":
    if job.lease is None:
        return job
    lease = replace(job.lease, expires_at=parse_time(data["expires_at"]))
    return replace(job, lease=lease)


def _expired(job: "Job", _: int, __: str, ___: Data) -> "Job":
    return _attempt_lost(job, f"Its lease expired in attempt {job.attempt}")


def _given_up(job: "Job", _: int, actor: str, data: Data) -> "Job":
    said, spent = data["reason"].rstrip("."), _at_cost(job, data)
    return _attempt_lost(spent, f"{actor} gave up attempt {job.attempt}, because: {said}")


def _at_cost(job: "Job", data: Data) -> "Job":
    """Return a job that has cost what an event states; what came while its test is next is that's.

    In whichever attempt, so that a test that is given up is no less of a test.
    """
    cost = int(data["cost_micros"])
    is_test = job.gate is not None and job.gate["gate"] == TESTED
    more = cost - job.cost_micros if is_test else 0
    return replace(job, cost_micros=cost, test_cost_micros=job.test_cost_micros + more)


def _attempt_lost(job: "Job", why: str) -> "Job":
    left = replace(job, lease=None, lost=job.lost + 1, environment_of="")
    if job.is_rolling_back:
        return replace(left, state="rolling_back")
    allowed = job.proposed["limits"]["attempts"]
    if left.lost >= allowed:
        return _ends(left, "failed", f"{why}. Its recipe allows {allowed}.")
    return replace(left, state="ready")


def _environment(job: "Job", _: int, __: str, data: Data) -> "Job":
    return replace(job, environment_of=data["gate"])


def _reported(job: "Job", position: int, _: str, data: Data) -> "Job":
    is_tested = job.is_tested or data["gate"] == TESTED
    known = replace(_at_cost(job, data), evidence_at=position, is_tested=is_tested)
    is_observed, gate = job.state == "observing", job.gate
    if is_observed:
        known = replace(known, reports=(*job.reports, (position, data)))
    if is_observed and gate is not None and is_early(gate, data["window_ppm"]):
        return known  # it stays on record, and no verdict rests on it
    known = replace(known, report=position, evidence=data)
    return known if is_observed else replace(known, state="judging")


def _judged(job: "Job", position: int, _: str, data: Data) -> "Job":
    gate, seen = data["gate"], tuple(data["observed"])
    job = replace(job, evidence_at=position, observed=seen)
    if not data["is_passed"]:
        why = f"The gate {gate} was not passed."
        return _goes_back(job, why) if job.state == "observing" else _ends(job, "failed", why)
    on = replace(
        job,
        passed=job.passed + 1,
        report=None,
        evidence={},
        environment_of="",
        step_since=position,
        tested_since=job.tested_since or (job.step_since if job.evidence.get("champion") else 0),
    )
    return replace(on, state="deploying") if gate == "deployment" else _goes_on(on)


def _deployed(job: "Job", _: int, actor: str, data: Data) -> "Job":
    until = data["observed_until"]
    version = JobVersion(
        data["model_version"],
        data["replaces"],
        None if until is None else parse_time(until),
        actor,
    )
    known = replace(job, deployed=version, lease=None)
    return _goes_on(known) if until is None else replace(known, state="observing")


def _rolled_back(job: "Job", _: int, __: str, data: Data) -> "Job":
    before = None if job.deployed is None else job.deployed.replaces
    what = "serves again" if data["model_version"] == before else "is fallen back to"
    why = f"{job.why} {data['model_version']} {what}."
    return _ends(job, "rolled_back", why)


def _lapsed(job: "Job", _: int, __: str, data: Data) -> "Job":
    what = why_lapsed(data, is_deployed=job.deployed is not None)
    return _ends(job, "lapsed", f"{job.why} Nothing is left to do: {what}.".strip())


def why_lapsed(data: Data, *, is_deployed: bool) -> str:
    """Return why nothing is left to do of a job that has deployed a version, or none yet."""
    version, by = data["model_version"], f" by {data['by']}" if data["by"] else ""
    if version is None:
        return f"its model was retired{by}"
    if is_deployed:
        return f"{version} was put in its place{by}"
    return f"{untested(data['tested_against'], version)}, put there{by}"


def untested(tested_against: str | None, serving: str) -> str:
    """Return that another version serves than the test was against, as a part of a sentence."""
    against = "no version that is known" if tested_against is None else tested_against
    return f"its version was tested against {against}, and {serving} serves now"


def _overdue(job: "Job", _: int, __: str, ___: Data) -> "Job":
    return replace(job, is_overdue=True)


def _closed(job: "Job", _: int, __: str, data: Data) -> "Job":
    if job.outcome:
        return replace(job, state="closed")
    # Only in a fold of this job alone, which knows of no use of a holdout by others.
    return replace(job, state="closed", lease=None, outcome=data["outcome"], why=data["reason"])


def _again(job: "Job", _: int, __: str, ___: Data) -> "Job":
    return job  # a judge refuses it


Change = Callable[["Job", int, str, Data], "Job"]
CHANGES: Final[dict[str, Change]] = {
    JobProposed.TYPE: _again,
    JobApproved.TYPE: _approved,
    JobDenied.TYPE: _denied,
    JobCancelled.TYPE: _cancelled,
    JobLeased.TYPE: _leased,
    JobLeaseExtended.TYPE: _extended,
    JobLeaseExpired.TYPE: _expired,
    JobGivenUp.TYPE: _given_up,
    JobEnvironmentRecorded.TYPE: _environment,
    GateReported.TYPE: _reported,
    GateJudged.TYPE: _judged,
    JobDeployed.TYPE: _deployed,
    JobRolledBack.TYPE: _rolled_back,
    JobLapsed.TYPE: _lapsed,
    JobReturnOverdue.TYPE: _overdue,
    JobClosed.TYPE: _closed,
}


def missing_approvals(job: "Job", given: tuple[JobApproval, ...]) -> list[tuple[str, int]]:
    """Return how many approvals a job still takes at its stage, by role; "" is any person."""
    asked = [("", job.proposed["approvals"]), *_asked(job.proposed["roles"])]
    if job.state == "awaiting_approval" and job.gate is not None:
        asked = _asked(job.gate["approvals"]) or [("", 1)]
    lacking = [(role, count - sum(one.role == role for one in given)) for role, count in asked]
    return [(role, count) for role, count in lacking if count > 0]


def _asked(approvals: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["role"], one["count"]) for one in approvals]
