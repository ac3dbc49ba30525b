"""Jobs and their budget in one machine: whatever comes in whatever order, nothing is paid twice.

Method: hypothesis plays executors, people, governor and clock on two jobs of two models, and sets
the budget again in between, with other caps, or loses a body of it. The events of a job are
accepted only with what its budget owes them, as in an append of the service; a tally that the test
keeps by itself must agree after each step.
"""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
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
from tests.support.job_stories import BOB, GOOD, ONE, Story, gate

JOBS = {"j1": "fares", "j2": "stops"}
NAMES = st.sampled_from(sorted(JOBS))
COSTS = st.sampled_from([0, 0, 10, 30, 90])
EXPECTED, TEST = 40, 10
GATES = [gate("data_integrity"), gate("candidate", GOOD), gate("holdout", GOOD)]


class PaidStory(Story):
    """Jobs whose events stand only with the money that belongs to them."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = BudgetStory(opening={"jobs": "100", "tests": "20"})

    def add(self, actor: str, *events: Any) -> str:  # noqa: ANN401 - of jobs
        name = events[0].job
        before = self.jobs.jobs.get(name)
        values = {id(one): one for one in self.jobs.jobs.values()}  # they need no copies
        kept = deepcopy(self.jobs, values), self.position, len(self.events)
        paid = self.budget.budget, len(self.budget.events)
        fault = super().add(actor, *events)
        if fault:
            return fault
        try:
            for move in owed_moves(before, self.job(name)):
                if move.is_first or self.is_held(name, move):
                    self.move(name, move)
        except BudgetError as error:
            self.jobs, self.position, length = kept
            del self.events[length:]
            self.budget.budget, length = paid
            del self.budget.events[length:]
            return error.fault
        return ""

    def is_held(self, job: str, move: Move) -> bool:
        """Whether the budget is known to keep something for a job, as the service asks."""
        budget = self.budget.budget
        return not budget.is_gone and (job, move.envelope) in budget.reservations

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
        self.tests: Counter[str] = Counter()
        """What each job has come to cost while its test was next."""
        self.tested: set[str] = set()
        """The jobs whose test was reported."""
        self.unpaid: set[str] = set()
        """The jobs from before a body of the budget was erased: they end without money."""

    def name(self, base: str) -> str:
        """Return the newest job of a model; there is one after another."""
        return f"{base}-{self.generation[base]}"

    @rule(
        base=NAMES,
        steps=st.sampled_from([3, 4, 3, 2, 1, 0]),
        costs=st.lists(COSTS, min_size=2, max_size=2),
    )
    def begin(self, base: str, steps: int, costs: list[int]) -> None:
        """Propose a job where none is open, and take it so far on its way."""
        self.propose(base)
        for step in (self.approve, self.lease)[:steps]:
            step(base)
        for more in costs[: max(0, steps - 2)]:
            job = self.known(base)
            if job in self.leased():
                self.report(job, more, 1)

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

    def open_bases(self) -> list[str]:
        """Return the models of which a job is not over."""
        known = ((base, self.known(base)) for base in sorted(JOBS))
        return [base for base, job in known if job is not None and not job.is_over]

    def leased(self) -> list[Job]:
        """Return the jobs that an executor has."""
        jobs = (self.known(base) for base in self.open_bases())
        return [job for job in jobs if job is not None and job.lease is not None]

    @precondition(lambda self: self.open_bases())
    @rule(base=NAMES)
    def approve(self, base: str) -> None:
        self.story.approve(BOB, job=self.name(base))

    @precondition(lambda self: self.open_bases())
    @rule(base=NAMES)
    def lease(self, base: str) -> None:
        self.story.lease(ONE, job=self.name(base))

    @precondition(lambda self: self.open_bases())
    @rule(data=st.data(), how=st.sampled_from(["deny", "cancel", "lapse"]))
    def end(self, data: st.DataObject, how: str) -> None:
        name = self.name(data.draw(st.sampled_from(self.open_bases())))
        if how == "deny":
            self.story.deny(BOB, job=name)
            return
        end = self.story.cancel(job=name) if how == "cancel" else self.story.lapse(None, job=name)
        assert not end, "a job can always be ended: its cost is set aside"

    @precondition(lambda self: self.leased())
    @rule(data=st.data())
    def wait_for_the_governor(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.leased()))
        assert job.lease is not None
        self.story.now = max(self.story.now, job.lease.expires_at)
        fault = self.story.expire(job.token, job=job.name)
        assert not fault, "the governor can always close: the cost is set aside"

    @precondition(lambda self: self.leased())
    @rule(data=st.data(), more=COSTS, loss=st.sampled_from([1, 1, 1, 100]), is_result=st.booleans())
    def work(self, data: st.DataObject, more: int, loss: int, *, is_result: bool) -> None:
        job = data.draw(st.sampled_from(self.leased()))
        self.report(job, more, loss) if is_result else self.give_up(job, more)

    def report(self, job: Job, more: int, loss: int) -> None:
        assert job.gate is not None
        gate_, cost = job.gate["gate"], job.cost_micros + more
        told = self.story.reported(gate_, loss, token=job.token, job=job.name, cost=cost)
        if self.taken(job, lambda: self.story.add(ONE, told)) and gate_ == "candidate":
            self.tests[job.name] += more
            self.tested.add(job.name)

    def give_up(self, job: Job, more: int) -> None:
        assert job.gate is not None
        gate_, cost = job.gate["gate"], job.cost_micros + more
        given_up = self.taken(job, lambda: self.story.give_up(ONE, job.token, job.name, cost=cost))
        if given_up and gate_ == "candidate":
            self.tests[job.name] += more

    def taken(self, job: Job, step: Callable[[], str]) -> bool:
        """Take a step of a job; what is refused has changed nothing."""
        before = self.story.budget.budget
        if not step():
            return True
        assert (self.story.job(job.name), self.story.budget.budget) == (job, before)
        return False

    @precondition(lambda self: self.story.jobs.jobs)
    @rule(base=NAMES, micros=st.sampled_from([5, 50]), envelope=st.sampled_from(ENVELOPES))
    def approve_overspending(self, base: str, micros: int, envelope: str) -> None:
        name = self.name(base)
        try:
            self.story.budget.approve(name, micros, self.story.now, envelope)
        except BudgetError:
            job, is_gone = self.known(base), self.story.budget.budget.is_gone
            is_over = job is not None and (job.is_over or name in self.unpaid)
            assert is_gone or is_over or (envelope == "tests" and name in self.tested)

    @rule(refill=st.sampled_from([0, 20, 100]), cap=st.sampled_from([0, 8, 60, 400]))
    def set_again(self, refill: int, cap: int) -> None:
        flow = {"refill_micros": str(refill), "cap_micros": str(cap)}
        tests = {"refill_micros": str(refill // 4), "cap_micros": str(cap // 4)}
        kept = str(min(10, cap))
        self.story.budget.set(self.story.now, jobs=flow, tests=tests, reserve_micros=kept)

    @rule(is_meant=st.integers(0, 7))
    def erase(self, is_meant: int) -> None:
        """Lose the body of an event of the budget: nothing is known of it until it is set again.

        Rarely, as all that is open then ends without money.
        """
        if not is_meant:
            self.story.budget.budget = replace(self.story.budget.budget, is_gone=True)
            self.unpaid |= self.story.jobs.jobs.keys()

    @rule(seconds=st.sampled_from([1, 3_600, 86_400, 5 * 86_400, -3_600]))
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

    def paid(self) -> list[Job]:
        """Return the jobs whose money the budget knows."""
        return [job for name, job in self.story.jobs.jobs.items() if name not in self.unpaid]

    @precondition(lambda self: not self.story.budget.budget.is_gone)
    @invariant()
    def the_budget_holds_for_each_job_what_the_job_says(self) -> None:
        held = {claim: one.micros for claim, one in self.story.budget.budget.reservations.items()}
        open_ = [job for job in self.paid() if not job.is_over]
        told = {(job.name, "jobs"): set_aside(job, "jobs") for job in open_}
        told |= {
            (job.name, "tests"): max(TEST, self.tests[job.name])
            for job in open_
            if job.name not in self.tested
        }
        assert held == told
        for job in open_:
            assert job.cost_micros - self.tests[job.name] <= told[job.name, "jobs"]

    @precondition(lambda self: not self.story.budget.budget.is_gone)
    @invariant()
    def what_was_spent_is_what_tests_and_the_jobs_that_ended_have_cost(self) -> None:
        closed = [job for job in self.paid() if job.is_over]
        tested = {job.name for job in self.paid() if job.is_over or job.name in self.tested}
        envelopes = self.story.budget.budget.envelopes
        assert envelopes["tests"].spent_micros == sum(self.tests[name] for name in tested)
        assert envelopes["jobs"].spent_micros == sum(
            job.cost_micros - self.tests[job.name] for job in closed
        )
        ended = Counter(
            one.envelope
            for one in self.story.budget.events
            if isinstance(one, BudgetSpent | BudgetReleased) and one.job not in self.unpaid
        )
        assert (ended["jobs"], ended["tests"]) == (len(closed), len(tested))


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
