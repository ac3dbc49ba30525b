"""How often data that is kept apart was used, and how often it may be, over all jobs of a ledger.

A use is an attempt at a job that has its gate `holdout` next. It counts from then on, before its
executor looks at the data: an executor that looks and gives up has used it. A job that asks for
more than the bound ends there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.events.jobs import (
    GateJudged,
    GateReported,
    JobApproved,
    JobCancelled,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
    JobProposed,
)
from ledger.events.notation import counted

if TYPE_CHECKING:
    from ledger.jobs.machine import Job

Data = Mapping[str, Any]
HOLDOUT_TYPES: Final = frozenset(
    {
        GateJudged.TYPE,
        JobApproved.TYPE,
        JobCancelled.TYPE,
        JobGivenUp.TYPE,
        JobLapsed.TYPE,
        JobLeased.TYPE,
        JobLeaseExpired.TYPE,
        JobProposed.TYPE,
    }
)
"""The types of events by which the uses of a holdout, or its bound, may change."""


class Use(NamedTuple):
    """A use of a holdout."""

    position: int
    """Of the event by which it begins, or that shows it where the body of that is gone."""
    most: int
    """How many were allowed by then."""


@dataclass(slots=True)
class Holdouts:
    """The uses and bounds of each holdout, by its name."""

    uses: dict[str, dict[tuple[str, int], Use]] = field(default_factory=dict)
    """Those by each job and attempt that have, or had, it before them."""
    bounds: dict[str, int] = field(default_factory=dict)
    """The strictest of any job that an executor took, by whichever recipe: it never grows. A job
    that was denied or withdrawn before binds no other."""

    def bounded(self, job: "Job") -> "Job":
        """Return a job as it is; one that begins a use beyond the bound has failed."""
        name = next_holdout(job)
        if name is None or (job.name, job.attempt) in self.uses.get(name, ()):
            return job
        if not (fault := self.fault(job.gate)):
            return job
        why = f"{fault[0].upper()}{fault[1:]}."
        return replace(job, state="closing", lease=None, outcome="failed", why=why)

    def take(self, before: "Job | None", after: "Job", type_: str, data: Data | None) -> None:
        """Take in an event of a job, given the job before it and after."""
        if type_ == JobLeased.TYPE:
            self._bind(after.proposed)
        if next_holdout(after) is not None:
            self._use(after.gate, after, after.attempt)
        elif before is None:
            return
        elif after.is_over and before.lease is None and (name := next_holdout(before)) is not None:
            self.uses[name].pop((after.name, before.attempt), None)  # no executor had it
        elif after.state == "unreadable":
            self._use_shown(before, after, type_, data)

    def _bind(self, proposed: Data) -> None:
        for one in (gate["holdout"] for gate in proposed["gates"]):
            if one is not None:
                known = self.bounds.get(one["name"], one["max_uses"])
                self.bounds[one["name"]] = min(one["max_uses"], known)

    def _use_shown(self, before: "Job", after: "Job", type_: str, data: Data | None) -> None:
        """Count a use where what began it is gone: behind a verdict, and with a report of it."""
        gates, attempt = after.proposed["gates"], after.attempt
        gate = gates[after.passed + 1 : after.passed + 2] if before.state == "judging" else []
        if type_ == GateReported.TYPE and data is not None:
            gate, attempt = [after.gate_of(data["gate"])], data["attempt"]
        for one in gate:
            self._use(one, after, attempt)

    def _use(self, gate: Data | None, job: "Job", attempt: int) -> None:
        holdout = None if gate is None else gate["holdout"]
        if holdout is not None:
            use = Use(job.changed_at, self._most(holdout))
            self.uses.setdefault(holdout["name"], {}).setdefault((job.name, attempt), use)

    def _most(self, holdout: Data) -> int:
        own = int(holdout["max_uses"])
        return min(own, self.bounds.get(holdout["name"], own))

    def used(self, name: str) -> int:
        """Return how often a holdout was used."""
        return len(self.uses.get(name, ()))

    def fault(self, gate: Data | None) -> str:
        """Return why a gate may not use its data once more; empty where it may, or has none."""
        holdout = None if gate is None else gate["holdout"]
        if holdout is None:
            return ""
        used, most = self.used(name := holdout["name"]), self._most(holdout)
        if used < most:
            return ""
        return f"the holdout {name} was used {counted(used, 'time')}, and {most} are allowed"


def next_holdout(job: "Job") -> str | None:
    """Return the holdout that an attempt at a job has before it, whether or not it is leased."""
    gate = job.gate
    if job.state not in {"ready", "leased"} or gate is None or gate["holdout"] is None:
        return None
    return str(gate["holdout"]["name"])
