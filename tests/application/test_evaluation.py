"""When models are scored and what is recorded: goal: each sentence of `rules/1` and its schedule.

Method: a ledger without threads whose evaluator is stepped by hand, on both clocks; afterwards
everything that was recorded is replayed.
"""

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.policies import ScopePart
from ledger.events.values import parse_time
from tests.application.conftest import MakeWorld
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    START,
    World,
    defined,
    policy_text,
    reason_of,
    request,
)

BAD, GOOD = "1.4", "0.4"  # of the loss: critical, and as in training


# ---- when a model is scored ----------------------------------------------------------------------


def test_a_model_is_scored_at_most_once_an_interval(world: World) -> None:
    world.begin("m1", interval="6h")
    for hour in range(25):
        world.see("m1", GOOD, START + hour * HOUR)
        world.settle()
    times = [parse_time(score.evaluated_at) for score in world.scores("m1")]
    assert times == [START + hour * HOUR for hour in (0, 6, 12, 18, 24)]
    assert {score.trigger for score in world.scores("m1")} == {"ingest"}
    assert world.check_replay() == 5


def test_a_batch_of_many_observations_gives_one_score(world: World) -> None:
    world.begin("m1", "m2", interval="1h")
    rows = [(m, "loss", "", GOOD, START + n, 1) for n in range(300) for m in ("m1", "m2")]
    world.observe(*rows)
    world.settle()
    assert [len(world.scores(model)) for model in ("m1", "m2")] == [1, 1]


def test_silence_is_scored_on_schedule_at_the_time_of_the_data(world: World) -> None:
    world.begin("m1", "m2", silence="2d")
    for model in ("m1", "m2"):
        world.see(model, BAD, START)
    world.settle()
    for day in range(1, 7):
        world.see("m2", GOOD, START + day * DAY)
        world.settle()
    silent = world.scores("m1")
    assert [score.trigger for score in silent] == ["ingest", "schedule", "schedule", "schedule"]
    assert [parse_time(score.evaluated_at) for score in silent] == [
        START + day * DAY for day in (0, 2, 4, 6)
    ]
    freshness = [score.signals[0].freshness for score in silent]
    assert freshness == sorted(freshness, reverse=True)
    assert freshness[0] > freshness[-1]
    world.check_replay()


