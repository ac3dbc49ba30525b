"""The state of every job, folded from events in order; `steps` judges what may come next.

A job is proposed, approved where that takes people, leased by an executor, passes its gates one by
one, is deployed, observed and closed. Gates that were passed stay passed: an executor that takes
a lost job goes on at the next one. All follows from positions alone: a lease holds
until the event that says that it has expired. Times are microseconds since the epoch.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from ledger.events.jobs import JobProposed
from ledger.events.values import SECOND, TIME_LIMIT
from ledger.jobs.changes import CHANGES, Data, JobApproval, JobVersion, Lease
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
OVER: Final = frozenset({"closing", "closed"})
UNFINISHED: Final = frozenset({"cancelled", "lapsed"})
"""Outcomes that come from outside, before a job has come to its own end."""


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
    reports: tuple[tuple[int, Data], ...] = ()
    """All that was reported of its observation, each with its position."""
    evidence_at: int = 0
    """The position of what people approve by: the proposal, or the newest report or verdict."""
    environment_of: str = ""
    """The next gate, once this attempt has recorded in which environment its step ran."""
    deployed: JobVersion | None = None
    observed: tuple[Data, ...] = ()
    """The ledger's own observations of that, by signal."""
    is_rolling_back: bool = False
    waits_since: int = 0
    """When its return last began to wait for an executor."""
    is_overdue: bool = False
    """Whether it is on record that its return has waited for too long."""
    cost_micros: int = 0
    test_cost_micros: int = 0
    """The part of that which came while the test of its candidate was next, in any attempt."""
    is_tested: bool = False
    """Whether that test was reported."""
    step_since: int = 0
    """Since which position the gate that is next is worked on: its lease, or the verdict before."""
    tested_since: int = 0
    """That of the first gate that it has passed by numbers about the version in service; 0 for
    none. The version that served there is the one that it was tested against."""
    outcome: str = ""
    why: str = ""
    """How it ends, and why, once that is certain."""

    @property
    def model(self) -> str:
        """The model that it is about."""
        return str(self.proposed["model"])

    @property
    def stated_test_cost(self) -> int | None:
        """The cost of the test of its candidate so far; None while nothing was said of it."""
        return self.test_cost_micros if self.is_tested or self.test_cost_micros else None

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
    def teaches(self) -> bool:
        """Whether a job that is over says something of forecasts.

        An executor worked on it, and nothing from outside ended it halfway.
        """
        return self.token > 0 and self.outcome not in UNFINISHED

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

    @property
    def return_due_at(self) -> int | None:
        """Until when an executor is to lease its return: the time of a lease; None for no return.

        A time when it is overdue already too.
        """
        if self.state != "rolling_back":
            return None
        seconds = int(self.proposed["limits"]["lease_seconds"])
        return min(self.waits_since + seconds * SECOND, TIME_LIMIT - 1)

    def gate_of(self, name: str) -> Data | None:
        """Return a gate of the job by name."""
        return next((one for one in self.proposed["gates"] if one["gate"] == name), None)

    def applied(self, position: int, type_: str, actor: str, data: Data | None) -> "Job":
        """Return the job after an event of it; `data` None where its body is gone."""
        counted = replace(self, events=self.events + 1, changed_at=position)
        if data is None or self.state == "unreadable":
            return replace(counted, state="unreadable")
        return CHANGES[type_](counted, position, actor, data)


