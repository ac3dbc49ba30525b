"""Jobs, as the audit folds them: what became of each, and what must come right behind an event.

The verdict on a report and the end of a job are recorded right behind the event that they follow
from, by the same actor in the same request; so is the model's deployment with the job's.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ledger.audit.event import AuditedEvent
from ledger.events.jobs import JOB_TYPES
from ledger.events.models import ModelDeployed
from ledger.events.plans import PLAN_TYPES
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.recipes import RecipeDrafted
from ledger.events.values import parse_time
from ledger.jobs.conclusions import owed_types
from ledger.jobs.grounds import Counted
from ledger.jobs.machine import Job, Jobs

_COPIED: Final = ("expected", "limits", "gates")


class AuditedPlanGround(NamedTuple):
    """A plan as far as jobs are proposed by it."""

    plan: str
    """Its id."""
    as_of: int
    made_at: int
    policy: tuple[str, int, str]
    """Name, version and digest."""
    models: frozenset[str]
    """Those of its backlog."""
    admitted: dict[str, int]
    """The models that it admitted, each with its benefit."""
    counted: dict[str, Counted]
    """The money that it counted on for each of them, and the budget that it named."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> "AuditedPlanGround":
        """Return what an event of a plan says of it."""
        rows = data["backlog"]
        admitted = [row for row in rows if row["outcome"] == "admitted"]
        return cls(
            data["plan"],
            data["as_of"],
            parse_time(data["made_at"]),
            (data["policy"], data["policy_version"], data["policy_digest"]),
            frozenset(row["model"] for row in rows),
            {row["model"]: int(row["benefit_micros"]) for row in admitted},
            {row["model"]: Counted.of(row, is_bounded=True) for row in admitted},
        )


class OwedByJob(NamedTuple):
    """An event of a job, and the types that must come right behind it."""

    event: AuditedEvent
    model: str
    left: deque[str]


class AuditedJobs:
    """The jobs as of the events applied so far."""

    def __init__(self) -> None:
        self.known = Jobs()
        self.deployed: AuditedEvent | None = None
        """The event before, where it is a model's deployment."""
        self.plans: dict[int, AuditedPlanGround] = {}
        """By their positions."""
        self.newest_plan: dict[str, int] = {}
        """The position of each policy's newest plan."""
        self.activated = 0
        """That at which a policy came into force last."""
        self._against: dict[tuple[str, str], list[tuple[int, bool]]] = {}
        """When jobs began or ceased to be against a version of a model; `""` is any version."""
        self._terms: dict[tuple[str, int], dict[str, Any]] = {}
        self._owing: OwedByJob | None = None
        self._missing: list[tuple[int, str]] = []

    def terms(self, recipe: str, version: int) -> dict[str, Any] | None:
        """Return the parts of a recipe's version that a job copies."""
        return self._terms.get((recipe, version))

    def owing(self, event: AuditedEvent) -> bool:
        """Whether an event is what must come right behind the one before."""
        owed = self._owing
        if owed is None or event.type != owed.left[0]:
            return False
        stream = f"models/{owed.model}" if event.type == ModelDeployed.TYPE else owed.event.stream
        before = owed.event
        is_of_request = event.raw is None or (event.actor, event.request_id) == (
            before.actor, before.request_id,
        )  # fmt: skip
        return event.stream == stream and is_of_request

    def take(self, event: AuditedEvent) -> None:
        """Take in the next event."""
        self._pay(event)
        self.deployed = event if event.type == ModelDeployed.TYPE else None
        if event.type == RecipeDrafted.TYPE and event.data is not None:
            document = event.data["document"]
            named = event.data["recipe"], event.data["version"]
            self._terms.setdefault(named, {name: document[name] for name in _COPIED})
        if event.type in PLAN_TYPES and event.data is not None:
            self.plans[event.position] = AuditedPlanGround.of(event.data)
            self.newest_plan[event.data["policy"]] = event.position
        if event.type in ACTIVATED_TYPES:
            self.activated = event.position
        if event.type not in JOB_TYPES:
            return
        job = self.known.apply(
            event.position, event.stream, event.type, event.actor, event.data, event.run_id,
            recorded_at=event.recorded_at,
        )  # fmt: skip
        if job is None:
            return
        self._note(event.position, job.model, "", self.known.deciding(job.model))
        if job.deployed is not None:
            version = job.deployed.model_version
            refusing = self.known.refusing(job.model, version)
            self._note(event.position, job.model, version, refusing)
        if owed := owed_types(job):
            self._owing = OwedByJob(event, job.model, deque(owed))

    def _note(self, position: int, model: str, version: str, job: Job | None) -> None:
        known, is_against = self._against.setdefault((model, version), []), job is not None
        if is_against != bool(known and known[-1][1]):
            known.append((position, is_against))

    def is_against(self, model: str, version: str, as_of: int) -> bool:
        """Whether a job was against putting a version of a model back, at a position."""
        for named in ("", version):
            known = [there for at, there in self._against.get((model, named), ()) if at <= as_of]
            if known and known[-1]:
                return True
        return False

    def _pay(self, event: AuditedEvent) -> None:
        owed = self._owing
        if owed is None:
            return
        if self.owing(event):
            owed.left.popleft()
            if owed.left:
                return
        else:
            self._missing += _unpaid(owed)
        self._owing = None

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield each event of a job without what must follow it; the events are at their end."""
        yield from self._missing
        if self._owing is not None:
            yield from _unpaid(self._owing)


def due_of(job: Job) -> int | None:
    """Return when the governor has something to record of a job; None where it has not."""
    if job.lease is not None:
        return job.lease.expires_at
    if job.state == "observing" and job.deployed is not None:
        return job.deployed.observed_until
    return None if job.is_overdue else job.return_due_at


def _unpaid(owed: OwedByJob) -> Iterator[tuple[int, str]]:
    named = ", ".join(owed.left)
    yield owed.event.position, f"it asks for {named} right behind it, which is not there"
