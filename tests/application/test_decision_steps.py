"""The steps of `rules/1` in a ledger: goal: each sentence of the procedure, seen in its events.

Method: short stories that come down to one step each, evaluated as they happen; afterwards
everything that was recorded is replayed.
"""

from ledger.events.policies import ScopePart
from ledger.events.values import format_time, parse_time
from tests.support.world import (
    DAY,
    HOUR,
    START,
    World,
    policy_text,
    rule,
    signal_rule,
)

BAD, GOOD = "1.4", "0.4"  # of the loss: critical, and as in training


def test_the_most_specific_scope_wins_then_the_latest(world: World) -> None:
    world.begin("m1", "m2")
    world.register("m3", labels={"region": "west"})
    world.deploy("m3", "v1")
    east = ScopePart(kind="labels", model=None, labels={"region": "east"})
    one = ScopePart(kind="model", model="m1", labels={})
    tiers = {"east": east, "one": one}
    for name, scope in tiers.items():
        world.activate(policy_text(), policy=name, scope=scope)
    world.activate(policy_text())
    got = {one.decision.model: one.decision for one in world.evaluate("m1", "m2", "m3")}
    assert {name: made.policy for name, made in got.items()} == {
        "m1": "one",
        "m2": "east",
        "m3": "main",
    }
    assert got["m3"].policy_version == 2
    world.activate(policy_text(), policy="newer", scope=east)
    world.update("m3", labels={"region": "east", "more": "x"})
    got = {one.decision.model: one.decision for one in world.evaluate("m1", "m2", "m3")}
    assert [got[name].policy for name in ("m1", "m2", "m3")] == ["one", "newer", "newer"]
    world.check_replay()


def test_hysteresis_holds_a_rule_by_its_own_limit(world: World) -> None:
    held = rule("bad", "priority >= 600000", hold="priority >= 300000")
    world.begin("m1", rules=[held], signals=[signal_rule(half_life="12h", window="4d")])
    actions = []
    for day, value in enumerate([1.2, 1.0, 0.9, 0.5, 0.5, 0.9, 0.9]):
        world.see("m1", value, START + day * DAY, size=10_000)
        world.settle()
        now = world.scores()[-1].priority
        actions.append((now, world.decisions()[-1].action == "SCHEDULE_RETRAINING"))
    is_held = False
    for priority, is_in_force in actions:
        is_held = priority >= (300_000 if is_held else 600_000)
        assert is_in_force is is_held
    assert any(p < 600_000 and held for p, held in actions), "the hold mattered"
    assert any(p >= 300_000 and not held for p, held in actions), "so did the entry"
    world.check_replay()


def test_within_the_cool_down_retraining_is_held_back(world: World) -> None:
    world.begin("m1", cool_down="48h")
    for hours in (0, 47, 48):
        world.see("m1", BAD, START + hours * HOUR)
        world.settle()
    made = [(one.action, one.held_back) for one in world.decisions()]
    assert made == [("INVESTIGATE", "COOL_DOWN"), ("SCHEDULE_RETRAINING", None)]
    world.deploy("m1", "v2", at=START + 60 * HOUR)
    world.see("m1", BAD, START + 61 * HOUR)
    world.settle()
    assert world.decisions()[-1].held_back == "COOL_DOWN"
    world.check_replay()


def test_bounded_change_walks_to_the_raw_priority_and_starts_again_with_a_version(
    world: World,
) -> None:
    world.begin("m1", max_priority_step=0.1, rules=[])
    world.see("m1", GOOD, START)
    world.settle()
    for day in range(1, 4):
        world.see("m1", BAD, START + day * DAY, size=1_000_000)
        world.settle()
    steps = [score.priority for score in world.scores()]
    assert steps == [0, 100_000, 200_000, 300_000]
    world.restart()
    world.deploy("m1", "v2", at=START + 4 * DAY)
    world.see("m1", BAD, START + 4 * DAY, size=1_000_000)
    world.settle()
    assert world.scores()[-1].priority == world.scores()[-1].raw_priority > 900_000
    world.activate(policy_text(max_priority_step=0.2, rules=[]))
    world.see("m1", GOOD, START + 5 * DAY, size=1_000_000)
    world.settle()
    assert world.scores()[-1].priority == world.scores()[-1].raw_priority
    world.check_replay()


def test_bounded_change_goes_on_from_the_last_score_of_a_reinstated_version(world: World) -> None:
    world.begin("m1", max_priority_step=0.1, rules=[])
    world.see("m1", GOOD, START)
    world.settle()
    world.deploy("m1", "v2", at=START + DAY)
    world.see("m1", BAD, START + DAY, size=1_000_000)
    world.settle()
    world.deploy("m1", "v1", at=START + 2 * DAY)
    world.see("m1", BAD, START + 2 * DAY, size=1_000_000)
    world.settle()
    assert world.scores()[-1].model_version == "v1"
    assert world.scores()[-1].priority == 100_000
    world.check_replay()


