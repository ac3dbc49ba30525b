"""A shadow is compared with what is on record: where both differ, how often, how long.

Method: as in `test_shadows`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.policies.review_packs import PackPeriod
from ledger.events.models import ModelRegistered
from ledger.governance.lifecycle import ScopeKey
from tests.support.shadowed import ALPHA, CALM, KEEN, see, shadow, shadowing_world
from tests.support.world import DAY, HOUR, World


@pytest.fixture(params=["data", "wall"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    with shadowing_world(tmp_path, request.param) as made:
        yield made


def test_a_comparison_says_which_models_move_how_often_how_long_and_at_which_cost(
    world: World,
) -> None:
    see(world, 0.4, HOUR)
    see(world, 0.4, HOUR, model="beta")
    position = shadow(world, KEEN)
    for day, value in enumerate((0.4, 0.9, 0.9, 0.9), 1):
        see(world, value, day * DAY)
        see(world, 0.4, day * DAY + HOUR, model="beta")
    report, spans, _ = world.ledger.shadow_comparisons.compare(position)
    moved = {one.model: one.differing for one in report.models}
    assert moved == {"alpha": 3, "beta": 0}
    assert (report.before.retrainings, report.after.retrainings) == (0, 1)
    described = world.model("alpha").model.described
    assert described is not None
    assert report.after.cost_micros == int(described.cost_micros)
    assert report.after.escalations == {"ds": 1}
    [differing] = [one for one in spans if one.before != one.after]
    assert (differing.before, differing.after) == ("NO_ACTION", "SCHEDULE_RETRAINING")
    assert (differing.scores, differing.seconds) == (3, 2 * DAY // 1_000_000)


def test_what_comes_into_force_with_the_first_score_of_a_shadow_is_compared_too(
    world: World,
) -> None:
    world.activate(KEEN)
    position = shadow(world, CALM)
    see(world, 0.9, DAY)
    report, *_ = world.ledger.shadow_comparisons.compare(position)
    assert (report.before.retrainings, report.after.retrainings) == (1, 0)
    assert [one.after.model for one in report.differences] == ["alpha"]


def test_the_first_outcome_of_a_shadow_is_compared_with_the_decision_that_is_in_force(
    world: World,
) -> None:
    world.activate(KEEN)
    see(world, 0.9, DAY)
    calm, keen = shadow(world, CALM), shadow(world, KEEN, scope=ALPHA)
    decisions = len(world.decisions())
    see(world, 0.9, 2 * DAY)
    assert len(world.decisions()) == decisions, "nothing changes on record"
    report, spans, _ = world.ledger.shadow_comparisons.compare(calm)
    assert [(one.before.action, one.after.action) for one in report.differences] == [
        ("SCHEDULE_RETRAINING", "NO_ACTION")
    ]
    assert {one.model: one.differing for one in report.models} == {"alpha": 1}
    assert (report.before.decisions, report.after.decisions) == (0, 1)
    assert [(one.before, one.after, one.scores) for one in spans] == [
        ("SCHEDULE_RETRAINING", "NO_ACTION", 1)
    ]
    same, *_ = world.ledger.shadow_comparisons.compare(keen)
    assert (same.differences, same.before, same.after) == ((), same.after, same.before)
    assert (same.after.decisions, same.after.retrainings, same.after.cost_micros) == (0, 0, 0)
    assert same.after.escalations == {}
    assert differing(world) == {calm: 1, keen: 0}
    see(world, 0.9, 3 * DAY)
    report, *_ = world.ledger.shadow_comparisons.compare(calm)
    assert (len(report.differences), report.after.decisions) == (2, 1), "it is counted once"


def test_a_shadow_that_never_decided_is_one_with_no_action_on_record(world: World) -> None:
    world.activate(KEEN)
    see(world, 0.9, DAY)
    world.activate(CALM)
    see(world, 0.4, 2 * DAY)
    assert world.decisions("alpha")[-1].action == "NO_ACTION"
    position = shadow(world, CALM)
    see(world, 0.4, 3 * DAY)
    report, *_ = world.ledger.shadow_comparisons.compare(position)
    assert (report.differences, report.after.scores, report.after.decisions) == ((), 1, 0)
    assert differing(world) == {position: 0}


def differing(world: World) -> dict[int, int]:
    """Return after how many scores each shadow would have acted otherwise, by the review pack."""
    named, whole = ("main", 0), ScopeKey("ledger", None, ())
    packed = json.loads(world.ledger.reviews.packs.pack(named, whole, PackPeriod()).body)
    return {one["position"]: one["differing"] for one in packed["shadows"]}


def test_a_shadow_that_acts_first_shows_before_any_decision_on_record(world: World) -> None:
    position = shadow(world, KEEN)
    see(world, 0.7, DAY)
    assert world.decisions("alpha") == []
    report, *_ = world.ledger.shadow_comparisons.compare(position)
    assert [one.after.action for one in report.differences] == ["SCHEDULE_RETRAINING"]
    assert (report.before.decisions, report.after.decisions) == (0, 1)
    assert (report.after.retrainings, report.after.escalations) == (1, {"ds": 1})


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "amid"])
def test_a_comparison_counts_an_erased_description_and_leaves_its_cost_out(
    world: World, *, is_before: bool
) -> None:
    [registered] = [one for one in world.events(ModelRegistered.TYPE) if "alpha" in one.stream]
    position = shadow(world, KEEN)
    gone = registered.position
    if not is_before:
        see(world, 0.4, HOUR)
        gone = world.update("alpha", owner="ben").last_position
    see(world, 0.9, DAY)
    see(world, 0.9, DAY + HOUR, model="beta")
    world.update("alpha", owner="cleo")
    world.erase(gone)
    report, *_ = world.ledger.shadow_comparisons.compare(position)
    costs = {one.model: one.after.cost_micros for one in report.models}
    assert (report.erased, costs["alpha"]) == (1, 0)
    assert costs["beta"] > 0
    assert report.after.retrainings == 2
