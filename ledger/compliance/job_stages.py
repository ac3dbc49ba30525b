"""The stages at which jobs wait for people: what is asked for at each, and how it ended."""

from dataclasses import dataclass, field
from typing import Final

from ledger.events.facts import Fact
from ledger.events.jobs import JobApproved, JobCancelled, JobDenied, JobLapsed, JobLeased
from ledger.events.notation import counted
from ledger.jobs.changes import missing_approvals
from ledger.jobs.machine import Job

PASSED_OVER: Final = "passed over"
_STAGES: Final = {"proposed": "start", "awaiting_approval": "deployment"}
_ENDS: Final = {
    JobApproved.TYPE: "met",
    JobCancelled.TYPE: "cancelled",
    JobDenied.TYPE: "denied",
    JobLapsed.TYPE: "lapsed",
}
"""How a stage ends by each event; any other is one by which a job went on without the people."""


@dataclass(slots=True)
class WaitingStage:
    """One stage of one job, from the event that began it."""

    stage: str
    since: Fact
    asked: list[tuple[str, int]]
    """How many approvals in which role; "" is any person."""
    evidence: int
    """The position of the evidence that is to be approved."""
    given: list[Fact] = field(default_factory=list)
    ended: Fact | None = None
    used: Fact | None = None
    """The lease by which the job went on."""

    @property
    def asked_words(self) -> str:
        """The approvals that are asked for, for people."""
        return ", ".join(
            f"{count} as {role}" if role else counted(count, "person") for role, count in self.asked
        )

    @property
    def state(self) -> str:
        """How it ended, in a word."""
        if self.ended is None:
            return "open"
        if self.ended.data is None:
            return "unreadable"
        return _ENDS.get(self.ended.type, PASSED_OVER)


def take_stage(stages: list[WaitingStage], was: Job | None, made: Job, fact: Fact) -> None:
    """Take in an event of a job, which was as `was` before it, and is as `made` after it."""
    waited = "" if was is None else _STAGES.get(was.state, "")
    waits = _STAGES.get(made.state, "")
    if waited and fact.type == JobApproved.TYPE:
        stages[-1].given.append(fact)
    if waited and waits != waited:
        stages[-1].ended = fact
    if waits and waits != waited:
        asked = missing_approvals(made, ())
        stages.append(WaitingStage(waits, fact, asked, made.evidence_at))
    if fact.type == JobLeased.TYPE and stages and stages[-1].used is None:
        stages[-1].used = fact
