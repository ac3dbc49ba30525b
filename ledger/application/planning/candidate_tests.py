"""Candidate tests as plans read them: which models have a job, which rest, and what money is left.

A test is the gate `candidate` of a job, judged by the ledger. A plan that is made again in its
period has the money that the tests of its jobs left.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import GateJudged, GateReported, JobClosed, JobProposed
from ledger.events.registry import decode_data
from ledger.events.values import PPM, SECOND

TEST_TYPES: Final = (JobProposed.TYPE, GateReported.TYPE, GateJudged.TYPE, JobClosed.TYPE)
CANDIDATE: Final = "candidate"

TestOutcome: TypeAlias = Literal["waits", "passed", "refused", "untested"]


@dataclass(slots=True)
class TestedJob:
    """One job as far as its candidate test goes."""

    model: str
    policy: str | None
    """That in force for its model when it was proposed."""
    plan: int | None
    outcome: TestOutcome
    proposed: int
    """The position of its proposal."""
    proposed_at: int
    is_open: bool = True
    closed_at: int = 0
    """When it was over, by the ledger's time; 0 before."""
    is_denied: bool = False
    judged_at: int = 0
    """When its test was judged, by the ledger's time; 0 before."""
    settled: int = 0
    """The position at which its outcome was certain; 0 before."""
    has_totals: bool = False


@dataclass(slots=True)
class CandidateTests:
    """The jobs of a ledger up to a position."""

    jobs: dict[str, TestedJob] = field(default_factory=dict)

    def apply(self, events: Iterable[RecordedEvent]) -> "CandidateTests":
        """Take in events of jobs in order, and return this."""
        for event in events:
            self._take(event)
        return self

    def _take(self, event: RecordedEvent) -> None:
        data = decode_data(event)
        if isinstance(data, JobProposed):
            is_tested = any(one.gate == CANDIDATE for one in data.gates)
            outcome: TestOutcome = "waits" if is_tested else "untested"
            at = event.position, event.recorded_at
            made = TestedJob(data.model, data.policy, data.plan, outcome, *at)
            made.settled = 0 if is_tested else event.position
            self.jobs[event.stream] = made
            return
        job = self.jobs[event.stream]
        if isinstance(data, GateReported) and data.gate == CANDIDATE:
            job.has_totals = bool(data.champion and data.candidate)
        elif isinstance(data, GateJudged) and data.gate == CANDIDATE:
            passed: TestOutcome = "passed" if job.has_totals else "untested"
            job.outcome = passed if data.is_passed else "refused"
            job.judged_at, job.settled = event.recorded_at, event.position
        elif isinstance(data, JobClosed):
            job.is_open = False
            job.closed_at, job.is_denied = event.recorded_at, data.outcome == "denied"

    def in_progress(self) -> frozenset[str]:
        """Return the models of which a job is under way."""
        return frozenset(one.model for one in self.jobs.values() if one.is_open)

    def under_way(self, policy: str, models: Container[str]) -> int:
        """Return how many jobs are under way of the models of a policy's plan, or by the policy."""
        open_ = (one for one in self.jobs.values() if one.is_open)
        return sum(one.model in models or one.policy == policy for one in open_)

    def rests(self, period_seconds: int, rest_periods: int) -> dict[str, int]:
        """Return until which period each model rests whose candidate was refused."""
        found: dict[str, int] = {}
        for one in self.jobs.values():
            if one.outcome == "refused":
                until = one.judged_at // (period_seconds * SECOND) + rest_periods
                found[one.model] = max(until, found.get(one.model, until))
        return found

    def recent(self, after: int) -> Counter[str]:
        """Return how many jobs of each model were proposed after a time, and not denied."""
        found = (one for one in self.jobs.values() if not one.is_denied)
        return Counter(one.model for one in found if one.proposed_at > after)

    def proposed_after(self, position: int) -> frozenset[str]:
        """Return the models of which a job was proposed after a position."""
        return frozenset(one.model for one in self.jobs.values() if one.proposed > position)

    def over_since(self) -> dict[str, int]:
        """Return when the last job of each model was over."""
        found: dict[str, int] = {}
        for one in self.jobs.values():
            if not one.is_open:
                found[one.model] = max(one.closed_at, found.get(one.model, 0))
        return found

    def taken(self, plan: int, costs: Mapping[str, int], probe_ppm: int) -> int:
        """Return the money that the jobs of a plan took from it, at each model's cost there.

        A job that waits for its test keeps all that it needs; one that ended before took nothing.
        """
        return sum(
            _taken(one, costs[one.model], probe_ppm)
            for one in self.jobs.values()
            if one.plan == plan
        )

    def plans_moved_since(self, before: "CandidateTests") -> frozenset[int]:
        """Return the plans of the jobs that are not as they were at an earlier position."""
        return frozenset(
            one.plan
            for name, one in self.jobs.items()
            if one.plan is not None and one != before.jobs.get(name)
        )

    def left_fault(self, plans: frozenset[int], after: int, probe_ppm: int) -> str:
        """Return why the tests of some plans' jobs left no money since a position; else empty."""
        jobs = [one for one in self.jobs.values() if one.plan in plans]
        if any(one.is_open and one.outcome == "waits" for one in jobs):
            return "a job of its period waits for its test"
        new = {one.outcome for one in jobs if one.settled > after}
        if "refused" in new or ("untested" in new and probe_ppm):
            return ""
        return "no test of its jobs left money since the newest plan"

    def is_tested(self, plans: frozenset[int]) -> bool:
        """Whether a job of one of these plans was tested, or bought untested."""
        return any(one.plan in plans and one.outcome != "waits" for one in self.jobs.values())


def _taken(job: TestedJob, cost: int, probe_ppm: int) -> int:
    match job.outcome:
        case "refused":
            return cost * probe_ppm // PPM
        case "untested":
            return cost
        case "passed":
            return cost * (PPM + probe_ppm) // PPM
    return cost * (PPM + probe_ppm) // PPM if job.is_open else 0
