"""What a row of the priorities says, and what it leaves alone."""

from projections.priorities import CONTRIBUTIONS_MAX
from tests.support.builders import Story, signal_score
from tests.support.folds import priorities_of


def test_a_row_holds_description_version_score_decision_and_plan() -> None:
    story = Story().begin()
    story.registered("alpha", owner="ann")
    story.deployed("alpha", "v7")
    score = story.scored(
        "alpha",
        400_000,
        [signal_score("drift", share=250_000), signal_score("loss", share=750_000)],
    )
    decision = story.decided("alpha", "INVESTIGATE", rule="loud", run_id="runs/r1")
    plan = story.planned("w10", ["beta", "alpha"])
    row = priorities_of(story)["alpha"]
    assert row["described"] is not None
    assert (row["described"]["owner"], row["described"]["impact"]) == ("ann", 500_000)
    assert row["deployed"] is not None
    assert row["deployed"]["model_version"] == "v7"
    assert row["score"] is not None
    assert row["score"]["position"] == score.position
    assert [(part["signal"], part["points"]) for part in row["score"]["contributions"]] == [
        ("loss", 300_000),
        ("drift", 100_000),
    ]
    assert row["decision"] is not None
    assert row["decision"]["position"] == decision.position
    assert (row["decision"]["rule"], row["decision"]["run_id"]) == ("loud", "runs/r1")
    assert row["plan"] == {
        "plan": "w10",
        "place": 2,
        "outcome": "admitted",
        "rank": "999",
        "reason": "It is worth its cost.",
        "position": plan.position,
    }


def test_historical_scores_and_decisions_change_nothing() -> None:
    story = Story().begin()
    story.registered("alpha")
    story.scored("alpha", 100)
    story.decided("alpha", "INVESTIGATE")
    before = priorities_of(story)
    story.scored("alpha", 999, historical=True)
    story.decided("alpha", "SCHEDULE_RETRAINING", historical=True)
    assert priorities_of(story) == before


def test_a_model_outside_the_newest_plan_has_no_entry() -> None:
    story = Story().begin()
    story.registered("alpha")
    story.registered("beta")
    story.planned("w1", ["alpha", "beta"])
    story.planned("w2", ["beta"])
    rows = priorities_of(story)
    assert rows["alpha"]["plan"] is None
    assert rows["beta"]["plan"] is not None
    assert rows["beta"]["plan"]["place"] == 1


def test_a_retired_model_is_gone_for_good() -> None:
    story = Story().begin()
    story.registered("alpha")
    story.retired("alpha")
    story.scored("alpha", 5)
    story.planned("w1", ["alpha"])
    story.registered("alpha")
    assert priorities_of(story) == {}


def test_only_the_largest_contributions_are_kept() -> None:
    story = Story().begin()
    story.registered("alpha")
    parts = [signal_score(f"s{n:02d}", share=n * 1_000) for n in range(20)]
    story.scored("alpha", 500_000, parts)
    score = priorities_of(story)["alpha"]["score"]
    assert score is not None
    shares = [part["share"] for part in score["contributions"]]
    assert shares == [n * 1_000 for n in range(19, 19 - CONTRIBUTIONS_MAX, -1)]
