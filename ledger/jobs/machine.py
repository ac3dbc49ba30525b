"""The state of every job, folded from events in order; `steps` judges what may come next.

A job is proposed, approved where that takes people, leased by an executor, passes its gates one by
one, is deployed, observed and closed. Gates that were passed stay passed: an executor that takes
a lost job goes on at the next one. All follows from positions alone: a lease holds
until the event that says that it has expired. Times are microseconds since the epoch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

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
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobRolledBack,
)
from ledger.events.values import parse_time
from ledger.jobs.forecast import PastJob
from ledger.jobs.holdouts import Holdouts

JobState = Literal[
    "proposed",
    "ready",
    "leased",
    "judging",
    "deploying",
    "awaiting_approval",
    "observing",
    "rolling_back",
    "closing",
    "closed",
    "unreadable",
]
"""`proposed` and `awaiting_approval` wait for people, `ready` and `rolling_back` for an executor.

`judging`, `deploying` and `closing` last only until the next event of the same append. In
`unreadable` the body of an event of the job is gone, and with it what became of the job.
"""
TESTED: Final = "candidate"
"""The gate at which a candidate is tested before it is trained in full."""
OVER: Final = frozenset({"closing", "closed"})
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one executor to work on a job."""

    executor: str
    token: int
    expires_at: int


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


@dataclass(frozen=True, slots=True)
class Job:
    """One job after the events so far; a value."""

    name: str
    position: int
    """Of its proposal, and `changed_at` of its newest event."""
    proposer: str
    proposed: Data
    state: JobState
    changed_at: int
    run_id: str | None = None
    events: int = 1
    approvals: tuple[JobApproval, ...] = ()
    lease: Lease | None = None
    token: int = 0
    """The newest that was given; each lease has the next one."""
    executors: frozenset[str] = frozenset()
    """All that ever leased it: their own observations of its version do not count."""
    lost: int = 0
    """How many leases expired or were given up."""
    passed: int = 0
    """How many gates were passed, in their order."""
    report: int | None = None
    """The position of the evidence that waits for its verdict."""
    evidence: Data = field(default_factory=dict)
    """That evidence, as it was reported."""
    evidence_at: int = 0
    """The position of what people approve by: the proposal, or the newest report or verdict."""
    environment_of: str = ""
    """The next gate, once this attempt has recorded in which environment its step ran."""
    deployed: JobVersion | None = None
    observed: tuple[Data, ...] = ()
    """The ledger's own observations of that, by signal."""
    is_rolling_back: bool = False
    cost_micros: int = 0
    test_cost_micros: int | None = None
    """The part of that which the test of its candidate took; None until that was reported."""
    outcome: str = ""
    why: str = ""
    """How it ends, and why, once that is certain."""

    @property
    def model(self) -> str:
        """The model that it is about."""
        return str(self.proposed["model"])

    @property
    def attempt(self) -> int:
        """The number of the attempt that runs, or that would."""
        return self.lost + 1

    @property
    def gate(self) -> Data | None:
        """The gate that is next; None once all are passed."""
        gates = self.proposed["gates"]
        return gates[self.passed] if self.passed < len(gates) else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self.state in OVER

    @property
    def returns_to(self) -> tuple[str, ...]:
        """The versions that may serve in the place of its own, the first choice first.

        The one that served before it alone; where none did, those that it may fall back to.
        """
        if self.deployed is None:
            return ()
        before = self.deployed.replaces
        wanted = self.proposed["fall_back"] if before is None else [before]
        return tuple(one for one in wanted if one != self.deployed.model_version)

    def gate_of(self, name: str) -> Data | None:
        """Return a gate of the job by name."""
        return next((one for one in self.proposed["gates"] if one["gate"] == name), None)

    def applied(self, position: int, type_: str, actor: str, data: Data | None) -> "Job":
        """Return the job after an event of it; `data` None where its body is gone."""
        counted = replace(self, events=self.events + 1, changed_at=position)
        if data is None or self.state == "unreadable":
            return replace(counted, state="unreadable")
        return _CHANGES[type_](counted, position, actor, data)


