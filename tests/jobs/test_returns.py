"""A version that a job has deployed goes back, or the job lapses, by the events that may come."""

import pytest

from ledger.events.jobs import JobDeployed
from ledger.events.values import SECOND, format_time
from tests.support.job_stories import (
    BOB,
    LEASE_SECONDS,
    ONE,
    TWO,
    WINDOW_SECONDS,
    Story,
    gate,
)


def outcome(story: Story) -> tuple[str, str]:
    return story.job().state, story.job().outcome


def test_a_return_is_not_given_up_so_that_its_attempts_do_not_follow_without_a_pause() -> None:
    story = Story().observing()
    assert "is deployed and observed" in story.give_up(ONE, 2)
    assert not story.cancel(BOB)
    assert not story.lease(TWO)
    assert "a return is not given up" in story.give_up(TWO, story.job().token)
    assert not story.take_back(TWO)


def test_a_version_goes_back_if_its_observation_does_not_pass() -> None:
    story = Story().observing()
    assert not story.report(ONE, "observation", 100)
    assert "the observation is not over" in story.observe()
    story.now += WINDOW_SECONDS * SECOND
    assert "does" in story.observe(TWO)
    assert not story.observe()
    assert story.job().state == "rolling_back"
    assert not story.lease(TWO)
    assert "to be taken back" in story.report(TWO, "observation")
    assert not story.take_back(TWO)
    assert outcome(story) == ("closed", "rolled_back")


def test_a_lost_lease_while_a_version_goes_back_is_offered_again_without_end() -> None:
    story = Story().observing()
    assert not story.cancel(BOB)
    assert story.job().state == "rolling_back"
    for _ in range(5):
        assert not story.lease(TWO)
        story.now += LEASE_SECONDS * SECOND
        assert not story.expire(story.job().token)
    assert not story.lease(ONE)
    assert not story.take_back()
    assert outcome(story) == ("closed", "rolled_back")


def test_a_first_version_cannot_go_back_so_its_job_fails() -> None:
    story = Story()
    first = gate("observation", 'metrics["loss"] < 1', window_seconds=60)
    assert not story.propose(gates=[gate("deployment"), first], serving=None)
    assert not story.approve(BOB)
    assert not story.lease()
    until = format_time(story.now + 60 * SECOND)
    deployed = JobDeployed(
        job="j1",
        token=1,
        model_version="v1",
        replaces=None,
        in_service_at=format_time(story.now),
        observed_until=until,
    )
    assert not story.add(ONE, story.reported("deployment"), deployed)
    story.now += 60 * SECOND
    assert not story.observe()
    assert outcome(story) == ("closed", "failed")
    assert "No version served before" in story.job().why


def test_a_cancel_changes_nothing_of_a_version_that_goes_back() -> None:
    story = Story().observing()
    assert not story.cancel()
    assert "v2 is being taken back, and a cancel would leave it there" in story.cancel()
    assert not story.lease(TWO)
    assert "v2 is being taken back" in story.cancel(BOB)
    assert not story.take_back(TWO)
    assert outcome(story) == ("closed", "rolled_back")


@pytest.mark.parametrize("state", ["observing", "rolling_back", "leased"])
def test_a_job_lapses_once_another_version_serves_whatever_its_executor_does(state: str) -> None:
    story = Story().observing()
    if state != "observing":
        story.now += WINDOW_SECONDS * SECOND
        assert not story.observe()
    if state == "leased":
        assert not story.lease(TWO)
    assert story.job().state == state
    assert "does" in story.lapse(actor=TWO)
    assert "v2 is its own version" in story.lapse("v2")
    assert not story.lapse()
    assert outcome(story) == ("closed", "lapsed")
    said = "Nothing is left to do: v3 was put in its place by users/eve."
    failed = "" if state == "observing" else "The gate observation was not passed. "
    assert story.job().why == failed + said
    assert "is over" in story.take_back(TWO)


@pytest.mark.parametrize("state", ["ready", "leased", "awaiting", "observing"])
def test_every_open_job_lapses_with_its_model(state: str) -> None:
    story = getattr(Story(), state)()
    if state != "observing":
        assert "it has deployed no version" in story.lapse()
    assert not story.lapse(None)
    assert outcome(story) == ("closed", "lapsed")
    assert story.job().why == "Nothing is left to do: its model was retired by users/eve."
    assert "is over" in story.lapse(None)


def test_a_return_is_overdue_once_no_executor_took_it_up_for_as_long_as_a_lease_lasts() -> None:
    story = Story().observing()
    assert not story.cancel()
    assert story.job().return_due_at == story.now + LEASE_SECONDS * SECOND
    assert "is not over" in story.call_overdue()
    story.now += LEASE_SECONDS * SECOND
    assert "does" in story.call_overdue(actor=ONE)
    assert "was to be taken up until" in story.call_overdue(late=1)
    assert not story.call_overdue()
    assert "on record already" in story.call_overdue()
    assert not story.lease(TWO)
    assert story.job().return_due_at is None
    story.now += LEASE_SECONDS * SECOND
    assert not story.expire(story.job().token)
    assert (story.job().is_overdue, story.job().waits_since) == (False, story.now)
    story.now += LEASE_SECONDS * SECOND
    assert not story.call_overdue()
    assert not story.lease(ONE)
    assert not story.take_back()


def test_a_version_that_served_before_is_the_only_one_that_a_job_returns_to() -> None:
    story = Story().observing(fall_back=["v0"])
    assert story.job().returns_to == ("v1",)
    assert not story.cancel()
    assert not story.lease()
    assert "may serve instead of v2 is v1" in story.take_back(version="v0")
    assert not story.take_back()