@dataclass(slots=True)
class Jobs:
    """Every job of a ledger, and how often each holdout was used."""

    jobs: dict[str, Job] = field(default_factory=dict)
    holdouts: Holdouts = field(default_factory=Holdouts)
    _by_model: dict[str, list[str]] = field(default_factory=dict)
    """The names of each model's jobs, in order of their proposals."""
    _past: dict[str, PastJob] = field(default_factory=dict)
    """Those that are over and that forecasts learn from."""

    def apply(
        self,
        position: int,
        stream: str,
        type_: str,
        actor: str,
        data: Data | None,
        run_id: str | None = None,
        *,
        recorded_at: int,
    ) -> Job | None:
        """Take in an event of a job, and return the job; None where its proposal is gone."""
        name = stream.partition("/")[2]
        known = self.jobs.get(name)
        if type_ == JobProposed.TYPE and data is not None and known is None:
            made = replace(proposed_job(name, position, actor, data), run_id=run_id)
            self._by_model.setdefault(made.model, []).append(name)
        elif known is None:
            return None
        else:
            made = self.after(known, position, type_, actor, data)
            if made.state == "rolling_back" and known.state != "rolling_back":
                made = replace(made, waits_since=recorded_at, is_overdue=False)
        self.holdouts.take(known, made, type_, data)
        self.jobs[name] = made
        self._past.pop(name, None)
        if made.state == "closed" and made.teaches:
            self._past[name] = PastJob(
                made.model,
                int(made.proposed["expected"]["cost_micros"]),
                made.cost_micros,
                made.outcome == "succeeded",
                _micros(made.proposed["forecast"]["planned_micros"]),
                _realised(data),
            )
        return made

    def after(self, job: Job, position: int, type_: str, actor: str, data: Data | None) -> Job:
        """Return a job after an event of it, which is not taken in.

        It has ended where it would go on to a holdout that no job may use any more.
        """
        return self.holdouts.bounded(job.applied(position, type_, actor, data))

    def worked(self) -> list[PastJob]:
        """Return the jobs that forecasts learn from, in order of their ends."""
        return list(self._past.values())

    def of_model(self, model: str) -> list[Job]:
        """Return the jobs of a model, in order of their proposals."""
        return [self.jobs[name] for name in self._by_model.get(model, ())]

    def deciding(self, model: str, *, is_asked: bool = False) -> Job | None:
        """Return the job of a model that decides which version serves: it deploys, or has.

        What the ledger itself proposes waits also for a leased job whose version is tested against
        the one in service, or was; what a person asked (`is_asked`) does not.
        """
        job = self.open_of(model)
        if job is None or job.deployed is not None:
            return job
        gate = job.gate
        is_near = gate is not None and gate["gate"] == "deployment"
        if not is_asked:
            is_near = is_near or job.tested_since > 0 or (gate is not None and _compares(gate))
        return job if is_near and job.lease is not None else None

    def refusing(self, model: str, version: str) -> Job | None:
        """Return the newest job that deployed a version of a model, where that was taken back."""
        made = [one for one in self._deployers(model) if one[1].model_version == version]
        return made[-1][0] if made and made[-1][0].outcome in {"failed", "rolled_back"} else None

    def against(self, model: str, version: str, *, is_asked: bool = False) -> bool:
        """Whether a version of a model is not to be put back, as a job is against it."""
        deciding = self.deciding(model, is_asked=is_asked)
        return (deciding or self.refusing(model, version)) is not None

    def deployer(self, model: str, version: str) -> Job | None:
        """Return the newest job that deployed a version of a model, else any version of it."""
        made = self._deployers(model)
        same = [one for one in made if one[1].model_version == version]
        return (same or made)[-1][0] if made else None

    def _deployers(self, model: str) -> list[tuple[Job, JobVersion]]:
        """Return the jobs of a model that deployed a version, in order, each with that."""
        return [(one, one.deployed) for one in self.of_model(model) if one.deployed is not None]

    def open_of(self, model: str) -> Job | None:
        """Return the job of a model that is not over."""
        return next((one for one in self.of_model(model) if not one.is_over), None)


def _compares(gate: Data) -> bool:
    """Whether a gate asks for numbers about the version in service."""
    return any(one["of"] == "versions" for one in gate["metrics"])


def _realised(closed: Data | None) -> int | None:
    """Return the benefit that the end of a job states; None where it states none."""
    found = None if closed is None else closed.get("realised")
    return None if found is None else int(found["benefit_micros"])


def _micros(text: str | None) -> int | None:
    return None if text is None else int(text)


# ---- folding -------------------------------------------------------------------------------------


def proposed_job(name: str, position: int, actor: str, data: Data) -> Job:
    """Return a job right behind its proposal."""
    waits = data["approvals"] > 0 or bool(data["roles"])
    state: JobState = "proposed" if waits else "ready"
    return Job(name, position, actor, data, state, position, evidence_at=position)