@dataclass(slots=True)
class Jobs:
    """Every job of a ledger, and how often each holdout was used."""

    jobs: dict[str, Job] = field(default_factory=dict)
    holdouts: Holdouts = field(default_factory=Holdouts)
    _by_model: dict[str, list[str]] = field(default_factory=dict)
    """The names of each model's jobs, in order of their proposals."""
    _past: dict[str, PastJob] = field(default_factory=dict)
    """Those that are over and were worked on."""

    def apply(
        self,
        position: int,
        stream: str,
        type_: str,
        actor: str,
        data: Data | None,
        run_id: str | None = None,
    ) -> Job | None:
        """Take in an event of a job, and return the job; None where its proposal is gone."""
        name = stream.partition("/")[2]
        known = self.jobs.get(name)
        if type_ == JobProposed.TYPE and data is not None and known is None:
            made = replace(proposed_job(name, position, actor, data), run_id=run_id)
            self._by_model.setdefault(made.model, []).append(name)
            self.holdouts.bind(data)
        elif known is None:
            return None
        else:
            self.holdouts.take(known, type_, data)
            made = known.applied(position, type_, actor, data)
        self.jobs[name] = made
        self._past.pop(name, None)
        if made.state == "closed" and made.token:
            self._past[name] = PastJob(
                made.model,
                int(made.proposed["expected"]["cost_micros"]),
                made.cost_micros,
                made.outcome == "succeeded",
            )
        return made

    def worked(self) -> list[PastJob]:
        """Return the jobs that are over and were worked on, in order of their ends."""
        return list(self._past.values())

    def of_model(self, model: str) -> list[Job]:
        """Return the jobs of a model, in order of their proposals."""
        return [self.jobs[name] for name in self._by_model.get(model, ())]

    def open_of(self, model: str) -> Job | None:
        """Return the job of a model that is not over."""
        return next((one for one in self.of_model(model) if not one.is_over), None)


# ---- folding -------------------------------------------------------------------------------------


def proposed_job(name: str, position: int, actor: str, data: Data) -> Job:
    """Return a job right behind its proposal."""
    waits = data["approvals"] > 0 or bool(data["roles"])
    state: JobState = "proposed" if waits else "ready"
    return Job(name, position, actor, data, state, position, evidence_at=position)


def _approved(job: Job, _: int, actor: str, data: Data) -> Job:
    given = (*job.approvals, JobApproval(actor, data["role"]))
    if missing_approvals(job, given):
        return replace(job, approvals=given)
    passed = job.passed + (data["stage"] == "deployment")
    return _goes_on(replace(job, approvals=(), passed=passed))


def _goes_on(job: Job) -> Job:
    """Return a job as its next gate has it: open to executors, waiting for people, or over."""
    gate = job.gate
    if gate is None:
        return _ends(job, "succeeded", "Every gate was passed.")
    if gate["gate"] == "approval":
        return replace(job, state="awaiting_approval", lease=None, approvals=())
    return replace(job, state="ready" if job.lease is None else "leased")


def _ends(job: Job, outcome: str, why: str) -> Job:
    return replace(job, state="closing", lease=None, outcome=outcome, why=why)


def _denied(job: Job, _: int, actor: str, __: Data) -> Job:
    return _ends(job, "denied", f"{actor} denied it.")


def _cancelled(job: Job, _: int, actor: str, __: Data) -> Job:
    if job.state == "observing":
        return _goes_back(job, f"{actor} cancelled it.")
    return _ends(job, "cancelled", f"{actor} cancelled it.")


def _goes_back(job: Job, why: str) -> Job:
    """Return a job whose version is to be taken back, or that fails as there is none before it."""
    if not job.returns_to:
        return _ends(job, "failed", f"{why} No version served before, so none can serve again.")
    return replace(job, state="rolling_back", is_rolling_back=True, why=why, report=None)


