"""Both sides of an override: the overruled decision tells it, and so does the one that is under it.

Method: overrides one after another over a model that calls for retraining, by a clock that is
moved; what is told around each decision is compared with what was set.
"""

from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.decisions.overrides import OverrideSpec
from ledger.application.decisions.overrulings import Overruling
from ledger.events.decisions import DECISION_TYPES, DecisionMade
from ledger.events.registry import typed
from tests.support.staffed import Governed
from tests.support.world import ANA, HOUR, START, World

SPEC = OverrideSpec("m1", "NO_ACTION", "ds", "Its labels are wrong.", 7_200)
BO = Caller("users/bo")


def decided(world: World, *models: str) -> World:
    world.begin(*models, silence="20d", interval="6h")
    for model in models:
        world.see(model, "1.4", START)
    world.settle()
    return world


@pytest.fixture
def made(wall: World) -> World:
    """A `wall` ledger with two models that call for retraining."""
    return decided(wall, "m1", "m2")


def around(world: World) -> dict[str, list[Overruling]]:
    """Return what is told around every decision, by model, in order."""
    events = world.events(*DECISION_TYPES)
    told = world.ledger.decisions.overrulings.around(
        [(typed(one, DecisionMade), one) for one in events]
    )
    found: dict[str, list[Overruling]] = {}
    for event in events:
        found.setdefault(event.stream.partition("/")[2], []).append(told[event.position])
    return found


def test_a_decision_that_was_overruled_tells_by_whom_until_when_and_why(made: World) -> None:
    set_ = made.ledger.overrides.override(ANA, SPEC)
    made.settle()
    original, under = around(made)["m1"]
    (stated,) = original.overruled_by
    assert (stated.position, stated.actor, stated.role) == (
        set_.written.last_position,
        ANA.actor,
        "",
    )
    assert (stated.action, stated.tier, stated.reason) == ("NO_ACTION", "ds", SPEC.reason)
    assert (stated.effective_from, stated.effective_until) == (START, START + 2 * HOUR)
    assert stated.in_effect
    assert original.set_by is None
    assert (under.overruled_by, under.set_by) == ((), stated)
    assert around(made)["m2"] == [Overruling()]


def test_an_override_holds_still_until_it_is_over_or_another_one_came(made: World) -> None:
    made.ledger.overrides.override(ANA, SPEC)
    made.settle()
    made.override("m1", "INVESTIGATE", HOUR)
    made.settle()

    def holding() -> list[bool]:
        told = [one for each in around(made)["m1"] for one in each.overruled_by]
        return [one.in_effect for one in told]

    assert holding() == [False, True]
    made.clock.advance(HOUR)
    made.settle()
    assert holding() == [True, False], "the first one counts again"
    made.clock.advance(HOUR)
    made.settle()
    assert holding() == [False, False]


def test_two_overrides_of_one_decision_are_both_told_in_order(made: World) -> None:
    made.ledger.overrides.override(ANA, SPEC)
    made.ledger.overrides.override(BO, SPEC)
    (original,) = around(made)["m1"]
    assert [one.actor for one in original.overruled_by] == [ANA.actor, BO.actor]
    assert [one.in_effect for one in original.overruled_by] == [False, True]


def test_an_override_of_a_retired_model_holds_no_more(made: World) -> None:
    made.ledger.overrides.override(ANA, SPEC)
    made.ledger.commands.retire_model(ANA, "m1", "over")
    (original,) = around(made)["m1"]
    assert [one.in_effect for one in original.overruled_by] == [False]


def test_an_erased_override_is_told_nowhere(made: World) -> None:
    set_ = made.ledger.overrides.override(ANA, SPEC)
    made.settle()
    made.erase(set_.written.last_position)
    assert set(around(made)["m1"]) == {Overruling()}


def test_the_role_is_told_on_both_sides(tmp_path: Path) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall")
    decided(world, "m1")
    world.staff()
    world.grant(ANA.actor, "model-owner")
    world.ledger.overrides.override(ANA, SPEC)
    world.settle()
    original, under = around(world)["m1"]
    assert [one.role for one in original.overruled_by] == ["model-owner"]
    assert under.set_by == original.overruled_by[0]
    world.close()
