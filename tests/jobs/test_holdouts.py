"""Data that is kept apart is used at most as often as the strictest recipe says, over all jobs."""

import pytest

from ledger.events.values import SECOND
from tests.support.job_stories import BOB, GATES, LEASE_SECONDS, ONE, Story

SPENT = "was used 2 times, and 2 are allowed"


def test_a_holdout_is_used_at_most_as_often_as_allowed_over_all_jobs() -> None:
    gates = [GATES[0], GATES[2]]
    story = Story()
    for name in ("j1", "j2", "j3"):
        assert not story.propose(job=name, gates=gates, model=name)
        assert not story.approve(BOB, job=name)
        assert not story.lease(job=name)
        assert not story.report(ONE, "data_integrity", job=name)
    for name in ("j1", "j2"):
        assert not story.report(ONE, "holdout", job=name)
    assert SPENT in story.report(ONE, "holdout", job="j3")
    assert SPENT in story.propose(job="j4", gates=gates, model="j4")
    assert story.jobs.holdouts.used == {"march": 2}
    assert story.job("j1").outcome == "succeeded"


@pytest.mark.parametrize("end", ["given up", "expired", "cancelled", "lapsed"])
def test_an_attempt_that_had_the_holdout_before_it_has_used_it_though_it_reports_nothing(
    end: str,
) -> None:
    story = Story().leased()
    assert not story.give_up(ONE, 1)  # before its gate: no use
    assert not story.lease()
    assert not story.report(ONE, "data_integrity")
    assert not story.report(ONE, "candidate")
    if end == "given up":
        assert not story.give_up(ONE, 2)
    elif end == "expired":
        story.now += LEASE_SECONDS * SECOND
        assert not story.expire(2)
    elif end == "cancelled":
        assert not story.cancel()
    else:
        assert not story.lapse(None)
    assert story.jobs.holdouts.used == {"march": 1}


def test_a_job_is_not_leased_for_a_holdout_that_is_used_up() -> None:
    story = Story()
    for name in ("j1", "j2"):
        assert not story.propose(job=name, gates=[GATES[0], GATES[2]], model=name)
        assert not story.approve(BOB, job=name)
    assert not story.lease(job="j1")
    assert not story.report(ONE, "data_integrity", job="j1")
    assert not story.report(ONE, "holdout", job="j1")
    assert not story.lease(job="j2")
    assert not story.report(ONE, "data_integrity", job="j2")
    assert not story.give_up(ONE, 1, job="j2")
    assert SPENT in story.lease(job="j2")


def test_the_strictest_bound_that_any_job_states_of_a_holdout_holds_for_all() -> None:
    story = Story()
    for name, most in (("j1", 9), ("j2", 1), ("j3", 5)):
        kept = GATES[2] | {"holdout": {"name": "march", "max_uses": most}}
        assert not story.propose(job=name, gates=[GATES[0], kept], model=name)
        assert not story.approve(BOB, job=name)
        assert not story.lease(job=name)
        assert not story.report(ONE, "data_integrity", job=name)
    assert not story.report(ONE, "holdout", job="j3")
    assert "was used 1 time, and 1 are allowed" in story.report(ONE, "holdout", job="j1")


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
        assert not story.propose(job=name, gates=[GATES[0], GATES[2]], model=name)
        assert not story.approve(BOB, job=name)
        assert not story.lease(job=name)
        assert not story.report(ONE, "data_integrity", job=name)
        assert not story.report(ONE, "holdout", job=name)
    assert story.jobs.holdouts.bounds == {"march": 2}


def test_a_use_of_a_holdout_counts_though_its_report_was_erased() -> None:
    story = Story().leased()
    assert not story.report(ONE, "data_integrity")
    assert not story.report(ONE, "candidate")
    story.jobs.apply(999, "jobs/j1", "gate.reported.v1", ONE, None, recorded_at=0)
    assert story.jobs.holdouts.used == {"march": 1}
