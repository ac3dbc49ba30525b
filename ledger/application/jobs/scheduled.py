"""The work of scheduled plans: their jobs are proposed, and they are made again for money left.

A schedule that names a recipe needs no person for that: the governor proposes the job of each model
that its newest plan admits, in the order of the backlog, under the same judge as any other job. A
job that is refused is told in the log and left to the next plan. Once tests of its jobs left money,
the plan is made again.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from ledger.application.commands import Caller, ledger_time
from ledger.application.jobs.proposals import JobProposals
from ledger.application.jobs.reader import JobReader
from ledger.application.periodic_task import (
    OVERTAKEN,
    RECORDED,
    GovernorTurn,
    record_each,
    try_each,
)
from ledger.application.planning.candidate_tests import CANDIDATE
from ledger.application.planning.commands import PlanCommands
from ledger.application.planning.plans import plans_newest_first
from ledger.application.planning.schedules import ScheduledPlans
from ledger.errors import LedgerError, Reason
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import JobCancelled, JobDenied
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanMadeV2
from ledger.events.registry import known_data
from ledger.events.values import parse_time
from ledger.jobs.machine import Job
from ledger.jobs.plan_schedules import PlanSchedule, PlanTurn, job_of_plan
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

_CALLER: Final = Caller(GOVERNOR)
_AT_ONCE: Final = 20  # proposals in a row: leases must not wait
_NOT_OF_A_MODEL: Final = frozenset(
    {
        Reason.STORE_UNAVAILABLE,
        Reason.DRAINING,
        Reason.DEADLINE_EXCEEDED,
        Reason.SIGNING_STOPPED,
        Reason.CLOCK_AHEAD,
        Reason.LEDGER_BEHIND,
        Reason.CHAIN_BROKEN,
        Reason.INTERNAL,
    }
)
"""The reasons that say nothing about a plan or a model: all is tried again the next time round."""
_SOONER: Final = frozenset({Reason.ALREADY_EXISTS, Reason.VERSION_CONFLICT})
_log: Final = structlog.get_logger("ledger.governor")


@dataclass(slots=True)
class _PlanAtWork:
    """The newest plan of a schedule, and what is left to do of it."""

    plan: str
    ends_at: int
    """From when on it is no ground of a job."""
    first: int | None
    """The first plan of its period, where plans of its planner can be made again."""
    left: list[str]
    """Admitted models whose jobs were neither proposed, refused nor unwanted, best first."""
    tested: int = 0
    """How many jobs were past their test when it was last asked whether money is left."""


class ScheduledJobs:
    """The work of the scheduled plans of one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        schedules: ScheduledPlans,
        plans: PlanCommands,
        proposals: JobProposals,
        reader: JobReader,
    ) -> None:
        self._store = store
        self._info = info
        self._schedules = schedules
        self._plans = plans
        self._proposals = proposals
        self._reader = reader
        self._at_work: dict[str, _PlanAtWork] = {}
        """By policy; of the governor's thread alone."""

    def run_due(self) -> GovernorTurn:
        """Propose what newest plans admit; make those again whose tests left money."""
        turns = [GovernorTurn()]
        running = self._schedules.followed().running.values()
        try_each(
            [one for one in running if one.recipe is not None and one.newest_plan],
            lambda one: turns.append(turns[-1] + self._work(one)),
        )
        return turns[-1]

    def _work(self, one: PlanSchedule) -> GovernorTurn:
        work = self._at_work.get(one.policy)
        if work is None or work.plan != one.newest_plan:
            work = self._at_work[one.policy] = self._begun(one)
        head = self._store.events.head(self._info.origin)
        if ledger_time(self._info, self._store, head) >= work.ends_at:
            return GovernorTurn()
        turn = GovernorTurn()
        for model in work.left[:_AT_ONCE]:
            turn += self._propose(one, work, model)
        return turn if work.left else turn + self._make_again(one, work)

    def _begun(self, one: PlanSchedule) -> _PlanAtWork:
        """Return a plan with the models that have no job by it yet."""
        plan = one.newest_plan
        try:
            made, event = self._plans.get(plan)
            period = self._plans.period_of(made)
        except LedgerError as error:
            if _is_of_no_model(error):
                raise
            _log.warning("plan.jobs_skipped", **self._told(plan, error))
            return _PlanAtWork(plan, 0, None, [])
        had = {job.model for job in self._reader.by_plan(event.position)}
        first = made.second_to or event.position if isinstance(made, PlanMadeV2) else None
        admitted = [row.model for row in made.backlog if row.outcome == "admitted"]
        unwanted = self._unwanted(made, event.position, period)
        left = [model for model in admitted if model not in had | unwanted]
        for model in admitted:
            if model in unwanted - had:
                _log.warning(
                    "plan.job_withheld", ledger=self._info.origin, plan=plan, model=model,
                    why="A person denied or cancelled a job of it in this period of the policy.",
                )  # fmt: skip
        return _PlanAtWork(plan, parse_time(made.made_at) + period, first, left)

    def _unwanted(self, made: PlanMade, position: int, period: int) -> set[str]:
        """Return the models of which a person denied or cancelled a job in a plan's period.

        By the time at which that was recorded. Where it runs ahead of that of the data, what was
        before a plan of an earlier period is of an earlier one too.
        """
        events, origin = self._store.events, self._info.origin
        begins = made.now_period * period
        after = events.position_at(origin, begins - 1)
        for plan in plans_newest_first(events, origin, PLAN_TYPES, position - 1):
            if plan.position <= after:
                break
            data = known_data(plan)
            if data and data["policy"] == made.policy and parse_time(data["made_at"]) < begins:
                after = plan.position
                break
        refused = events.of_types(origin, (JobDenied.TYPE, JobCancelled.TYPE), after=after)
        jobs = {event.stream.partition("/")[2] for event in refused}
        return {job.model for job in self._jobs() if job.name in jobs}

    def _told(self, plan: str, error: LedgerError) -> dict[str, str]:
        return {
            "ledger": self._info.origin,
            "plan": plan,
            "reason": error.reason.value,
            "why": error.message,
        }

    def _jobs(self) -> list[Job]:
        return self._reader.every()[1]

    def _propose(self, one: PlanSchedule, work: _PlanAtWork, model: str) -> GovernorTurn:
        """Propose the job of a model, or tell why it is left to the next plan."""
        try:
            self._proposals.propose_by(_CALLER, one, model)
        except LedgerError as error:
            if error.reason is Reason.VERSION_CONFLICT:
                return OVERTAKEN
            if _is_of_no_model(error):
                raise
            work.left.remove(model)
            job = job_of_plan(one.newest_plan_at, model)
            if any(known.name == job for known in self._jobs()):
                return OVERTAKEN  # another server was sooner
            _log.warning("plan.job_skipped", model=model, **self._told(work.plan, error))
            return GovernorTurn()
        work.left.remove(model)
        return RECORDED

    def _make_again(self, one: PlanSchedule, work: _PlanAtWork) -> GovernorTurn:
        """Make a plan again where tests of its jobs left money since; asked once for each test."""
        if work.first is None:
            return GovernorTurn()
        tested = sum(_is_tested_since(job, work.first) for job in self._jobs())
        if tested == work.tested:
            return GovernorTurn()

        def make(turn: PlanTurn) -> None:
            self._plans.make(_CALLER, policy=one.policy, turn=turn)

        turn = record_each([PlanTurn(one, is_again=True)], make, _SOONER)
        work.tested = tested
        return turn


def _is_of_no_model(error: LedgerError) -> bool:
    """Whether a refusal says nothing about a plan or a model: all is tried again then."""
    return error.reason in _NOT_OF_A_MODEL


def _is_tested_since(job: Job, plan: int) -> bool:
    """Whether a job by a plan at a position, or by a later one, has its test behind it."""
    if (job.proposed["plan"] or 0) < plan:
        return False
    ahead = job.proposed["gates"][job.passed :]
    return job.is_over or all(one["gate"] != CANDIDATE for one in ahead)
