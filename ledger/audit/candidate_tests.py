"""Candidate tests as the audit folds them, so that any horizon can be asked for."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from ledger.audit.event import AuditedEvent
from ledger.events.jobs import GateJudged, GateReported, JobClosed, JobLeased, JobProposed
from ledger.events.values import PPM, SECOND
from ledger.jobs.forecast import PastJob

_GATE = "candidate"
TYPES = frozenset(
    {JobProposed.TYPE, JobLeased.TYPE, GateReported.TYPE, GateJudged.TYPE, JobClosed.TYPE}
)


@dataclass(slots=True)
class AuditedTest:
    """One job, with the positions at which it was proposed, judged by its test, and closed."""

    model: str
    policy: str | None
    plan: int | None
    proposed: int
    has_test: bool
    proposed_at: int
    planned: str | None
    """The benefit in its plan, in micros."""
    totals: bool = False
    judged: int = 0
    is_passed: bool = False
    judged_at: int = 0
    closed: int = 0
    closed_at: int = 0
    ended_as: str = ""
    expected_micros: int = 0
    cost_micros: int = 0
    was_leased: bool = False
    realised: dict[str, Any] | None = None
    """The benefit that its end states."""

    def outcome(self, as_of: int) -> str:
        """Return what is known of its test at a position."""
        if not self.has_test:
            return "untested"
        if not 0 < self.judged <= as_of:
            return "waits"
        if not self.is_passed:
            return "refused"
        return "passed" if self.totals else "untested"

    def is_open(self, as_of: int) -> bool:
        """Whether it is under way at a position."""
        return self.proposed <= as_of and not 0 < self.closed <= as_of


class AuditedTests:
    """The jobs of a ledger, and the plans that admitted them."""

    def __init__(self) -> None:
        self._jobs: dict[str, AuditedTest] = {}
        self._costs: dict[int, dict[str, int]] = {}
        """The cost of each admitted model, by the position of the plan."""

    def take(self, event: AuditedEvent) -> None:
        """Take in an event of a job."""
        data = event.data
        if data is None:
            return
        if event.type == JobProposed.TYPE:
            has_test = any(gate["gate"] == _GATE for gate in data["gates"])
            self._jobs.setdefault(
                event.stream,
                AuditedTest(
                    data["model"],
                    data["policy"],
                    data["plan"],
                    event.position,
                    has_test,
                    event.recorded_at,
                    data["forecast"]["planned_micros"],
                ),
            )
        job = self._jobs.get(event.stream)
        if job is None:
            return
        if event.type == JobClosed.TYPE:
            if not job.closed:
                job.expected_micros = int(data["expected_micros"])
                job.cost_micros = int(data["cost_micros"])
                job.closed, job.closed_at = event.position, event.recorded_at
                job.ended_as = data["outcome"]
                job.realised = data["realised"]
        elif event.type == JobLeased.TYPE:
            job.was_leased = True
        elif data.get("gate") == _GATE and event.type == GateReported.TYPE:
            job.totals = bool(data["champion"] and data["candidate"])
        elif data.get("gate") == _GATE and event.type == GateJudged.TYPE:
            job.judged, job.judged_at = event.position, event.recorded_at
            job.is_passed = data["is_passed"]

    def planned(self, position: int, data: dict[str, Any]) -> None:
        """Take in a plan."""
        self._costs[position] = {
            row["model"]: int(row["cost_micros"])
            for row in data["backlog"]
            if row["outcome"] == "admitted"
        }

    def in_progress(self, as_of: int) -> frozenset[str]:
        """Return the models of which a job is under way at a position."""
        return frozenset(one.model for one in self._jobs.values() if one.is_open(as_of))

    def under_way(self, policy: str, models: Container[str], as_of: int) -> int:
        """Return how many jobs are open of some models, or were proposed under their policy."""
        found = [one for one in self._jobs.values() if one.is_open(as_of)]
        return len([one for one in found if one.policy == policy or one.model in models])

    def rests(self, period_seconds: int, rest_periods: int, as_of: int) -> dict[str, int]:
        """Return until which period each model rests whose candidate was refused by a position."""
        found: dict[str, int] = {}
        for one in self._jobs.values():
            if one.outcome(as_of) == "refused":
                until = one.judged_at // (period_seconds * SECOND) + rest_periods
                found[one.model] = max(found.get(one.model, until), until)
        return found

    def recent(self, after: int, as_of: int) -> Counter[str]:
        """Return how many jobs of each model were proposed after a time, and not denied."""
        return Counter(
            one.model
            for one in self._jobs.values()
            if one.proposed <= as_of
            and one.proposed_at > after
            and not (one.ended_as == "denied" and one.closed <= as_of)
        )

    def proposed_after(self, position: int, as_of: int) -> frozenset[str]:
        """Return the models of which a job was proposed after a position and up to another."""
        found = (one for one in self._jobs.values() if position < one.proposed <= as_of)
        return frozenset(one.model for one in found)

    def over_since(self, as_of: int) -> dict[str, int]:
        """Return when the last job of each model was over."""
        found: dict[str, int] = {}
        for one in self._jobs.values():
            if 0 < one.closed <= as_of:
                found[one.model] = max(one.closed_at, found.get(one.model, 0))
        return found

    def worked(self, as_of: int) -> list[PastJob]:
        """Return the jobs that were leased and had come to an end of their own by a position."""
        return [
            PastJob(
                one.model,
                one.expected_micros,
                one.cost_micros,
                one.ended_as == "succeeded",
                None if one.planned is None else int(one.planned),
                None if one.realised is None else int(one.realised["benefit_micros"]),
            )
            for one in self._jobs.values()
            if one.was_leased and 0 < one.closed <= as_of
            if one.ended_as not in {"cancelled", "lapsed"}
        ]

    def left_fault(self, plans: list[int], after: int, probe_ppm: int, as_of: int) -> str:
        """Return why tests of plans' jobs left no money between positions; empty where they did."""
        is_left = False
        for one in self._jobs.values():
            if one.plan not in plans or one.proposed > as_of:
                continue
            outcome, certain = one.outcome(as_of), one.judged if one.has_test else one.proposed
            if outcome == "waits" and one.is_open(as_of):
                return "a job of its period waits for its test"
            frees = outcome == "refused" or (outcome == "untested" and probe_ppm > 0)
            is_left = is_left or (frees and certain > after)
        return "" if is_left else "no test of its jobs left money since the plan before"

    def taken(self, plans: list[int], probe_ppm: int, as_of: int) -> tuple[int, bool]:
        """Return the money that jobs of plans took by a position, and whether one was tested."""
        money, is_tested = 0, False
        for one in self._jobs.values():
            if one.plan not in plans or one.proposed > as_of:
                continue
            cost = self._costs.get(one.plan, {}).get(one.model, 0)
            outcome = one.outcome(as_of)
            is_tested = is_tested or outcome != "waits"
            if outcome == "refused":
                money += cost * probe_ppm // PPM
            elif outcome == "untested":
                money += cost
            elif outcome == "passed" or one.is_open(as_of):
                money += cost * (PPM + probe_ppm) // PPM
        return money, is_tested
