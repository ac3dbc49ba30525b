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

from ledger.events.budgets import BudgetReleased, BudgetSpent
from ledger.events.values import SECOND
from ledger.jobs.budgets import ENVELOPES, BudgetError
from ledger.jobs.machine import Job
from ledger.jobs.money import Move, owed_moves, set_aside
from tests.support.budget_stories import BudgetStory
from tests.support.job_stories import ANA, BOB, ONE, Story, gate

JOBS = {"j1": "fares", "j2": "stops"}
NAMES = st.sampled_from(sorted(JOBS))
COSTS = st.sampled_from([0, 0, 10, 30, 90])
EXPECTED, TEST = 40, 10
GATES = [gate("data_integrity"), gate("candidate", 'metrics["loss"] < 100')]


class PaidStory(Story):
    """Jobs whose events stand only with the money that belongs to them."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = BudgetStory(opening={"jobs": "100", "tests": "20"})

    def add(self, actor: str, *events: Any) -> str:  # noqa: ANN401 - of jobs
        name = events[0].job
        before = self.jobs.jobs.get(name)
        kept = deepcopy(self.jobs), self.position, len(self.events)
        paid = self.budget.budget, len(self.budget.events)
        fault = super().add(actor, *events)
        if fault:
            return fault
        try:
            for move in owed_moves(before, self.job(name)):
                self.move(name, move)
        except BudgetError as error:
            self.jobs, self.position, length = kept
            del self.events[length:]
            self.budget.budget, length = paid
            del self.budget.events[length:]
            return error.fault
        return ""

    def move(self, job: str, move: Move) -> None:
        if move.type == BudgetSpent.TYPE:
            self.budget.spend(job, move.micros, self.now, move.envelope)
        elif move.type == BudgetReleased.TYPE:
            self.budget.release(job, self.now, move.envelope)
        elif move.is_first:
            self.budget.reserve(job, move.micros, self.now, envelope=move.envelope)
        else:
            self.budget.add(job, move.micros, self.now, move.envelope)


class MoneyMachine(RuleBasedStateMachine):
    """Two jobs, their budget, and what was given and spent."""

    def __init__(self) -> None:
        super().__init__()
        self.story = PaidStory()
        self.generation: Counter[str] = Counter()
        self.tested: dict[str, int] = {}
        """What the test of each job has cost that was reported."""

    def name(self, base: str) -> str:
        """Return the newest job of a model; there is one after another."""
        return f"{base}-{self.generation[base]}"

    @rule(base=NAMES)
    def propose(self, base: str) -> None:
        if self.known(base) is not None and self.story.job(self.name(base)).is_over:
            self.generation[base] += 1
        cost: dict[str, object] = {"cost_micros": str(EXPECTED), "test_micros": str(TEST)}
        cost |= {"unit": "EUR", "duration_seconds": 600}
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
        before, is_test = (job, self.story.budget.budget), job.gate["gate"] == "candidate"
        cost = job.cost_micros + more
        fault = self.story.report(
            ONE, job.gate["gate"], loss, token=job.token, job=job.name, cost=cost
        )
        if fault:
            assert (self.known(base), self.story.budget.budget) == before
        elif is_test:
            self.tested[job.name] = more

    @precondition(lambda self: self.story.jobs.jobs)
    @rule(base=NAMES, micros=st.sampled_from([5, 50]), envelope=st.sampled_from(ENVELOPES))
    def approve_overspending(self, base: str, micros: int, envelope: str) -> None:
        name = self.name(base)
        try:
            self.story.budget.approve(name, micros, self.story.now, envelope)
        except BudgetError:
            job = self.known(base)
            assert job is not None
            assert job.is_over or (envelope == "tests" and name in self.tested)

    @rule(refill=st.sampled_from([0, 20, 100]), cap=st.sampled_from([60, 400]))
    def set_again(self, refill: int, cap: int) -> None:
        flow = {"refill_micros": str(refill), "cap_micros": str(cap)}
        tests = {"refill_micros": str(refill // 4), "cap_micros": str(cap // 4)}
        self.story.budget.set(self.story.now, jobs=flow, tests=tests, reserve_micros="10")

    @rule(seconds=st.sampled_from([1, 3_600, 86_400, -3_600]))
    def leap(self, seconds: int) -> None:
        self.story.now += seconds * SECOND

    # ---- what must hold --------------------------------------------------------------------------

    @invariant()
    def reserved_and_spent_never_exceed_what_was_given(self) -> None:
        budget = self.story.budget.budget
        for name in ENVELOPES:
            one, reserved = budget.envelopes[name], budget.reserved_micros(name)
            assert reserved + one.spent_micros <= one.granted_micros
            approved = sum(more for (_, of), more in budget.approved.items() if of == name)
            counted = one.free_micros + reserved + one.spent_micros + one.lapsed_micros + approved
            assert counted == one.granted_micros

    @invariant()
    def the_budget_holds_for_each_job_what_the_job_says(self) -> None:
        held = {claim: one.micros for claim, one in self.story.budget.budget.reservations.items()}
        open_ = [job for job in self.story.jobs.jobs.values() if not job.is_over]
        told = {(job.name, "jobs"): set_aside(job, "jobs") for job in open_}
        told |= {(job.name, "tests"): TEST for job in open_ if job.name not in self.tested}
        assert held == told
        for job in open_:
            tested = self.tested.get(job.name, 0)
            assert job.cost_micros - tested <= told[job.name, "jobs"]

    @invariant()
    def what_was_spent_is_what_tests_and_the_jobs_that_ended_have_cost(self) -> None:
        closed = [job for job in self.story.jobs.jobs.values() if job.is_over]
        envelopes = self.story.budget.budget.envelopes
        assert envelopes["tests"].spent_micros == sum(self.tested.values())
        assert envelopes["jobs"].spent_micros == sum(
            job.cost_micros - self.tested.get(job.name, 0) for job in closed
        )
        ended = Counter(
            one.to_data()["envelope"]
            for one in self.story.budget.events
            if one.TYPE in {BudgetSpent.TYPE, BudgetReleased.TYPE}
        )
        is_open = [job for job in self.story.jobs.jobs.values() if not job.is_over]
        assert ended["jobs"] == len(closed)
        assert ended["tests"] == len(closed) + sum(job.name in self.tested for job in is_open)


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
