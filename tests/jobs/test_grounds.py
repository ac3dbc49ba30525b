"""A plan is the ground of a job as long as what it knew is still so."""

from typing import Any

import pytest

from ledger.events.values import DAY
from tests.support.job_stories import ONE, Story


def propose(story: Story, **changes: Any) -> str:  # noqa: ANN401 - members of the plan
    plan = story.plan(**changes)
    return story.propose(ONE, job="next", plan=plan, approvals=0)


def test_a_plan_that_knows_everything_is_a_ground() -> None:
    assert not propose(Story())
    assert not propose(Story(), bounded_by="core")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"newest": 200}, "was followed by one at position 200 by policy core"),
        ({"activated": 150}, "does not know the policy that came into force at 150"),
        ({"trained": 150}, "does not know the version trained since, deployed at 150"),
        ({"described": 150}, "does not know the description of fares at 150"),
        ({"bounded_by": "own"}, "is by policy core, and policy own bounds the jobs of fares"),
        ({"lacks_decision": True}, "no retraining of fares is in force any more"),
    ],
)
def test_a_plan_that_something_followed_is_none(changes: dict[str, Any], why: str) -> None:
    assert why in propose(Story(), **changes)


def test_a_plan_counts_for_one_period_of_its_policy() -> None:
    story = Story()
    story.plan(made_at=story.now - DAY, counts_for=DAY + 1)
    assert not story.propose(ONE, plan=story.position, approvals=0)
    story = Story()
    story.plan(made_at=story.now - DAY, counts_for=DAY)
    assert "counted until" in story.propose(ONE, plan=story.position, approvals=0)


def test_a_plan_is_none_for_a_model_of_which_it_did_not_see_a_job_begin_or_end() -> None:
    story = Story()
    assert not story.propose()
    before = story.position
    assert not story.cancel()
    assert "does not know job j1 of model fares, proposed since" in propose(story, as_of=before - 1)
    assert "does not know that job j1 of model fares is over" in propose(story, as_of=before)
    assert not propose(story)


def test_jobs_of_others_count_as_those_under_way_when_a_job_is_proposed() -> None:
    story = Story()
    assert not story.propose(job="of-tips", model="tips")
    assert "1 jobs are under way, and policy core allows 1" in propose(story, concurrency=1)
    assert not story.propose(job="of-other", model="other")
    assert not propose(story, concurrency=2), "models that are not of the plan do not count"


def test_a_job_under_the_plan_s_policy_counts_though_its_model_is_gone_from_the_plan() -> None:
    story = Story()
    assert not story.propose(job="of-gone", model="gone", policy="core", policy_version=1)
    assert "1 jobs are under way, and policy core allows 1" in propose(story, concurrency=1)
    assert not story.cancel(job="of-gone")
    assert not propose(story, concurrency=1)
