"""Data that is kept apart is used at most as often as the strictest recipe says, over all jobs."""

import pytest

from ledger.events.values import SECOND
from ledger.jobs.machine import Jobs
from tests.support.job_stories import BOB, GATES, LEASE_SECONDS, ONE, Story

SPENT = "holdout march was used 2 times, and 2 are allowed"


def begun(story: Story, job: str, most: int = 2) -> None:
    """Have a job whose next gate but one is the holdout leased."""
    kept = GATES[2] | {"holdout": {"name": "march", "max_uses": most}}
    assert not story.propose(job=job, gates=[GATES[0], kept], model=job)
    assert not story.approve(BOB, job=job)
    assert not story.lease(job=job)


def test_a_holdout_is_used_at_most_as_often_as_allowed_over_all_jobs() -> None:
    story = Story()
    for name in ("j1", "j2", "j3"):
        begun(story, name)
    for name in ("j1", "j2", "j3"):
        assert not story.report(ONE, "data_integrity", job=name)
    assert story.jobs.holdouts.used("march") == 2
    for name in ("j1", "j2"):
        assert not story.report(ONE, "holdout", job=name)
        assert story.job(name).outcome == "succeeded"
    # The third one failed before its executor could look at the data.
    ended = story.job("j3")
    assert (ended.state, ended.outcome, ended.why) == ("closed", "failed", f"The {SPENT}.")
    assert "is over" in story.report(ONE, "holdout", job="j3")
    assert SPENT in story.propose(job="j4", gates=[GATES[0], GATES[2]], model="j4")
    assert story.jobs.holdouts.used("march") == 2


@pytest.mark.parametrize("end", ["given up", "expired", "cancelled", "lapsed"])
def test_an_attempt_that_had_the_holdout_before_it_has_used_it_though_it_reports_nothing(
    end: str,
) -> None:
    story = Story().leased()
    assert not story.give_up(ONE, 1)  # before its gate: no use
    assert not story.lease()
    assert not story.report(ONE, "data_integrity")
    assert story.jobs.holdouts.used("march") == 0
    assert not story.report(ONE, "candidate")
    assert story.jobs.holdouts.used("march") == 1
    if end == "given up":
        assert not story.give_up(ONE, 2)
    elif end == "expired":
        story.now += LEASE_SECONDS * SECOND
        assert not story.expire(2)
    elif end == "cancelled":
        assert not story.cancel()
    else:
        assert not story.lapse(None)
    assert story.jobs.holdouts.used("march") == 1


@pytest.mark.parametrize(("most", "outcome"), [(1, "failed"), (2, "")])
def test_the_next_attempt_has_a_use_of_its_own_or_the_job_fails_at_once(
    most: int, outcome: str
) -> None:
    story = Story()
    begun(story, "j1", most)
    assert not story.report(ONE, "data_integrity", job="j1")
    assert not story.give_up(ONE, 1, job="j1")
    assert story.job("j1").outcome == outcome
    assert story.jobs.holdouts.used("march") == most
    if not outcome:  # it keeps its use until an executor leases it again
        assert not story.lease(job="j1")
        assert not story.report(ONE, "holdout", job="j1")
        assert story.job("j1").outcome == "succeeded"


def test_a_use_that_no_executor_had_is_free_again_once_the_job_is_over() -> None:
    story = Story()
    begun(story, "j1")
    assert not story.report(ONE, "data_integrity", job="j1")
    assert not story.give_up(ONE, 1, job="j1")
    assert story.jobs.holdouts.used("march") == 2
    assert not story.cancel(job="j1")
    assert story.jobs.holdouts.used("march") == 1


def test_the_strictest_bound_that_any_job_states_of_a_holdout_holds_for_all() -> None:
    story = Story()
    for name, most in (("j1", 9), ("j2", 1), ("j3", 5)):
        begun(story, name, most)
    assert not story.report(ONE, "data_integrity", job="j3")
    assert not story.report(ONE, "data_integrity", job="j1")
    assert story.job("j1").why == "The holdout march was used 1 time, and 1 are allowed."


@pytest.mark.parametrize("end", ["denied", "cancelled", "lapsed", "waiting"])
def test_a_bound_of_a_job_that_nobody_took_holds_for_no_other(end: str) -> None:
    story = Story()
    strict = GATES[2] | {"holdout": {"name": "march", "max_uses": 1}}
    assert not story.propose(job="j0", gates=[GATES[0], strict], model="j0")
    if end == "denied":
        assert not story.deny(BOB, job="j0")
    elif end == "cancelled":
        assert not story.cancel(job="j0")
    elif end == "lapsed":
        assert not story.lapse(None, job="j0")
    for name in ("j1", "j2"):
        begun(story, name)
        assert not story.report(ONE, "data_integrity", job=name)
        assert not story.report(ONE, "holdout", job=name)
    assert story.jobs.holdouts.bounds == {"march": 2}


@pytest.mark.parametrize("erased", ["gate.judged.v1", "gate.reported.v1"])
def test_a_use_of_a_holdout_counts_though_an_event_of_it_was_erased(erased: str) -> None:
    story = Story().leased()
    for name in ("data_integrity", "candidate", "holdout"):
        assert not story.report(ONE, name)
    again, position, is_behind = Jobs(), 100, 0
    for job, actor, data in story.events:
        position += 1
        is_behind += data.TYPE == "gate.judged.v1" and data.to_data()["gate"] == "candidate"
        is_gone = is_behind == 1 and erased == data.TYPE
        is_behind += is_gone
        told = position, f"jobs/{job}", data.TYPE, actor
        again.apply(*told, None if is_gone else data.to_data(), recorded_at=0)
    assert again.jobs["j1"].state == "unreadable"
    assert again.holdouts.used("march") == 1
