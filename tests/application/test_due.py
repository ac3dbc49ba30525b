"""What is due is not what is ordered: goal: a time far ahead keeps no honest model unscored.

Method: a ledger without threads whose evaluator is stepped by hand. In a `data` ledger one model
states a time years ahead; in a `wall` ledger the clock was ahead for a while and is set right.
"""

import pytest

from ledger.application.evaluation.due import DataTime
from ledger.application.signing.schedule import Sealer
from ledger.application.signing.seals import Seals
from ledger.events.values import SECOND, parse_time
from ledger.limits import LEAP_SECONDS_DEFAULT
from tests.application.conftest import MakeWorld
from tests.support.world import ANA, DAY, HOUR, START, World

BAD, GOOD = "1.4", "0.4"  # of the loss: critical, and as in training
AHEAD = START + 9 * 365 * DAY


def evaluated(world: World, model: str) -> list[tuple[str, int]]:
    """Return trigger and day of each of a model's scores."""
    return [
        (score.trigger, (parse_time(score.evaluated_at) - START) // DAY)
        for score in world.scores(model)
    ]


# ---- data: one time years ahead ------------------------------------------------------------------


def report(world: World, models: str, days: range) -> None:
    """Let models report once a day, all in one batch."""
    for day in days:
        at = START + day * DAY
        world.observe(*((model, "loss", "", BAD, at, 1) for model in models.split()))
        world.settle()


@pytest.mark.parametrize("then", ["at once", "after a restart"])
def test_one_time_years_ahead_of_one_model_keeps_no_other_from_being_scored(
    world: World, then: str
) -> None:
    world.begin("m1", "m2", interval="1h", silence="2d")
    report(world, "m1 m2", range(4))
    world.see("m1", GOOD, AHEAD)
    if then == "after a restart":
        world.restart()
    world.settle()
    report(world, "m1 m2", range(4, 9))
    assert evaluated(world, "m2") == [("ingest", day) for day in range(9)]
    world.check_replay()


@pytest.mark.parametrize("then", ["at once", "after a restart"])
def test_one_time_years_ahead_makes_no_other_model_look_silent(world: World, then: str) -> None:
    world.begin("m1", "m2", "m3", interval="1h", silence="2d")
    report(world, "m1 m2 m3", range(3))
    world.observe(*(("m1", signal, "", GOOD, AHEAD, 1) for signal in ("loss", "drift")))
    if then == "after a restart":
        world.restart()
    world.settle()
    report(world, "m1 m2", range(3, 6))
    assert evaluated(world, "m3") == [("ingest", day) for day in range(3)] + [("schedule", 4)]
    assert {trigger for trigger, _ in evaluated(world, "m2")} == {"ingest"}
    world.check_replay()


@pytest.mark.parametrize("models", [("m1", "m2"), ("m2",) * 501], ids=["two models", "501 times"])
def test_a_leap_that_a_second_time_confirms_is_confirmed_after_a_restart_too(
    world: World, models: tuple[str, ...]
) -> None:
    world.begin("m1", "m2", "m3", interval="1h", silence="2d")
    report(world, "m1 m2 m3", range(2))
    world.see("m2", GOOD, START + 41 * DAY)
    newest = START + 41 * DAY + HOUR  # stated more than once, so the next one is looked for
    world.observe(
        *((model, "loss", "", GOOD, newest, size) for size, model in enumerate(models, 1))
    )
    world.restart()
    world.settle()
    assert evaluated(world, "m3")[-1] == ("schedule", 41)
    world.check_replay()


def test_a_second_time_that_far_ahead_is_the_time_of_the_ledger(world: World) -> None:
    world.begin("m1", "m2", silence="2d")
    report(world, "m1 m2", range(2))
    world.see("m1", GOOD, AHEAD)
    world.settle()
    assert evaluated(world, "m2")[-1] == ("ingest", 1)
    world.see("m1", GOOD, AHEAD + HOUR)
    world.settle()
    assert evaluated(world, "m2")[-1] == ("schedule", 9 * 365)
    report(world, "m2", range(2, 6))  # an honest model is scored by its own times all the same
    assert evaluated(world, "m2")[-4:] == [("ingest", day) for day in range(2, 6)]
    world.check_replay()


def test_a_time_within_the_bound_counts_at_once() -> None:
    assert DataTime(LEAP_SECONDS_DEFAULT).now is None
    time = DataTime(LEAP_SECONDS_DEFAULT)
    time.observe([START])
    assert time.now == START
    time.observe([START + LEAP_SECONDS_DEFAULT * SECOND])
    assert time.now == time.newest == START + LEAP_SECONDS_DEFAULT * SECOND
    time.observe([AHEAD, AHEAD])
    assert (time.now, time.newest) == (START + LEAP_SECONDS_DEFAULT * SECOND, AHEAD)
    time.observe([AHEAD - 1])
    assert time.now == AHEAD


def test_the_model_with_the_slip_itself_goes_on_being_scored(world: World) -> None:
    world.begin("m1", interval="1h")
    report(world, "m1", range(2))
    world.see("m1", GOOD, AHEAD)
    world.settle()
    report(world, "m1", range(2, 4))
    assert len(world.scores()) == 5
    world.check_replay()


def test_what_comes_late_is_scored_once_the_interval_has_passed(world: World) -> None:
    world.begin("m1", interval="6h")
    report(world, "m1", range(2))
    world.see("m1", GOOD, START + HOUR)
    world.settle()
    world.clock.advance(6 * HOUR - 1)
    world.settle()
    assert len(world.scores()) == 2
    world.clock.advance(1)
    world.settle()
    assert len(world.scores()) == 3


def test_history_that_is_loaded_model_by_model_is_scored_at_each_models_own_pace(
    world: World,
) -> None:
    world.begin("m1", "m2", interval="1d", silence="300d")
    report(world, "m1", range(10))
    report(world, "m2", range(10))
    assert evaluated(world, "m2")[1:] == [("ingest", day) for day in range(10)]
    world.check_replay()


# ---- wall: a clock that was ahead ----------------------------------------------------------------


@pytest.mark.parametrize("ahead", [2 * HOUR, 40 * DAY])
def test_after_a_clock_that_was_ahead_is_right_again_models_are_scored_as_due(
    make_world: MakeWorld, ahead: int
) -> None:
    wall = make_world(clock="wall")
    wall.clock.step(ahead)
    wall.restart()
    wall.begin("m1", interval="1h", silence="1d")
    wall.see("m1", BAD, START)
    wall.settle()
    wall.clock.step(-ahead)
    wall.restart()
    for _ in range(8):
        wall.clock.advance(HOUR // 2)
        wall.see("m1", BAD, wall.clock.now_micros())
        wall.settle()
    times = [parse_time(score.evaluated_at) - START for score in wall.scores()]
    assert times == [0, HOUR // 2, 3 * HOUR // 2, 5 * HOUR // 2, 7 * HOUR // 2]
    for _ in range(4):
        wall.clock.advance(DAY // 2)
        wall.settle()
    assert [score.trigger for score in wall.scores()[-2:]] == ["ingest", "schedule"]
    recorded = [event.recorded_at for event in wall.ledger.log.events(limit=10_000)]
    assert recorded == sorted(recorded)
    wall.check_replay()


def test_a_seal_dated_by_a_clock_that_was_ahead_delays_no_other(make_world: MakeWorld) -> None:
    wall = make_world(clock="wall")
    wall.clock.step(40 * DAY)
    wall.restart()
    Seals(wall.store, wall.ledger.info).seal(ANA)
    wall.clock.step(-40 * DAY)
    wall.restart()
    wall.begin("m1")
    seals = Seals(wall.store, wall.ledger.info)
    assert Sealer(wall.ledger.info, seals, wall.clock, seconds=3_600.0).look()
