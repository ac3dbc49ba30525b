"""Jobs and their budget in one machine: whatever comes in whatever order, nothing is paid twice.

Method: hypothesis plays executors, people, governor and clock on two jobs of two models, and sets
the budget again in between. The events of a job are accepted only with what its budget owes them,
as in an append of the service; a tally that the test keeps by itself must agree after each step.
"""

from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.events.budgets import BudgetReleased, BudgetReserved, BudgetSpent
from ledger.events.values import SECOND
from ledger.jobs.budgets import BudgetError
from ledger.jobs.machine import Job
from ledger.jobs.money import Move, owed_move
from tests.support.budget_stories import BudgetStory
from tests.support.job_stories import ANA, BOB, ONE, Story, gate

JOBS = {"j1": "fares", "j2": "stops"}
NAMES = st.sampled_from(sorted(JOBS))
COSTS = st.sampled_from([0, 0, 10, 30, 90])
EXPECTED = 40
GATES = [gate("data_integrity"), gate("candidate", 'metrics["loss"] < 100')]


class PaidStory(Story):
    """Jobs whose events stand only with the money that belongs to them."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = BudgetStory(opening={"jobs": "100", "tests": "0"})

    def add(self, actor: str, *events: Any) -> str:  # noqa: ANN401 - of jobs
        name = events[0].job
        before = self.jobs.jobs.get(name)
        kept = deepcopy(self.jobs), self.position, len(self.events)
        fault = super().add(actor, *events)
        if fault:
            return fault
        move = owed_move(before, self.job(name))
        try:
            if move is not None:
                self.move(self.job(name), move)
        except BudgetError as error:
            self.jobs, self.position, length = kept
            del self.events[length:]
            return error.fault
        return ""

    def move(self, job: Job, move: Move) -> None:
        if move.type != BudgetReserved.TYPE:
            if move.micros:
                self.budget.spend(job.name, move.micros, self.now)
            else:
                self.budget.release(job.name, self.now)
        elif move.is_first:
            self.budget.reserve(job.name, move.micros, self.now)
        else:
            self.budget.add(job.name, move.micros, self.now)


class MoneyMachine(RuleBasedStateMachine):
    """Two jobs, their budget, and what was given and spent."""

    def __init__(self) -> None:
        super().__init__()
        self.story = PaidStory()
        self.generation: Counter[str] = Counter()

    def name(self, base: str) -> str:
        """Return the newest job of a model; there is one after another."""
        return f"{base}-{self.generation[base]}"

    @rule(base=NAMES)
    def propose(self, base: str) -> None:
        if self.known(base) is not None and self.story.job(self.name(base)).is_over:
            self.generation[base] += 1
        cost = {"cost_micros": str(EXPECTED), "unit": "EUR", "duration_seconds": 600}
        self.story.propose(
            job=self.name(base), model=JOBS[base], budget="main", reserved_micros=str(EXPECTED),
            expected=cost, gates=GATES,
        )  # fmt: skip

    def known(self, base: str) -> Job | None:
        return self.story.jobs.jobs.get(self.name(base))

    @rule(base=NAMES)
    def approve(self, base: str) -> None:
        self.story.approve(BOB, job=self.name(base))

    @rule(base=NAMES)
    def deny(self, base: str) -> None:
        self.story.deny(BOB, job=self.name(base))

    @rule(base=NAMES)
    def cancel(self, base: str) -> None:
        self.story.cancel(ANA, job=self.name(base))

    @rule(base=NAMES)
    def lease(self, base: str) -> None:
        self.story.lease(ONE, job=self.name(base))

    @rule(base=NAMES)
    def wait_for_the_governor(self, base: str) -> None:
        job = self.known(base)
        if job is not None and job.lease is not None:
            self.story.now = max(self.story.now, job.lease.expires_at)
            fault = self.story.expire(job.token, job=job.name)
            assert not fault, "the governor can always close: the cost is set aside"

    @rule(base=NAMES, more=COSTS, loss=st.sampled_from([1, 1, 1, 100]))
    def report(self, base: str, more: int, loss: int) -> None:
        job = self.known(base)
        if job is None or job.gate is None or job.lease is None:
            return
        before = job, self.story.budget.budget
        cost = job.cost_micros + more
        fault = self.story.report(
            ONE, job.gate["gate"], loss, token=job.token, job=job.name, cost=cost
        )
        if fault:
            assert (self.known(base), self.story.budget.budget) == before

    @precondition(lambda self: self.story.jobs.jobs)
    @rule(base=NAMES, micros=st.sampled_from([5, 50]))
    def approve_overspending(self, base: str, micros: int) -> None:
        try:
            self.story.budget.approve(self.name(base), micros, self.story.now)
        except BudgetError:
            job = self.known(base)
            assert job is not None
            assert job.is_over

    @rule(refill=st.sampled_from([0, 20, 100]), cap=st.sampled_from([60, 400]))
    def set_again(self, refill: int, cap: int) -> None:
        flow = {"refill_micros": str(refill), "cap_micros": str(cap)}
        self.story.budget.set(self.story.now, jobs=flow, reserve_micros="10")

    @rule(seconds=st.sampled_from([1, 3_600, 86_400, -3_600]))
    def leap(self, seconds: int) -> None:
        self.story.now += seconds * SECOND

    # ---- what must hold --------------------------------------------------------------------------

    @invariant()
    def reserved_and_spent_never_exceed_what_was_given(self) -> None:
        budget = self.story.budget.budget
        one, reserved = budget.envelopes["jobs"], budget.reserved_micros("jobs")
        assert reserved + one.spent_micros <= one.granted_micros
        approved = sum(budget.approved.values())
        counted = one.free_micros + reserved + one.spent_micros + one.lapsed_micros + approved
        assert counted == one.granted_micros

    @invariant()
    def the_budget_holds_for_each_job_what_the_job_says(self) -> None:
        held = {
            claim[0]: one.micros for claim, one in self.story.budget.budget.reservations.items()
        }
        told = {
            job.name: job.set_aside_micros
            for job in self.story.jobs.jobs.values()
            if not job.is_over
        }
        assert held == told
        assert all(
            job.cost_micros <= told[job.name]
            for job in self.story.jobs.jobs.values()
            if not job.is_over
        )

    @invariant()
    def what_was_spent_is_what_the_jobs_that_ended_have_cost(self) -> None:
        closed = [job for job in self.story.jobs.jobs.values() if job.is_over]
        spent = self.story.budget.budget.envelopes["jobs"].spent_micros
        assert spent == sum(job.cost_micros for job in closed)
        ended = [
            one
            for one in self.story.budget.events
            if one.TYPE in {BudgetSpent.TYPE, BudgetReleased.TYPE}
        ]
        assert len(ended) == len(closed)


def test_no_order_of_events_parts_jobs_from_their_money() -> None:
    run_state_machine_as_test(MoneyMachine, settings=_settings(300))


@pytest.mark.slow
def test_ten_thousand_programs_part_no_job_from_its_money() -> None:
    run_state_machine_as_test(MoneyMachine, settings=_settings(10_000))


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
