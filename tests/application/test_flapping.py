"""A signal that flaps at every score: the decisions on record change as seldom as the policy says.

Method: one model whose reports alternate between healthy and worst, hour by hour, through the
service; decisions are counted, replayed, and compared with a policy that has no hysteresis.
"""

from itertools import pairwise
from pathlib import Path

from ledger.events.decisions import DecisionMade
from ledger.events.values import parse_time
from tests.support.world import HOUR, START, World, policy_text, rule, signal_rule

HOURS = 60
DWELL = 24
FLAPPING = signal_rule(bucket="1h", window="1h", half_life="1h", transient=1)


def decided(path: Path, *, hold: str | None) -> list[DecisionMade]:
    """Return what is decided about a model that flaps, after a check that all of it replays."""
    path.mkdir()
    world = World(path / "l.sqlite")
    rules = [rule("bad", "priority >= 400000", hold=hold)]
    world.begin("m1", policy=policy_text(signals=[FLAPPING], rules=rules))
    for hour in range(HOURS):
        world.see("m1", 1.4 if hour % 2 else 0.4, START + hour * HOUR)
        world.settle()
    world.check_replay()
    made = world.decisions("m1")
    world.close()
    return made


def test_decisions_of_a_flapping_signal_change_as_seldom_as_its_hold_says(tmp_path: Path) -> None:
    bare = decided(tmp_path / "bare", hold=None)
    assert len(bare) >= HOURS - 2, "without a hold each flap is a decision"
    held = decided(tmp_path / "held", hold=f"priority >= 200000 || hours_in_force < {DWELL}")
    assert 1 <= len(held) <= 2 * (HOURS // DWELL + 1)
    begun = [parse_time(one.since) for one in held if one.action == "SCHEDULE_RETRAINING"]
    assert all(later - one >= DWELL * HOUR for one, later in pairwise(begun))


def test_a_window_that_asks_for_sustained_decay_takes_no_flap_for_it(tmp_path: Path) -> None:
    steady = FLAPPING | {"window": "12h", "sustain": 0.6, "min_buckets": 6, "transient": 0.2}
    world = World(tmp_path / "l.sqlite")
    rules = [rule("bad", 'signals["loss"].sustained')]
    world.begin("m1", policy=policy_text(signals=[steady], rules=rules))
    for hour in range(30):
        world.see("m1", 1.4 if hour % 2 else 0.4, START + hour * HOUR)
        world.settle()
    assert world.decisions("m1") == []
    world.close()


def test_the_cool_down_holds_back_what_a_flap_asks_for_after_a_deployment(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite")
    rules = [rule("bad", "priority >= 400000")]
    world.begin("m1", policy=policy_text(signals=[FLAPPING], rules=rules, cool_down="24h"))
    for hour in range(1, 40):
        world.see("m1", 1.4 if hour % 2 else 0.4, START + hour * HOUR)
        world.settle()
    asked = [one for one in world.decisions("m1") if one.rule == "bad"]
    for one in asked:
        is_cooling = one.environment.hours_since_deployed < 24
        assert (one.action, one.held_back) == (
            ("INVESTIGATE", "COOL_DOWN") if is_cooling else ("SCHEDULE_RETRAINING", None)
        )
    assert {one.action for one in asked} == {"INVESTIGATE", "SCHEDULE_RETRAINING"}
    world.close()
