"""A plan that is read many times is decoded once, and none is kept whose body is gone.

Method: decodings are counted where they happen; bodies are erased, lost and altered beneath.
"""

from collections import Counter
from pathlib import Path

import pytest

from ledger.application.planning import kept_plans
from ledger.application.planning.kept_plans import KeptPlans
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PlanMade
from ledger.events.registry import typed
from tests.support.governed import governed
from tests.support.world import World, policy_text

PLANNING = {"planner": "excess/2", "common": "0%", "min_models": 1, "max_periods": 512}
POLICY = governed(policy_text(planning=PLANNING))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Return how often each plan was decoded to be read, by its position."""
    counted: Counter[int] = Counter()

    def counting(event: RecordedEvent, expected: type[PlanMade]) -> PlanMade:
        found = typed(event, expected)
        counted[event.position] += 1
        return found

    monkeypatch.setattr(kept_plans, "typed", counting)
    return counted


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger.db").begin("m", policy=POLICY)


def test_a_plan_is_decoded_once_for_all_that_read_it(world: World, decoded: Counter[int]) -> None:
    made = world.plan(0)
    reads = [world.ledger.plans.get(made.plan) for _ in range(5)]
    head = world.store.events.head(world.ledger.info.origin)
    assert [world.ledger.plans.ground(made.plan, "m", head)[0].as_of for _ in range(5)]
    [event] = world.events(made.TYPE)
    assert reads == [(made, event)] * 5
    assert decoded == {event.position: 1}
    world.close()


def test_no_more_are_kept_than_are_worked_on(world: World, decoded: Counter[int]) -> None:
    for _ in range(3):
        made = world.plan(0)
    events, kept = world.events(made.TYPE), KeptPlans(world.ledger.histories.erasures)
    decoded.clear()
    for event in (*events, *events, events[-1]):
        kept.of(event)
    assert list(decoded.values()) == [2, 2, 2], "the third pushes out the first, and so on"
    world.close()


@pytest.mark.parametrize("is_erased", [True, False])
def test_a_plan_that_was_read_is_not_had_from_memory_once_its_body_is_gone(
    world: World, *, is_erased: bool
) -> None:
    made = world.plan(0)
    world.ledger.plans.get(made.plan)
    [event] = world.events(made.TYPE)
    if is_erased:
        world.erase(event.position)
    else:
        world.lose(event.position)
    with pytest.raises(LedgerError) as caught:
        world.ledger.plans.get(made.plan)
    expected = Reason.BODY_ERASED if is_erased else Reason.EVENT_UNREADABLE
    assert caught.value.reason is expected
    world.close()


def test_of_a_plan_with_another_body_none_is_kept(world: World, decoded: Counter[int]) -> None:
    made = world.plan(0)
    world.ledger.plans.get(made.plan)
    [event] = world.events(made.TYPE)
    assert event.body_bytes is not None
    kept = KeptPlans(world.ledger.histories.erasures)
    altered = event.body_bytes.replace(b'"purse_micros":"0"', b'"purse_micros":"1"')
    assert kept.of(event) == kept.of(event) == made
    assert kept.of(event._replace(body_bytes=altered)) != made
    world.close()


def test_one_that_is_erased_while_it_is_decoded_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of its event and its place among the kept comes the erasure."""
    made = world.plan(0)
    [event] = world.events(made.TYPE)
    kept = KeptPlans(world.ledger.histories.erasures)
    world.ledger.erasure.on_erased(lambda *_: kept.forget())

    def slow(read: RecordedEvent, expected: type[PlanMade]) -> PlanMade:
        world.erase(event.position)
        return typed(read, expected)

    monkeypatch.setattr(kept_plans, "typed", slow)
    assert kept.of(event) == made
    with pytest.raises(AssertionError, match="decoded again"):
        _refusing(monkeypatch, kept, event)
    world.close()


def _refusing(monkeypatch: pytest.MonkeyPatch, kept: KeptPlans, event: RecordedEvent) -> None:
    def refuse(*_: object) -> PlanMade:
        raise AssertionError("decoded again")

    monkeypatch.setattr(kept_plans, "typed", refuse)
    kept.of(event)
