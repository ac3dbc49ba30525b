"""The evaluator among others: goal: one writes, another takes over, and no failure spreads.

Method: two evaluators over one store with a clock that moves on demand; events whose bodies are
erased; consumers that raise.
"""

from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from ledger.application.evaluation.evaluator import LEASE_SECONDS, REFUSED_SECONDS
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.storage.records import AppendRequest, AppendResult
from tests.application.conftest import MakeWorld
from tests.support.hooks import consumers, warm_models
from tests.support.world import (
    DAY,
    HOUR,
    START,
    World,
)

BAD, GOOD = "1.4", "0.4"  # of the loss: critical, and as in training


def test_of_two_evaluators_on_one_ledger_only_one_writes(make_world: MakeWorld) -> None:
    one = make_world().begin("m1", interval="1h")
    other = make_world(shared=one)
    for hour in range(6):
        one.see("m1", BAD, START + hour * HOUR)
        one.settle()
        other.settle()
    assert (one.evaluator.is_active, other.evaluator.is_active) == (True, False)
    assert len(one.scores()) == 6
    one.check_replay()


def test_another_evaluator_takes_over_after_the_first_has_let_go(make_world: MakeWorld) -> None:
    one = make_world().begin("m1", interval="1h")
    other = make_world(shared=one)
    one.see("m1", BAD, START)
    one.settle()
    other.settle()
    one.evaluator.release()
    one.clock.advance(round(REFUSED_SECONDS * 1_000_000))
    one.see("m1", BAD, START + HOUR)
    other.settle()
    assert other.evaluator.is_active
    assert len(one.scores()) == 2
    one.settle()
    assert not one.evaluator.is_active
    assert len(one.scores()) == 2
    one.check_replay()


def test_another_evaluator_takes_over_when_the_first_stays_silent(make_world: MakeWorld) -> None:
    one = make_world().begin("m1", interval="1h")
    other = make_world(shared=one)
    one.see("m1", BAD, START)
    one.settle()
    other.settle()
    one.see("m1", BAD, START + HOUR)
    one.clock.advance(round(LEASE_SECONDS * 1_000_000) + 1)
    other.settle()
    assert other.evaluator.is_active
    one.settle()
    assert not one.evaluator.is_active
    assert len(one.scores()) == 2, "who lost the lease writes nothing more"
    one.check_replay()


def test_a_server_without_the_lease_does_not_ask_at_every_commit(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_world().begin("m1")
    other = make_world(shared=one)
    one.settle()
    asked: list[str] = []
    take = one.store.leases.take

    def counted(ledger: str, name: str, holder: str, seconds: float) -> bool:
        asked.append(holder)
        return take(ledger, name, holder, seconds)

    monkeypatch.setattr(one.store.leases, "take", counted)
    for hour in range(20):
        one.see("m1", GOOD, START + hour * HOUR)
        one.settle()
        other.settle()
    assert len(asked) <= 2


# ---- what goes wrong stays small -----------------------------------------------------------------


def test_a_model_whose_events_cannot_be_read_stops_no_other(world: World) -> None:
    world.begin("m1", "m2")
    lost = world.see("m1", BAD, START).last_position
    world.see("m2", BAD, START)
    world.lose(lost)
    world.restart()
    world.settle()
    assert {score.model for score in world.scores()} == {"m2"}
    assert "m1" in world.evaluator.unreadable
    world.see("m2", BAD, START + DAY)
    world.settle()
    assert len(world.scores("m2")) == 2


def test_the_follower_outlives_whatever_its_consumers_raise(world: World) -> None:
    world.begin("m1")
    taken: list[int] = []

    def broken(events: Sequence[RecordedEvent]) -> None:
        raise ZeroDivisionError("a defect")

    def sound(events: Sequence[RecordedEvent]) -> None:
        taken.extend(event.position for event in events)

    before = world.follower.position
    consumers(world.follower)[:] = [broken, sound]
    world.see("m1", BAD, START)
    while world.follower.step():
        pass
    assert taken == list(range(before + 1, world.head + 1))
    assert world.follower.failure == "ZeroDivisionError: a defect"
    assert len(world.scores()) == 1
    consumers(world.follower).clear()


def test_warm_state_does_not_grow_with_time(world: World) -> None:
    world.begin("m1", interval="1h")
    for day in range(60):
        world.see("m1", GOOD, START + day * DAY)
        world.settle()
    tracked = warm_models(world.evaluator)["m1"]
    assert tracked.state is not None
    assert len(tracked.state.buckets_of("loss").sources[""]) <= 8
    world.check_replay()


# ---- rounds --------------------------------------------------------------------------------------


def test_a_round_that_was_cut_short_goes_on_where_it_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [f"m{number}" for number in range(1, 6)]
    world.begin(*models, interval="1h")
    requests, submit, turns = world.store.requests, world.store.requests.submit, 0

    def busy(request: AppendRequest) -> "Future[AppendResult]":
        nonlocal turns
        turns += request.method == "Evaluator"
        if request.method == "Evaluator" and turns % 3 == 0:
            raise LedgerError(Reason.LIMIT_REACHED, "The queue is full.", remedy="Wait.")
        return submit(request)

    monkeypatch.setattr(requests, "submit", busy)
    rounds: list[list[str]] = []
    for hour in range(3):
        seen = len(world.scores())
        for model in models:
            world.see(model, BAD, START + hour * HOUR)  # so all of them are due again
        world.follower.step()
        assert world.follower.failure is None
        rounds.append([score.model for score in world.scores()][seen:])
    assert rounds == [["m1", "m2"], ["m3", "m4"], ["m5", "m1"]]
    assert world.evaluator.settled == 0, "models were left that were due"
    monkeypatch.setattr(requests, "submit", submit)
    head = world.head
    world.settle()
    assert (world.evaluator.scores, world.evaluator.settled) == (len(world.scores()), world.head)
    assert world.head > head


def test_nothing_is_settled_while_a_model_is_set_aside(world: World) -> None:
    world.begin("m1", "m2")
    lost = world.see("m1", BAD, START).last_position
    world.lose(lost)
    world.restart()
    world.see("m2", BAD, START)
    world.settle()
    assert world.evaluator.scores == 1
    assert world.evaluator.settled == 0
