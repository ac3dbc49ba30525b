"""The lineage of a run: each of its events with the one that it is below, from first to last.

A pure fold of events in order of position: those that name the run, and those that it rests on
without being of it, as the observations of its first score, the plan that admitted its model, the
answers of people and the moves of a budget. A parent is always earlier, so the tree grows in order.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ledger.events.budgets import BUDGET_TYPES
from ledger.events.cases import CASE_TYPES
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobDeployed,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobRolledBack,
)
from ledger.events.models import ModelDeployed
from ledger.events.plans import PLAN_TYPES
from ledger.events.registry import known_data
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.events.signals import OBSERVED_TYPES
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.run_words import Told, sentence

GONE: Final = "Its body was erased, or is none that this release can read."
_FIRST_TYPES: Final = frozenset(
    {*OBSERVED_TYPES, *PLAN_TYPES, ReuseProposed.TYPE, RollBackAsked.TYPE, ScoreComputed.TYPE}
)
"""A score rests on many observations, and a plan on many models: none of them is above it."""
_OF_LEASES: Final = frozenset(
    {
        GateReported.TYPE,
        JobDeployed.TYPE,
        JobEnvironmentRecorded.TYPE,
        JobGivenUp.TYPE,
        JobLeaseExpired.TYPE,
        JobLeaseExtended.TYPE,
        JobRolledBack.TYPE,
    }
)
Data = Mapping[str, Any]


class LineageEntry(NamedTuple):
    """One event of a lineage: where it is, what it is below (0: the run itself), what it says.

    An event that is not of the run itself is one that it rests on.
    """

    event: RecordedEvent
    parent: int
    is_of_run: bool
    text: str


class Lineage(NamedTuple):
    """Everything of one run, as of a position."""

    run_id: str
    model: str
    jobs: tuple[str, ...]
    as_of: int
    entries: tuple[LineageEntry, ...]
    is_whole: bool
    """Whether all of its events are here; else those after the last entry's position are not."""


class RunFold:
    """Takes the events of a run in order of position."""

    def __init__(self, run_id: str, model: str) -> None:
        self.run_id = run_id
        self.model = model
        self.entries: list[LineageEntry] = []
        self.jobs = Jobs()
        self._known: set[int] = set()
        self._places: dict[tuple[str, str], int] = {}
        """By what it is and whose: the position of a job's proposal, lease, report, …"""

    def take(self, event: RecordedEvent) -> None:
        """Take in the next event."""
        data = known_data(event)
        run_id = None if event.body_bytes is None else event.body.run_id
        if data is None:
            parent, text = 0, GONE
        else:
            name = _job_of(event, data)
            parent = self._parent(event, data, name)
            text = sentence(Told(event, data, self.model, self.jobs.jobs.get(name)))
        self.entries.append(LineageEntry(event, parent, run_id == self.run_id, text))
        self._known.add(event.position)
        if event.type in JOB_TYPES:
            actor = "" if data is None else event.body.actor
            self.jobs.apply(
                event.position, event.stream, event.type, actor, data, run_id,
                recorded_at=event.recorded_at,
            )  # fmt: skip

    def job(self, name: str) -> Job | None:
        """Return a job of the run as its events left it."""
        return self.jobs.jobs.get(name)

    def _parent(self, event: RecordedEvent, data: Data, job: str) -> int:
        """Return the position that an event is below; 0 for the run itself."""
        if event.type in _FIRST_TYPES:
            return 0
        if event.type in JOB_TYPES:
            return self._of_job(event, data, job)
        if event.type in BUDGET_TYPES:
            return self._places.get(("job", job), 0)
        if event.type in CASE_TYPES:
            return self._of_case(event, data)
        cause = event.body.causation_position or 0
        if event.type in DECISION_TYPES:
            cause = data["score_position"]
        if event.type == ModelDeployed.TYPE:
            cause = self._deploying(event.body.actor) or cause
        return cause if cause in self._known else 0

    def _of_job(self, event: RecordedEvent, data: Data, job: str) -> int:
        if event.type == JobProposed.TYPE:
            self._places["job", job] = event.position
            cited = (data["plan"], data["decision"])
            return next((one for one in cited if one in self._known), 0)
        job_at = self._places.get(("job", job), 0)
        lease_at = self._places.get(("lease", job), job_at)
        if event.type == JobLeased.TYPE:
            self._places["lease", job] = event.position
            self._places.pop(("service", job), None)
            return job_at
        if event.type == GateJudged.TYPE:
            report = data["report"] or self._places.get(("service", job), job_at)
            return report if report in self._known else job_at
        if event.type == GateReported.TYPE and ("service", job) in self._places:
            return self._places["service", job]
        if event.type == JobDeployed.TYPE:
            self._places["service", job] = event.position
        return lease_at if event.type in _OF_LEASES else job_at

    def _deploying(self, actor: str) -> int:
        """Return what a job's deployment by an actor is below: its verdict, or its lease."""
        for name, job in self.jobs.jobs.items():
            if job.state == "deploying":
                return job.changed_at
            if job.is_rolling_back and job.lease is not None and job.lease.executor == actor:
                return self._places["lease", name]
        return 0

    def _of_case(self, event: RecordedEvent, data: Data) -> int:
        """Return the decision that asked, or for an answer the first event of what was asked."""
        noun = event.type.partition(".")[0]
        decision = data[noun]
        first = self._places.setdefault((noun, str(decision)), event.position)
        found = first if first != event.position else decision
        return found if found in self._known else 0


def lineage_of(
    run_id: str, model: str, events: Iterable[RecordedEvent], as_of: int, *, is_whole: bool = True
) -> Lineage:
    """Return the lineage that events make, which come in order of position."""
    fold = RunFold(run_id, model)
    for event in events:
        fold.take(event)
    return Lineage(run_id, model, tuple(fold.jobs.jobs), as_of, tuple(fold.entries), is_whole)


def _job_of(event: RecordedEvent, data: Data) -> str:
    """Return the job that an event is about; empty where it is about none."""
    is_about = event.type in JOB_TYPES or event.type in BUDGET_TYPES
    return str(data.get("job", "")) if is_about else ""
