"""What a row of the signals says: latest value by its own time, trend and breach state by score."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.signal_rows import SignalRow, signal_rows
from projections.signals import SignalsProjection
from tests.support.builders import HOUR, START, Story, signal_score
from tests.support.folds import folded


def rows_of(story: Story, model: str | None = None) -> list[SignalRow]:
    """Return the rows of signals at a story's end."""
    return signal_rows(folded(SignalsProjection(), story).rows.snapshot(), model)


def _only(story: Story) -> SignalRow:
    (row,) = rows_of(story)
    return row


def _fleet() -> Story:
    story = Story().begin()
    story.registered("alpha")
    story.deployed("alpha", "v1")
    return story


def test_the_latest_value_is_the_newest_by_its_own_time_not_by_arrival() -> None:
    story = _fleet()
    newest = story.observed("alpha", "drift", 300_000_000, at=START + 2 * HOUR, sample_size=7)
    story.observed("alpha", "drift", 100_000_000, at=START)
    story.observed("alpha", "drift", 250_000_000, at=START + HOUR)
    row = _only(story)
    assert row["latest"] == {
        "value": "0.3",
        "observed_at": "2026-03-01T02:00:00.000000Z",
        "position": newest.position,
        "sample_size": 7,
        "source": "services/monitor",
        "model_version": "v1",
        "deployment": 4,
    }
    assert row["previous"] is not None
    assert row["previous"]["value"] == "0.25"
    assert (row["change"], row["count"]) == ("0.05", 3)


def test_of_two_values_at_one_time_the_later_position_is_the_latest() -> None:
    story = _fleet()
    story.observed("alpha", "drift", 1)
    story.observed("alpha", "drift", 2)
    row = _only(story)
    assert row["latest"] is not None
    assert row["latest"]["value"] == "0.000000002"


@given(hours=st.permutations(range(6)))
def test_arrival_in_any_order_shows_the_same_two_newest_values(hours: list[int]) -> None:
    story = _fleet()
    for hour in hours:
        story.observed("alpha", "drift", hour * 10**9, at=START + hour * HOUR)
    row = _only(story)
    assert row["latest"] is not None
    assert row["previous"] is not None
    assert (row["latest"]["value"], row["previous"]["value"]) == ("5", "4")


def test_shadow_observations_are_counted_but_are_not_the_latest_value() -> None:
    story = _fleet()
    story.observed("alpha", "drift", 10**9)
    story.observed("alpha", "drift", 9 * 10**9, at=START + HOUR, version="v0")
    row = _only(story)
    assert row["latest"] is not None
    assert row["latest"]["value"] == "1"
    assert (row["count"], row["shadow_count"]) == (1, 1)


def test_after_a_deployment_its_first_value_is_the_latest_even_if_its_time_is_older() -> None:
    story = _fleet()
    story.observed("alpha", "drift", 10**9, at=START + 5 * HOUR)
    story.deployed("alpha", "v2")
    story.observed("alpha", "drift", 2 * 10**9, at=START + HOUR, version="v2")
    row = _only(story)
    assert row["latest"] is not None
    assert row["latest"]["model_version"] == "v2"
    assert row["change"] == "1"


def test_the_change_between_the_largest_numbers_is_exact() -> None:
    story = _fleet()
    story.observed("alpha", "drift", -(10**21) + 1)
    story.observed("alpha", "drift", 10**21 - 1)
    assert _only(story)["change"] == "1999999999999.999999998"


@pytest.mark.parametrize(
    ("outputs", "state"),
    [
        ({"observations": 0}, "silent"),
        ({}, "ok"),
        ({"streak": 1, "trend": 3}, "breaching"),
        ({"streak": 0, "sustained": True}, "sustained"),
    ],
)
def test_the_breach_state_is_that_of_the_last_score(outputs: dict[str, int], state: str) -> None:
    story = _fleet()
    story.observed("alpha", "drift", 1)
    assert _only(story)["state"] == "unscored"
    story.scored("alpha", 1, [signal_score("drift", **outputs)])
    story.scored("alpha", 1, [signal_score("drift", streak=9)], historical=True)
    row = _only(story)
    assert row["state"] == state
    assert row["score"] is not None
    assert row["score"]["trend"] == outputs.get("trend", 0)


def test_a_signal_that_was_never_reported_shows_as_silent_once_a_score_misses_it() -> None:
    story = _fleet()
    story.scored("alpha", 1, [signal_score("drift", observations=0)])
    row = _only(story)
    assert (row["state"], row["latest"], row["count"]) == ("silent", None, 0)


def test_a_signal_the_policy_no_longer_reads_loses_its_state() -> None:
    story = _fleet()
    story.observed("alpha", "drift", 1)
    story.scored("alpha", 1, [signal_score("drift"), signal_score("gone", observations=0)])
    story.scored("alpha", 1, [signal_score("loss", observations=0)])
    assert [(row["signal"], row["state"]) for row in rows_of(story)] == [
        ("drift", "unscored"),
        ("loss", "silent"),
    ]


def test_rows_are_listed_by_model_and_signal_and_can_be_asked_for_one_model() -> None:
    story = Story().begin()
    for model in ("b", "a-b", "a"):
        for signal in ("y", "x"):
            story.observed(model, signal, 1)
    listed = [(row["model"], row["signal"]) for row in rows_of(story)]
    assert listed == [(m, s) for m in ("a", "a-b", "b") for s in ("x", "y")]
    assert [row["signal"] for row in rows_of(story, "a")] == ["x", "y"]


def test_a_retired_model_leaves_no_rows() -> None:
    story = _fleet()
    story.observed("alpha", "drift", 1)
    story.retired("alpha")
    story.observed("alpha", "drift", 2)
    assert rows_of(story) == []