def test_silence_is_scored_on_schedule_at_the_time_of_the_wall_clock(wall: World) -> None:
    wall.begin("m1", silence="2d")
    wall.see("m1", BAD, START)
    wall.settle()
    for _ in range(8):
        wall.clock.advance(DAY // 2)
        wall.settle()
    assert [score.trigger for score in wall.scores()] == ["ingest", "schedule", "schedule"]
    assert parse_time(wall.scores()[-1].evaluated_at) == START + 4 * DAY
    wall.check_replay()


def test_shadow_scores_of_another_version_do_not_hide_silence(world: World) -> None:
    world.begin("m1", silence="2d")
    world.deploy("m1", "v2")
    world.see("m1", BAD, START)
    world.settle()
    for day in range(1, 7):
        world.see("m1", GOOD, START + day * DAY, version="v1")
        world.settle()
    assert [score.trigger for score in world.scores()] == ["ingest"] + ["schedule"] * 3
    world.check_replay()


def test_a_new_policy_forgets_no_silent_model(world: World) -> None:
    world.begin("m1", "m2", silence="2d")
    world.see("m1", BAD, START)
    world.see("m2", GOOD, START)
    world.settle()
    world.activate(policy_text(silence="3d"))
    for day in range(1, 8):
        world.see("m2", GOOD, START + day * DAY)
        world.settle()
    assert [score.policy_version for score in world.scores("m1")] == [1, 2, 2, 2]
    world.check_replay()


def test_a_restart_scores_nothing_that_was_not_due(world: World) -> None:
    world.begin("m1", interval="1h", silence="30d")
    world.see("m1", BAD, START)
    world.settle()
    for _ in range(3):
        world.clock.advance(DAY)
        world.restart()
        world.settle()
    assert len(world.scores()) == 1
    world.see("m1", BAD, START + DAY)
    world.restart()
    world.settle()
    assert [score.trigger for score in world.scores()] == ["ingest", "ingest"]
    world.check_replay()


def test_before_anything_was_observed_a_data_ledger_has_no_time_to_score_at(world: World) -> None:
    world.begin("m1")
    world.settle()
    assert world.scores() == []


def test_models_without_a_version_a_policy_or_a_future_are_left_alone(world: World) -> None:
    world.begin("m1", "m2")
    world.register("bare")
    world.ledger.commands.retire_model(ANA, "m2", "over")
    world.see("m1", BAD, START)
    world.see("bare", BAD, START, version="v1")
    world.settle()
    assert {score.model for score in world.scores()} == {"m1"}


def test_without_a_policy_nothing_is_scored_until_there_is_one(make_world: MakeWorld) -> None:
    world = make_world()
    only = ScopePart(kind="model", model="m1", labels={})
    world.begin("m1", "m2")
    other = make_world("other")
    for signal in world.ledger.fleet.signals():
        other.ledger.definitions.define(ANA, defined(signal.name))
    for model in ("m1", "m2"):
        other.register(model)
        other.deploy(model, "v1")
        other.see(model, BAD, START)
    other.settle()
    assert other.scores() == []
    other.activate(policy_text(), scope=only)
    other.settle()
    assert {score.model for score in other.scores()} == {"m1"}
    other.check_replay()


# ---- when a decision is recorded -----------------------------------------------------------------


def test_a_decision_is_recorded_when_the_outcome_changes_or_on_request(world: World) -> None:
    world.begin("m1", interval="1h")
    for hour, value in enumerate([GOOD, GOOD, *[BAD] * 3, *[GOOD] * 30]):
        world.see("m1", value, START + hour * 12 * HOUR)
        world.settle()
    assert len(world.scores()) == 35
    assert [made.action for made in world.decisions()] == ["SCHEDULE_RETRAINING", "NO_ACTION"]
    world.evaluate("m1")
    world.evaluate("m1")
    assert [made.action for made in world.decisions()][2:] == ["NO_ACTION"] * 2
    assert [made.trigger for made in world.decisions()][2:] == ["request"] * 2
    assert len(world.scores()) == 37, "each request recorded its score too"
    world.check_replay()


def test_a_decision_cites_its_score_and_both_state_their_horizon(world: World) -> None:
    world.begin("m1")
    seen = world.see("m1", BAD, START)
    world.settle()
    scored, made = world.events("score.computed.v1", "decision.made.v2")
    decided = world.decisions()[0]
    assert decided.score_position == scored.position == made.position - 1
    assert scored.body.causation_position == seen.last_position
    assert made.body.causation_position == scored.position
    for data in (world.scores()[0], decided):
        assert (data.as_of, data.model_version) == (seen.last_position, "v1")
        assert (data.policy, data.policy_version, data.kernel) == ("main", 1, "bucketed/1")


def test_evaluation_answers_in_the_order_asked_and_all_at_once(world: World) -> None:
    world.begin("m1", "m2", "m3")
    decided = world.evaluate("m3", "m1", "m2")
    assert [one.decision.model for one in decided] == ["m3", "m1", "m2"]
    assert len({one.decision.as_of for one in decided}) == 1
    world.check_replay()


@pytest.mark.parametrize(
    ("models", "at", "reason"),
    [
        ([], None, Reason.FIELD_INVALID),
        (["m1", "m1"], None, Reason.FIELD_INVALID),
        (["m1"], -1, Reason.FIELD_INVALID),
        (["m1"], 10**19, Reason.FIELD_INVALID),
        (["m1"], START + DAY + 1, Reason.FIELD_INVALID),
        (["m1", "nobody"], None, Reason.MODEL_UNKNOWN),
        ([""], None, Reason.MODEL_UNKNOWN),
        (["m1", "unruled"], None, Reason.POLICY_NOT_IN_FORCE),
    ],
)
def test_what_cannot_be_evaluated_is_refused_whole(
    make_world: MakeWorld, models: list[str], at: int | None, reason: Reason
) -> None:
    world = make_world()
    world.begin("m1", policy=policy_text())
    scoped = make_world("scoped")
    for signal in world.ledger.fleet.signals():
        scoped.ledger.definitions.define(ANA, defined(signal.name))
    for model in ("m1", "unruled"):
        scoped.register(model)
        scoped.deploy(model, "v1")
    scoped.activate(policy_text(), scope=ScopePart(kind="model", model="m1", labels={}))
    scoped.see("m1", GOOD, START + DAY)
    before = scoped.head
    with pytest.raises(LedgerError) as error:
        scoped.ledger.decisions.evaluate(ANA, models, at)
    assert reason_of(error) is reason
    assert scoped.head == before


def test_a_repeated_evaluation_gets_its_first_answer(world: World) -> None:
    world.begin("m1")
    world.see("m1", BAD, START)
    first = world.ledger.decisions.evaluate(request("e"), ["m1"], None)
    world.see("m1", GOOD, START + DAY)
    world.ledger.commands.retire_model(ANA, "m1", "over")
    again = world.ledger.decisions.evaluate(request("e"), ["m1"], None)
    assert again.decided == first.decided
    assert again.written.repeated


# ---- historical evaluations ----------------------------------------------------------------------


def test_an_evaluation_at_an_earlier_time_changes_nothing_that_is_in_force(world: World) -> None:
    world.begin("m1", max_priority_step=0.1)
    for day in range(10):
        world.see("m1", BAD if day > 4 else GOOD, START + day * DAY)
        world.settle()
    twin_of = world.evaluate("m1")[0]
    (past,) = world.evaluate("m1", at=START + DAY)
    assert past.decision.historical
    assert past.score.historical
    assert past.score.raw_priority == 0, "at that time all was well"
    assert past.run_id is None
    after = world.evaluate("m1")[0]
    assert after.decision.environment.in_force == twin_of.decision.action == "SCHEDULE_RETRAINING"
    assert after.decision.since == twin_of.decision.since
    assert after.run_id == twin_of.run_id is not None
    assert after.score.raw_priority == twin_of.score.raw_priority
    assert after.score.priority == min(
        after.score.raw_priority, twin_of.score.priority + 100_000
    ), "the last score that bounds the change is the one before the historical"
    world.check_replay()


def test_a_time_that_no_observation_follows_is_the_present_and_is_not_called_historical(
    wall: World,
) -> None:
    wall.begin("m1")
    wall.see("m1", BAD, START)
    wall.clock.advance(2 * HOUR)
    wall.see("m1", BAD, START + HOUR, version="v0")  # a shadow does not count
    assert not wall.evaluate("m1", at=START)[0].decision.historical
    assert wall.evaluate("m1", at=START - 1)[0].decision.historical
    for at in (START + 1, START + HOUR, START + 2 * HOUR, START + 2 * HOUR + 1):
        with pytest.raises(LedgerError) as error:
            wall.evaluate("m1", at=at)
        assert error.value.reason is Reason.FIELD_INVALID
        assert error.value.metadata["field"] == "at"
        assert "Leave it empty to evaluate now" in error.value.remedy
    assert "the newest observation that counts for model m1" in str(
        refused(wall, START + HOUR).message
    )
    wall.check_replay()


def refused(world: World, at: int) -> LedgerError:
    with pytest.raises(LedgerError) as error:
        world.evaluate("m1", at=at)
    return error.value


def test_where_nothing_is_selected_the_newest_observation_of_the_ledger_is_the_bound(
    wall: World,
) -> None:
    wall.begin("m1", "m2")
    assert "no data was recorded yet" in refused(wall, START - 1).message
    wall.see("m2", BAD, START)
    assert wall.evaluate("m1", at=START - 1)[0].decision.historical
    wall.clock.advance(HOUR)
    assert "newest observation of this ledger" in refused(wall, START).message
    wall.check_replay()


def test_the_evaluator_is_not_put_off_by_a_historical_score(world: World) -> None:
    world.begin("m1", interval="1h")
    world.see("m1", GOOD, START)
    world.settle()
    world.see("m1", BAD, START + 2 * HOUR)
    world.evaluate("m1", at=START)
    world.settle()
    assert [score.historical for score in world.scores()] == [False, True, False]
    world.check_replay()
