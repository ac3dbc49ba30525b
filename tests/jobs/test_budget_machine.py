"""Reserved and spent never exceed what a budget was given, whatever comes in whatever order.

Method: a state machine of hypothesis sets, reserves, spends, releases, approves and lets time pass
or step back, on the pure fold and beside a tally that it keeps by itself.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.events.values import DAY, SECOND
from ledger.jobs.budgets import ENVELOPES, Budget, BudgetError, applied
from tests.support.budget_stories import START, BudgetStory

AMOUNTS = st.integers(0, 300)
JOBS = st.sampled_from("abcdefgh")
PLACES = st.sampled_from(ENVELOPES)


class Interleaving(RuleBasedStateMachine):
    """Anything in any order; what is refused changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = BudgetStory()
        self.now = START
        self.given: Counter[str] = Counter({"jobs": 100, "tests": 10})
        self.spent: Counter[str] = Counter()
        self.ends: Counter[tuple[str, str]] = Counter()

    def tried(self, step: Any) -> bool:  # noqa: ANN401 - a call
        before, refilled = self.ledger.budget, self.ledger.free
        left = {name: refilled(name) for name in ENVELOPES}
        try:
            step()
        except BudgetError:
            assert self.ledger.budget is before
            return False
        period = before.period_seconds * SECOND
        begun = max(0, self.ledger.budget.at // period - before.at // period)
        for name in ENVELOPES:  # a tally of its own: what refills may bring at most
            one = before.envelopes[name]
            self.given[name] += min(one.refill_micros * begun, max(0, one.cap_micros - left[name]))
        return True

    @rule(step=st.integers(-3 * DAY, 3 * DAY))
    def time_passes_or_steps_back(self, step: int) -> None:
        self.now = max(0, self.now + step)

    @rule(job=JOBS, micros=AMOUNTS, envelope=PLACES, top=st.booleans())
    def reserve(self, job: str, micros: int, envelope: str, *, top: bool) -> None:
        ledger = self.ledger
        self.tried(lambda: ledger.reserve(job, micros, self.now, top=top, envelope=envelope))

    @precondition(lambda self: self.ledger.budget.reservations)
    @rule(data=st.data(), micros=AMOUNTS)
    def spend(self, data: st.DataObject, micros: int) -> None:
        job, envelope = data.draw(st.sampled_from(sorted(self.ledger.budget.reservations)))
        if self.tried(lambda: self.ledger.spend(job, micros, self.now, envelope)):
            self.spent[envelope] += micros
            self.ends[job, envelope] += 1

    @rule(job=JOBS, envelope=PLACES)
    def release(self, job: str, envelope: str) -> None:
        if self.tried(lambda: self.ledger.release(job, self.now, envelope)):
            self.ends[job, envelope] += 1

    @rule(job=JOBS, micros=AMOUNTS, envelope=PLACES)
    def approve(self, job: str, micros: int, envelope: str) -> None:
        if self.tried(lambda: self.ledger.approve(job, micros, self.now, envelope)):
            self.given[envelope] += micros

    @rule(refill=AMOUNTS, cap=AMOUNTS, period=st.sampled_from([3_600, 86_400, 7 * 86_400]))
    def set_again(self, refill: int, cap: int, period: int) -> None:
        flow = {"refill_micros": str(refill), "cap_micros": str(cap)}
        kept = str(min(50, cap))
        self.tried(
            lambda: self.ledger.set(
                self.now, jobs=flow, tests=flow, reserve_micros=kept, period_seconds=period
            )
        )

    @invariant()
    def reserved_and_spent_never_exceed_what_was_given(self) -> None:
        budget = self.ledger.budget
        for name in ENVELOPES:
            one = budget.envelopes[name]
            reserved = budget.reserved_micros(name)
            assert one.spent_micros == self.spent[name]
            assert one.granted_micros == self.given[name]
            assert reserved + one.spent_micros <= self.given[name]
            assert 0 <= one.free_micros <= one.cap_micros
            approved = sum(kept for claim, kept in budget.approved.items() if claim[1] == name)
            counted = one.free_micros + reserved + one.spent_micros + one.lapsed_micros + approved
            assert counted == one.granted_micros

    @invariant()
    def no_job_ends_twice(self) -> None:
        assert all(count == 1 for count in self.ends.values())

    @invariant()
    def the_events_alone_give_the_same(self) -> None:
        again: Budget | None = None
        for position, data in enumerate(self.ledger.events, 1):
            again = applied(again, position, data.TYPE, data.to_data())
        assert again == self.ledger.budget


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.slow
class TestTenThousandPrograms(Interleaving.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(max_examples=10_000, stateful_step_count=30, deadline=None)
