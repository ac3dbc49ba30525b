"""A job keeps its promises in every order of acts of executors, people, governor and clock.

Method: hypothesis plays all of them at random on two jobs of two models. A second account of what
was accepted, kept by the test alone, must agree with every promise after each step.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ledger.events.cases import GOVERNOR
from ledger.events.values import SECOND, parse_time
from tests.support.job_stories import ANA, BOB, EVE, GATES, ONE, TWO, WINDOW_SECONDS, Story

PEOPLE = st.sampled_from([ANA, BOB, EVE, "users/ana-2", "users/eve-2"])
EXECUTORS = st.sampled_from([ONE, TWO])
ACTORS = st.one_of(PEOPLE, EXECUTORS, st.just(GOVERNOR))
TOKENS = st.integers(1, 6)
LEAPS = st.sampled_from([1, 20, 59, 60, 61, 3_600, -30, -3_600, 86_400])
NAMES = [one["gate"] for one in GATES]
_OBSERVED = 8
"""After so many steps of a job its version is observed."""
LOSSES = st.sampled_from([1, 1, 1, 99, 100])


class JobMachine(RuleBasedStateMachine):
    """One job, everything that can be tried with it, and what was accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.held: tuple[str, int, int] | None = None
        self.tokens: list[int] = []
        self.passed: list[str] = []

    # ---- everything that can be tried ------------------------------------------------------------

    @initialize(steps=st.one_of(st.integers(0, 9), st.just(_OBSERVED)), is_wanted=st.booleans())
    def begin(self, steps: int, *, is_wanted: bool) -> None:
        """Begin somewhere on the way of a job to which nothing happens, or on its way back."""
        self.story.propose()
        for _ in range(steps):
            self.advance(ONE)
        if not is_wanted and self.story.job().state == "observing":
            self._try(lambda: self.story.cancel(BOB))

    @rule(actor=EXECUTORS)
    def advance(self, actor: str) -> None:
        """Do what takes the job on."""
        story, job = self.story, self.story.job()
        if job.state == "proposed":
            self._try(lambda: story.approve(BOB) and story.approve(EVE))
        elif job.state == "awaiting_approval":
            self._try(lambda: story.approve(BOB, "deployment", "model-owner"))
        elif job.lease is None and job.state != "observing":
            self._try(lambda: story.lease(actor))
        elif job.is_rolling_back:
            self._try(lambda: story.take_back(actor))
        elif job.state == "observing" and job.report is not None:
            story.now += WINDOW_SECONDS * SECOND
            self._try(story.observe)
        else:
            self.report_what_is_next(actor, 1)

    @rule(actor=ACTORS)
    def propose(self, actor: str) -> None:
        assert self.story.propose(actor), "it was proposed before"

    @rule(actor=ACTORS, stage=st.sampled_from(["start", "deployment"]))
    def approve(self, actor: str, stage: str) -> None:
        self._try(
            lambda: self.story.approve(actor, stage, "" if stage == "start" else "model-owner")
        )

    @rule(actor=ACTORS, stage=st.sampled_from(["start", "deployment"]), luck=st.integers(0, 9))
    def deny(self, actor: str, stage: str, luck: int) -> None:
        if luck == 0:
            self._try(lambda: self.story.deny(actor, stage))

    @rule(actor=ACTORS, luck=st.integers(0, 9))
    def cancel(self, actor: str, luck: int) -> None:
        job = self.story.jobs.jobs.get("j1")
        if luck == 0 or (job is not None and job.is_rolling_back):
            self._try(lambda: self.story.cancel(actor))

    @rule(
        actor=EXECUTORS, token=st.one_of(st.none(), TOKENS), seconds=st.sampled_from([60, 60, 61])
    )
    def lease(self, actor: str, token: int | None, seconds: int) -> None:
        self._try(lambda: self.story.lease(actor, token=token, seconds=seconds))

    @rule(actor=EXECUTORS, token=TOKENS)
    def extend(self, actor: str, token: int) -> None:
        self._try(lambda: self.story.extend(actor, token))

    @rule(seconds=st.sampled_from([1, 59, 60, 3_600]))
    def wait_for_the_governor(self, seconds: int) -> None:
        self.story.now += seconds * SECOND
        self._try(lambda: self.story.expire(max(1, self.story.job().token)))

    @rule(actor=EXECUTORS, seconds=st.sampled_from([1, 59]))
    def beat(self, actor: str, seconds: int) -> None:
        self.story.now += seconds * SECOND
        self._try(lambda: self.story.extend(actor, max(1, self.story.job().token)))

    @rule(actor=st.sampled_from([GOVERNOR, GOVERNOR, ONE]), token=TOKENS)
    def expire(self, actor: str, token: int) -> None:
        self._try(lambda: self.story.expire(token, actor=actor))

    @rule(actor=ACTORS, token=st.one_of(st.none(), TOKENS))
    def give_up(self, actor: str, token: int | None) -> None:
        known = self.story.job().token
        self._try(lambda: self.story.give_up(actor, token or max(1, known)))

    @rule(
        actor=EXECUTORS,
        token=st.one_of(st.none(), TOKENS),
        name=st.sampled_from(NAMES),
        loss=LOSSES,
    )
    def report(self, actor: str, token: int | None, name: str, loss: int) -> None:
        if name == "deployment":
            self._try(lambda: self.story.deploy(actor, token=token))
        else:
            self._try(lambda: self.story.report(actor, name, loss, token=token))

    @rule(actor=EXECUTORS, loss=LOSSES)
    def report_what_is_next(self, actor: str, loss: int) -> None:
        job = self.story.jobs.jobs.get("j1")
        if job is not None and job.gate is not None:
            name = job.gate["gate"]
            self._try(
                lambda: (
                    self.story.deploy(actor)
                    if name == "deployment"
                    else self.story.report(actor, name, loss)
                )
            )

    @rule(actor=st.sampled_from([GOVERNOR, ONE]))
    def observe(self, actor: str) -> None:
        job = self.story.jobs.jobs.get("j1")
        if job is not None and job.gate is not None:
            self._try(lambda: self.story.observe(actor))

    @rule(actor=EXECUTORS)
    def take_back(self, actor: str) -> None:
        self._try(lambda: self.story.take_back(actor))

    @rule(actor=st.sampled_from([GOVERNOR, GOVERNOR, ONE]), late=st.sampled_from([0, 0, 1]))
    def call_overdue(self, actor: str, late: int) -> None:
        self._try(lambda: self.story.call_overdue(actor, late))

    @rule(
        actor=st.sampled_from([GOVERNOR, GOVERNOR, ANA, ONE]),
        version=st.sampled_from([None, "v2", "v3"]),
        luck=st.integers(0, 9),
    )
    def lapse(self, actor: str, version: str | None, luck: int) -> None:
        if luck == 0:
            self._try(lambda: self.story.lapse(version, actor))

    @rule(seconds=LEAPS)
    def leap(self, seconds: int) -> None:
        self.story.now += seconds * SECOND

    def _try(self, act: Any) -> None:  # noqa: ANN401 - one of the above
        """Do it if there is a job, and look at each event that was accepted."""
        if "j1" not in self.story.jobs.jobs:
            return
        before = len(self.story.events)
        act()
        for _, actor, data in self.story.events[before:]:
            self._accepted(actor, data.TYPE.removesuffix(".v1"), data.to_data())

    # ---- what must hold of it --------------------------------------------------------------------

    def _accepted(self, actor: str, type_: str, data: dict[str, Any]) -> None:
        if type_ == "job.leased":
            assert self.held is None, "a job was leased twice"
            assert data["token"] not in self.tokens
            assert not self.tokens or data["token"] > self.tokens[-1]
            self.tokens.append(data["token"])
            self.held = actor, data["token"], parse_time(data["expires_at"])
        elif type_ == "job.lease_extended":
            assert self.held is not None
            assert (actor, data["token"]) == self.held[:2]
            assert parse_time(data["expires_at"]) > self.held[2]
            self.held = (*self.held[:2], parse_time(data["expires_at"]))
        elif type_ == "job.lease_expired":
            assert self.held is not None
            assert self.held[2] <= self.story.now, "a lease expired before its time"
            self.held = None
        elif type_ == "job.given_up":
            assert self.held is not None
            assert (actor, data["token"]) == self.held[:2], "another one gave it up"
            assert not self.story.job().is_rolling_back, "a return was given up"
            self.held = None
        elif type_ == "gate.reported" and data["gate"] != "observation":
            assert self.held is not None
            assert (actor, data["token"]) == self.held[:2], "a stale report was accepted"
        elif type_ == "gate.judged":
            if data["is_passed"]:
                self.passed.append(data["gate"])
        elif type_ == "job.approved" and data["stage"] == "deployment":
            self.passed.append("approval")
            self.held = None
        elif type_ == "job.deployed":
            assert self.passed == NAMES[:5], "a version was deployed without its gates"
            self.held = None
        else:
            self._of_return_or_end(type_, data)
        if type_ == "gate.judged" and data["gate"] == "holdout":
            self.held = None  # people are asked next, or it is over

    def _of_return_or_end(self, type_: str, data: dict[str, Any]) -> None:
        if type_ == "job.return_overdue":
            assert self.held is None, "an executor had taken it up"
            assert parse_time(data["due_at"]) <= self.story.now, "it was called so before its time"
        elif type_ == "job.rolled_back":
            assert data["model_version"] == "v1", "another version served before"
            self.held = None
        elif type_ == "job.lapsed":
            assert data["model_version"] != "v2", "its own version serves"
            assert data["model_version"] is None or "deployment" in self.passed
            self.held = None
        elif type_ == "job.closed":
            self._ended(data["outcome"])

    def _ended(self, outcome: str) -> None:
        """No version that did not hold, or that a person does not want, is left in service."""
        self.held = None
        if "deployment" in self.passed:
            kept = {"succeeded"} if "observation" in self.passed else set()
            assert outcome in {"rolled_back", "lapsed"} | kept, "its version is left in service"

    @invariant()
    def a_job_ends_once_and_nothing_comes_after(self) -> None:
        types = [data.TYPE for _, _, data in self.story.events]
        ends = Counter(types)["job.closed.v1"]
        assert ends <= 1
        assert not ends or types[-1] == "job.closed.v1"

    @invariant()
    def attempts_and_uses_of_the_holdout_are_bounded(self) -> None:
        job = self.story.jobs.jobs.get("j1")
        if job is not None:
            assert job.is_rolling_back or job.lost <= 2
        assert self.story.jobs.holdouts.used("march") <= 2

    @invariant()
    def a_person_s_job_was_approved_by_another_person(self) -> None:
        given = [
            (actor, data.to_data()["stage"])
            for _, actor, data in self.story.events
            if data.TYPE == "job.approved.v1"
        ]
        persons = [(self.story.authority.persons[actor], stage) for actor, stage in given]
        assert len(set(persons)) == len(persons)
        assert (
            not given
            or "ana" not in {person for person, _ in persons}
            or (self.story.job().proposer not in {ANA, "users/ana-2"})
        )
        if self.tokens:
            assert persons

    @invariant()
    def the_fold_agrees_on_who_has_it(self) -> None:
        job = self.story.jobs.jobs.get("j1")
        lease = None if job is None else job.lease
        assert (lease is None) == (self.held is None)


def test_no_order_of_events_breaks_a_promise_of_a_job() -> None:
    run_state_machine_as_test(JobMachine, settings=_settings(60))


@pytest.mark.slow
def test_ten_thousand_programs_break_no_promise_of_a_job() -> None:
    run_state_machine_as_test(JobMachine, settings=_settings(10_000))


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=40, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