def _leased(job: Job, _: int, actor: str, data: Data) -> Job:
    lease = Lease(actor, data["token"], parse_time(data["expires_at"]))
    executors = job.executors | {actor}
    return replace(job, state="leased", lease=lease, token=data["token"], executors=executors)


def _extended(job: Job, _: int, __: str, data: Data) -> Job:
    if job.lease is None:
        return job
    lease = replace(job.lease, expires_at=parse_time(data["expires_at"]))
    return replace(job, lease=lease)


def _expired(job: Job, _: int, __: str, ___: Data) -> Job:
    return _attempt_lost(job, f"Its lease expired in attempt {job.attempt}")


def _given_up(job: Job, _: int, actor: str, data: Data) -> Job:
    said = data["reason"].rstrip(".")
    return _attempt_lost(job, f"{actor} gave up attempt {job.attempt}, because: {said}")


def _attempt_lost(job: Job, why: str) -> Job:
    left = replace(job, lease=None, lost=job.lost + 1, environment_of="")
    if job.is_rolling_back:
        return replace(left, state="rolling_back")
    allowed = job.proposed["limits"]["attempts"]
    if left.lost >= allowed:
        return _ends(left, "failed", f"{why}. Its recipe allows {allowed}.")
    return replace(left, state="ready")


def _environment(job: Job, _: int, __: str, data: Data) -> Job:
    return replace(job, environment_of=data["gate"])


def _reported(job: Job, position: int, _: str, data: Data) -> Job:
    cost = int(data["cost_micros"])
    is_test = data["gate"] == TESTED
    known = replace(
        job,
        report=position,
        evidence=data,
        evidence_at=position,
        cost_micros=cost,
        test_cost_micros=cost - job.cost_micros if is_test else job.test_cost_micros,
    )
    return known if job.state == "observing" else replace(known, state="judging")


def _judged(job: Job, position: int, _: str, data: Data) -> Job:
    gate, seen = data["gate"], tuple(data["observed"])
    job = replace(job, evidence_at=position, observed=seen)
    if not data["is_passed"]:
        why = f"The gate {gate} was not passed."
        return _goes_back(job, why) if job.state == "observing" else _ends(job, "failed", why)
    on = replace(job, passed=job.passed + 1, report=None, evidence={}, environment_of="")
    return replace(on, state="deploying") if gate == "deployment" else _goes_on(on)


def _deployed(job: Job, _: int, __: str, data: Data) -> Job:
    until = data["observed_until"]
    version = JobVersion(
        data["model_version"],
        data["replaces"],
        None if until is None else parse_time(until),
    )
    known = replace(job, deployed=version, lease=None)
    return _goes_on(known) if until is None else replace(known, state="observing")


def _rolled_back(job: Job, _: int, __: str, data: Data) -> Job:
    before = None if job.deployed is None else job.deployed.replaces
    what = "serves again" if data["model_version"] == before else "is fallen back to"
    why = f"{job.why} {data['model_version']} {what}."
    return _ends(job, "rolled_back", why)


def _closed(job: Job, _: int, __: str, ___: Data) -> Job:
    return replace(job, state="closed")


def _again(job: Job, _: int, __: str, ___: Data) -> Job:
    return job  # a judge refuses it


_Change = Callable[[Job, int, str, Data], Job]
_CHANGES: Final[dict[str, _Change]] = {
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
    JobClosed.TYPE: _closed,
}


def missing_approvals(job: Job, given: tuple[JobApproval, ...]) -> list[tuple[str, int]]:
    """Return how many approvals a job still takes at its stage, by role; "" is any person."""
    asked = [("", job.proposed["approvals"]), *_asked(job.proposed["roles"])]
    if job.state == "awaiting_approval":
        gate = job.gate
        assert gate is not None, "it waits at its gate"
        asked = _asked(gate["approvals"]) or [("", 1)]
    lacking = [(role, count - sum(one.role == role for one in given)) for role, count in asked]
    return [(role, count) for role, count in lacking if count > 0]


def _asked(approvals: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["role"], one["count"]) for one in approvals]
