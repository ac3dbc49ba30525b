"""How often data that is kept apart was used, and how often it may be, over all jobs of a ledger.

A use is an attempt at a job that had its gate `holdout` before it: the attempt reported, or its
lease ended without that. An executor that looks at the data and gives up has used it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ledger.events.jobs import (
    GateReported,
    JobCancelled,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
)
from ledger.events.notation import counted

if TYPE_CHECKING:
    from ledger.jobs.machine import Job

Data = Mapping[str, Any]
_ENDING_LEASES: Final = frozenset(
    {JobCancelled.TYPE, JobGivenUp.TYPE, JobLapsed.TYPE, JobLeaseExpired.TYPE}
)
HOLDOUT_TYPES: Final = _ENDING_LEASES | {GateReported.TYPE, JobLeased.TYPE}
"""The types of events by which the uses of a holdout, or its bound, may change."""


@dataclass(slots=True)
class Holdouts:
    """The uses and bounds of each holdout, by its name."""

    used: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)
    """The strictest of any job that an executor took, by whichever recipe: it never grows. A job
    that was denied or withdrawn before binds no other."""

    def take(self, job: "Job", type_: str, data: Data | None) -> None:
        """Take in an event of a job, given the job before it."""
        if type_ == JobLeased.TYPE:
            self._bind(job.proposed)
        if (name := used_holdout(job, type_, data)) is not None:
            self.used[name] = self.used.get(name, 0) + 1

    def _bind(self, proposed: Data) -> None:
        for one in (gate["holdout"] for gate in proposed["gates"]):
            if one is not None:
                known = self.bounds.get(one["name"], one["max_uses"])
                self.bounds[one["name"]] = min(one["max_uses"], known)

    def fault(self, gate: Data | None) -> str:
        """Return why a gate may not use its data once more; empty where it may, or has none."""
        holdout = None if gate is None else gate["holdout"]
        if holdout is None:
            return ""
        name, stated = holdout["name"], holdout["max_uses"]
        used, most = self.used.get(name, 0), min(stated, self.bounds.get(name, stated))
        if used < most:
            return ""
        return f"the holdout {name} was used {counted(used, 'time')}, and {most} are allowed"


def used_holdout(job: "Job", type_: str, data: Data | None) -> str | None:
    """Return the holdout that an event of a job shows to be used; None where it shows none.

    `job` is the job before the event. A report whose body is gone counts where one was due.
    """
    gate = job.gate
    if type_ == GateReported.TYPE:
        gate = gate if data is None else job.gate_of(data["gate"])
    elif type_ not in _ENDING_LEASES or job.lease is None or job.is_rolling_back:
        return None
    return None if gate is None or gate["holdout"] is None else str(gate["holdout"]["name"])