def test_an_override_in_effect_decides_and_what_it_replaced_is_kept(wall: World) -> None:
    wall.begin("m1", silence="1h")
    wall.see("m1", BAD, START)
    wall.settle()
    wall.clock.advance(HOUR)
    cited = wall.override("m1", "NO_ACTION", 2 * HOUR).written.last_position
    for _ in range(4):
        wall.settle()
        wall.clock.advance(HOUR)
    made = wall.decisions()
    assert [one.action for one in made] == [
        "SCHEDULE_RETRAINING",
        "NO_ACTION",
        "SCHEDULE_RETRAINING",
    ]
    replaced = made[1].overridden
    assert replaced is not None
    assert (replaced.position, replaced.action) == (cited, "SCHEDULE_RETRAINING")
    assert [parse_time(one.evaluated_at) - START for one in made] == [0, HOUR, 3 * HOUR]
    wall.check_replay()


def test_a_run_opens_with_an_action_and_closes_with_no_action(world: World) -> None:
    investigate = rule("look", "priority >= 100000", "INVESTIGATE")
    world.begin("m1", rules=[rule("bad", "priority >= 300000"), investigate])
    runs: list[tuple[str, str | None]] = []
    for day, value in enumerate([GOOD, BAD, BAD, *[GOOD] * 9, BAD, BAD]):
        world.see("m1", value, START + day * DAY)
        world.settle()
    for event, made in zip(world.events("decision.made.v2"), world.decisions(), strict=True):
        runs.append((made.action, event.body.run_id))
    assert runs[0][0] != "NO_ACTION"
    first = runs[0][1]
    assert first is not None
    assert first.startswith("runs/")
    closing = next(at for at, (action, _) in enumerate(runs) if action == "NO_ACTION")
    assert {run for _, run in runs[: closing + 1]} == {first}
    assert {run for _, run in runs[closing + 1 :]}.isdisjoint({first, None})
    scored = world.events("score.computed.v1")
    assert scored[0].body.run_id is None
    assert first in {event.body.run_id for event in scored}
    world.check_replay()


def test_a_deployment_belongs_to_the_run_of_the_action_in_force_and_cites_its_decision(
    world: World,
) -> None:
    world.begin("m1", rules=[rule("bad", "priority >= 300000")])
    world.see("m1", BAD, START)
    world.settle()
    (decided,) = world.events("decision.made.v2")
    world.deploy("m1", "v2", at=START + DAY)
    before, after = world.events("model.deployed.v1")
    assert (before.body.run_id, before.body.causation_position) == (None, None)
    assert after.body.run_id == decided.body.run_id is not None
    assert after.body.causation_position == decided.position
    world.check_replay()


def test_retrainings_count_new_versions_of_the_last_thirty_days(world: World) -> None:
    world.begin("m1")
    world.deploy("m1", "v2", at=START + 10 * DAY)
    world.deploy("m1", "v1", at=START + 11 * DAY)
    world.deploy("m1", "v3", at=START + 12 * DAY)
    counted = []
    for day in (12, 29, 30, 40, 42):
        world.see("m1", GOOD, START + day * DAY)
        (one,) = world.evaluate("m1")
        seen = one.decision.environment
        counted.append((seen.retrainings_30d, seen.hours_since_deployed))
    assert counted == [(3, 0), (3, 17 * 24), (2, 18 * 24), (1, 28 * 24), (0, 30 * 24)]
    world.check_replay()


def test_what_a_model_without_a_version_gives_is_said(world: World) -> None:
    world.begin("m1")
    world.register("bare", slo_signal="loss")
    world.see("m1", GOOD, START)
    (one,) = world.evaluate("bare")
    seen = one.decision.environment
    assert one.decision.model_version is None
    assert (seen.hours_since_deployed, seen.coverage, seen.slo_hours_left) == (-1, 0, -1)
    assert parse_time(one.decision.evaluated_at) == START, "nothing selected: the ledger's time"
    world.check_replay()


def test_a_retrained_model_starts_healthy_and_shadow_scores_do_not_count(world: World) -> None:
    world.begin("m1")
    world.see("m1", BAD, START)
    world.settle()
    world.deploy("m1", "v2", at=START + DAY)
    world.see("m1", BAD, START + DAY, version="v1")
    world.see("m1", BAD, START + HOUR, version="v2")  # before it went into service
    (one,) = world.evaluate("m1")
    assert one.score.signals[0].observations == 0
    world.see("m1", GOOD, START + DAY, version="v2")
    (one,) = world.evaluate("m1")
    assert one.score.signals[0].observations == 1
    assert one.score.priority == 0
    world.check_replay()


def test_hours_in_force_count_from_the_change_of_action(world: World) -> None:
    world.begin("m1")
    for day in range(4):
        world.see("m1", BAD, START + day * DAY)
        world.settle()
    (one,) = world.evaluate("m1")
    assert one.decision.since == format_time(START)
    assert one.decision.environment.hours_in_force == 72
