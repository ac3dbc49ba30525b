"""The queue's order, and who moved and why in words a person can check."""

import pytest

from projections.priorities import PriorityRow
from projections.ranking import moves, ranked
from tests.support.builders import Story, signal_score
from tests.support.folds import priorities_of


def _order(rows: dict[str, PriorityRow], order: str = "priority") -> list[str]:
    places = ranked(rows, "plan" if order == "plan" else "priority")
    assert [place.rank for place in places] == list(range(1, len(places) + 1))
    return [place.row["model"] for place in places]


@pytest.fixture
def story() -> Story:
    """Return a ledger with three models."""
    story = Story().begin()
    for model in ("a", "b", "c"):
        story.registered(model)
    return story


def test_models_are_ranked_by_priority_then_name_and_the_unscored_come_last(story: Story) -> None:
    story.scored("c", 700)
    story.scored("b", 700)
    assert _order(priorities_of(story)) == ["b", "c", "a"]


def test_by_plan_the_backlog_comes_first_in_its_order(story: Story) -> None:
    story.scored("a", 100)
    story.scored("b", 700)
    story.planned("w1", ["c", "a"])
    assert _order(priorities_of(story), "plan") == ["c", "a", "b"]


def test_nothing_moved_between_equal_rows(story: Story) -> None:
    story.scored("a", 100)
    assert moves(priorities_of(story), priorities_of(story)) == []


def test_a_move_names_the_signal_that_moved_most_and_whom_it_overtook(story: Story) -> None:
    story.scored("a", 500_000)
    story.scored("b", 300_000, [signal_score("drift", share=1_000_000)])
    before = priorities_of(story)
    parts = [signal_score("drift", share=500_000), signal_score("loss", share=500_000)]
    story.scored("b", 800_000, parts)
    story.decided("b", "SCHEDULE_RETRAINING", rule="loud")
    up, down = moves(before, priorities_of(story))
    assert (up.model, up.rank_before, up.rank_after) == ("b", 2, 1)
    assert up.why == (
        "Its priority rose from 30.0% to 80.0%, mostly by signal loss, whose contribution went "
        "from 0.0% to 40.0%; its action became SCHEDULE_RETRAINING by rule loud."
    )
    assert (down.model, down.rank_before, down.rank_after) == ("a", 1, 2)
    assert down.why == "Its own priority is unchanged; b went above it."


def test_a_fall_after_a_retraining_names_the_version(story: Story) -> None:
    story.deployed("b", "v1")
    story.scored("a", 500_000)
    story.scored("b", 700_000, [signal_score("loss", share=1_000_000)])
    before = priorities_of(story)
    story.deployed("b", "v2", replaces="v1")
    story.scored("b", 100_000, [signal_score("loss", share=1_000_000)])
    why = {move.model: move.why for move in moves(before, priorities_of(story))}
    assert why["b"] == (
        "Version v2 went into service in place of v1; its priority fell from 70.0% to 10.0%, "
        "mostly by signal loss, whose contribution went from 70.0% to 10.0%."
    )
    assert why["a"] == "Its own priority is unchanged; b went below it or left."


@pytest.mark.parametrize(
    ("deployments", "words"),
    [
        ([("v2", "trained")], "Version v2 went into service in place of v1; "),
        ([("v0", "reinstated")], "Version v0 was put back into service in place of v1; "),
        ([("v2", "trained"), ("v1", "reinstated")], "Version v1 was put into service again; "),
        ([("v1", "reinstated")], "Version v1 was put into service again; "),
    ],
)
def test_no_version_is_said_to_replace_itself(
    story: Story, deployments: list[tuple[str, str]], words: str
) -> None:
    story.deployed("b", "v1")
    story.scored("b", 100)
    before = priorities_of(story)
    for version, kind in deployments:
        story.deployed("b", version, kind=kind)
    story.scored("b", 200)
    story.decided("b", "SCHEDULE_RETRAINING", rule="loud")
    (move,) = moves(before, priorities_of(story))
    assert move.why.startswith(words)


def test_a_new_policy_is_named(story: Story) -> None:
    story.scored("a", 100)
    story.scored("b", 50)
    before = priorities_of(story)
    story.scored("b", 200, policy_version=2, policy_digest="cd" * 32)
    (move, _) = moves(before, priorities_of(story))
    assert move.why.startswith("Policy delay version 2 took over from delay version 1; ")


def test_joining_leaving_and_first_scores_are_said(story: Story) -> None:
    story.scored("a", 100)
    before = priorities_of(story)
    story.retired("a")
    story.registered("d")
    story.registered("e")
    story.scored("e", 900)
    story.scored("c", 50)
    why = {move.model: move.why for move in moves(before, priorities_of(story))}
    assert why["a"] == "It was retired."
    assert why["d"] == "It joined the fleet and has no score yet."
    assert why["e"] == "It joined the fleet, with priority 0.0%."
    assert why["b"].startswith("Its own priority is unchanged; ") or "b" not in why
