"""Decisions of a governed policy ask people; their answers and what time brings are on record.

Method: a ledger stepped by the test, whose clock it moves; afterwards the audit finds nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.errors import LedgerError, Reason
from ledger.events.cases import CASE_TYPES
from ledger.events.values import format_time
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.stores import edit
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    START,
    World,
    policy_text,
    reason_of,
    rule,
)

BOB = Caller("users/bob")
ASKING = governed(
    policy_text(
        rules=[
            rule("bad", "priority >= 500000"),
            rule("look", "priority >= 100000", "INVESTIGATE"),
        ]
    ),
    investigate_within="3d",
)


@pytest.fixture(params=["data", "wall"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A ledger whose policy asks for answers, with one model that was just decided about."""
    made = World(tmp_path / "ledger.db", clock=request.param)
    made.begin("alpha", policy=ASKING)
    see(made, 0.6, HOUR)
    yield made
    audit(made)
    made.close()


def see(world: World, value: float, after: int) -> None:
    """Move on to a time, and have alpha observed and decided about then."""
    world.clock.advance(START + after - world.clock.now_micros())
    world.see("alpha", value, START + after)
    world.settle()


def audit(world: World) -> None:
    report = audited(Path(world.path))
    assert report.passed, report.text()
    applied = {one.rule for one in report.rules if one.checked}
    assert {"cases.due", "cases.begun"} <= applied


def told(world: World) -> list[str]:
    return [event.type.removesuffix(".v1") for event in world.events(*CASE_TYPES)]


def escalation(world: World) -> int:
    open_ = world.ledger.cases.open()["alpha"].escalation
    assert open_ is not None
    return open_.escalation


def task(world: World) -> int:
    [open_] = world.ledger.cases.open()["alpha"].tasks.values()
    return open_.task


def test_what_a_decision_asks_for_is_recorded_with_it(world: World) -> None:
    [decided] = world.events("decision.made.v2")
    raised, opened = world.events(*CASE_TYPES)
    assert (raised.position, opened.position) == (decided.position + 1, decided.position + 2)
    assert raised.body.actor == opened.body.actor == "system/evaluator"
    assert raised.body.causation_position == opened.body.causation_position == decided.position
    assert raised.body.run_id == decided.body.run_id
    assert raised.data["escalation"] == opened.data["task"] == decided.position


def test_a_person_acknowledges_and_resolves_takes_and_closes(world: World) -> None:
    cases = world.ledger.cases
    cases.acknowledge(ANA, "alpha", escalation(world), "I look at it.")
    cases.take(ANA, "alpha", task(world))
    cases.resolve(ANA, "alpha", escalation(world), "Late labels.")
    cases.close(ANA, "alpha", task(world), "false_alarm", "Late labels.")
    assert told(world)[2:] == [
        "escalation.acknowledged", "task.taken", "escalation.resolved", "task.closed",
    ]  # fmt: skip
    left = world.ledger.cases.open()["alpha"]
    assert (left.escalation, left.tasks) == (None, {})
    raised, opened, acknowledged, taken, resolved, closed = world.events(*CASE_TYPES)
    assert {acknowledged.body.causation_position, resolved.body.causation_position} == {
        raised.position
    }
    assert {taken.body.causation_position, closed.body.causation_position} == {opened.position}


def test_without_an_answer_the_next_tier_is_reached_once_and_a_task_is_overdue_once(
    world: World,
) -> None:
    assert world.govern() == 0
    see(world, 0.6, 2 * DAY)
    assert world.govern() == 1
    assert world.govern() == 0
    see(world, 0.6, 6 * DAY)
    assert world.govern() == 1
    assert world.govern() == 0
    assert told(world)[2:] == ["escalation.escalated", "task.overdue"]
    assert world.events("escalation.escalated.v1")[0].data["tier"] == "on-call"


def test_people_have_all_of_their_time_from_when_they_are_asked_also_about_old_data(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha", policy=ASKING)
    asked_at = START + 30 * DAY
    world.clock.advance(asked_at - world.clock.now_micros())
    world.see("alpha", 0.6, START + HOUR)
    world.settle()
    assert world.scores("alpha")[-1].evaluated_at == format_time(START + HOUR)
    raised, opened = world.events(*CASE_TYPES)
    assert raised.data["raised_at"] == opened.data["opened_at"] == format_time(raised.recorded_at)
    assert raised.recorded_at >= asked_at
    assert raised.data["acknowledge_until"] == format_time(raised.recorded_at + DAY)
    assert opened.data["due_at"] == format_time(opened.recorded_at + 3 * DAY)
    assert world.govern() == 0, "nothing is overdue at once"
    world.clock.advance(2 * DAY)  # no server governs for a day
    assert world.govern() == 1
    reached = world.events("escalation.escalated.v1")[0]
    assert reached.data["reached_at"] == format_time(reached.recorded_at)
    assert reached.data["acknowledge_until"] == format_time(reached.recorded_at + 4 * HOUR)
    world.close()
    audit(world)


def test_on_a_ledger_of_data_a_deployment_ahead_of_them_takes_no_time_from_people(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db", clock="data").begin("alpha", "beta", policy=ASKING)
    world.see("beta", 0.4, START + 1)
    world.deploy("beta", "v2", at=START + 5 * DAY)
    see(world, 0.6, HOUR)
    raised, _ = world.events(*CASE_TYPES)
    assert raised.recorded_at == START + 5 * DAY
    assert raised.data["acknowledge_until"] == format_time(START + 6 * DAY)
    assert world.govern() == 0
    world.close()
    audit(world)


def test_an_answer_in_time_holds_the_escalation_where_it_is(world: World) -> None:
    world.ledger.cases.acknowledge(ANA, "alpha", escalation(world), "")
    see(world, 0.6, 2 * DAY)
    assert world.govern() == 0


@pytest.mark.parametrize("has_answer", [False, True])
def test_what_is_open_for_a_model_that_is_retired_lapses_and_nothing_else_comes_of_it(
    world: World, *, has_answer: bool
) -> None:
    if has_answer:
        world.ledger.cases.acknowledge(ANA, "alpha", escalation(world), "")
        world.ledger.cases.take(ANA, "alpha", task(world))
    retirement = world.ledger.commands.retire_model(ANA, "alpha", "replaced").last_position
    world.clock.advance(9 * DAY)
    assert world.govern() == 2
    assert world.govern() == 0
    assert told(world)[-2:] == ["escalation.lapsed", "task.lapsed"]
    raised, opened, *_, lapsed, ended = world.events(*CASE_TYPES)
    assert lapsed.data["retirement"] == ended.data["retirement"] == retirement
    causes = lapsed.body.causation_position, ended.body.causation_position
    assert causes == (raised.position, opened.position)
    left = world.ledger.cases.open()["alpha"]
    assert (left.escalation, left.tasks) == (None, {})


def test_another_decision_ends_an_escalation_and_leaves_the_task(world: World) -> None:
    first = escalation(world)
    see(world, 1.4, 2 * HOUR)
    assert told(world)[2:] == ["escalation.ended", "escalation.raised"]
    assert escalation(world) > first
    assert task(world) == first


def test_an_evaluation_on_request_asks_people_as_its_caller(world: World) -> None:
    world.ledger.cases.resolve(ANA, "alpha", escalation(world), "done")
    world.ledger.cases.close(ANA, "alpha", task(world), "cause_found", "")
    world.evaluate("alpha")
    raised, opened = world.events(*CASE_TYPES)[-2:]
    assert raised.body.actor == opened.body.actor == "users/ana"
    assert len(world.evaluate("alpha", at=START + 1)) == 1
    assert world.events(*CASE_TYPES)[-1] == opened, "a historical evaluation asks nothing"


def test_what_is_not_open_is_refused_and_says_what_to_do(world: World) -> None:
    cases = world.ledger.cases
    number = escalation(world)
    cases.acknowledge(ANA, "alpha", number, "")
    with pytest.raises(LedgerError) as caught:
        cases.acknowledge(BOB, "alpha", number, "")
    assert reason_of(caught) is Reason.CASE_NOT_OPEN
    assert "was acknowledged by users/ana" in caught.value.message
    with pytest.raises(LedgerError) as caught:
        cases.close(BOB, "alpha", 1, "cause_found", "")
    assert "no task of position 1 is open" in caught.value.message
    with pytest.raises(LedgerError) as caught:
        cases.take(Caller("services/robot"), "alpha", task(world))
    assert reason_of(caught) is Reason.ACTOR_NOT_AUTHORISED
    with pytest.raises(LedgerError) as caught:
        cases.resolve(ANA, "alpha", number, "")
    assert reason_of(caught) is Reason.FIELD_INVALID


def test_what_was_open_at_any_position_is_what_its_events_gave(world: World) -> None:
    cases = world.ledger.cases
    cases.acknowledge(ANA, "alpha", escalation(world), "")
    see(world, 1.4, DAY)
    cases.close(ANA, "alpha", task(world), "signal_fixed", "")
    known = {}
    for event in world.events():
        if event.type in CASE_TYPES:
            known[event.position] = cases.open(event.position)["alpha"]
    last = max(known)
    assert known[last] == cases.open()["alpha"]
    opened = [(one.escalation is not None, len(one.tasks)) for one in known.values()]
    assert opened == [(True, 0), (True, 1), (True, 1), (False, 1), (True, 1), (True, 0)]


def test_a_restart_and_an_erasure_change_nothing_that_is_not_erased(world: World) -> None:
    world.ledger.cases.acknowledge(ANA, "alpha", escalation(world), "My name is Ana.")
    before = world.ledger.cases.open()
    world.restart()
    assert world.ledger.cases.open() == before
    world.erase(world.head)
    [after] = world.ledger.cases.open().values()
    assert after.escalation is not None
    assert after.escalation.acknowledged_by == ""
    see(world, 1.4, DAY)
    assert told(world)[-2:] == ["escalation.ended", "escalation.raised"]


def test_a_model_whose_cases_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta", policy=ASKING)
    for model in ("alpha", "beta"):
        world.see(model, 0.6, START + HOUR)
    world.settle()
    lost = next(one for one in world.events(*CASE_TYPES) if one.stream == "escalations/alpha")
    world.lose(lost.position)
    world.restart()
    world.see("beta", 0.6, START + 2 * DAY)
    world.settle()
    assert world.scores("beta")[-1].evaluated_at > world.scores("alpha")[-1].evaluated_at
    assert set(world.ledger.cases.open()) == {"beta"}
    assert world.govern() == 1
    assert [one.stream for one in world.events("escalation.escalated.v1")] == ["escalations/beta"]
    with pytest.raises(LedgerError) as caught:
        world.ledger.cases.resolve(ANA, "alpha", lost.data["escalation"], "done")
    assert reason_of(caught) is Reason.EVENT_UNREADABLE
    world.close()


def test_an_answer_that_was_damaged_sets_its_model_aside_and_the_others_are_scored(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta", policy=ASKING)
    for model in ("alpha", "beta"):
        world.see(model, 0.6, START + HOUR)
    world.settle()
    answered = world.ledger.cases.acknowledge(ANA, "alpha", escalation(world), "")
    edit(
        world.store,
        "UPDATE events SET body = X'7b7d' WHERE position = :position",
        position=answered.last_position,
    )
    for model in ("alpha", "beta"):
        world.see(model, 0.6, START + DAY)
    world.settle()
    assert set(world.evaluator.unreadable) == {"alpha"}
    assert [one.evaluated_at[:10] for one in world.scores("beta")][-1] == "2026-03-02"
    world.close()


def test_an_erased_description_leaves_unchecked_what_it_asked_of_its_owner(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", policy=ASKING)
    described = world.update("alpha", owner="Ada Example").last_position
    see(world, 0.6, HOUR)
    world.update("alpha", owner="team-fraud")
    world.erase(described)
    report = audited(Path(world.path))
    assert report.passed, report.text()
    world.close()


@pytest.mark.parametrize("is_erased", [False, True])
def test_people_are_asked_about_a_model_that_was_at_a_tier_before_governance_began(
    tmp_path: Path, *, is_erased: bool
) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 1.4, START + DAY)
    world.settle()
    if is_erased:
        world.erase(world.events("policy.drafted.v2")[0].position)
    world.activate(governed(policy_text()))
    world.see("alpha", 1.4, START + 2 * DAY)
    world.settle()
    (case,) = world.ledger.cases.open().values()
    assert case.escalation is not None
    assert case.escalation.escalation == world.events("decision.made.v2")[-1].position
    for day in (3, 4):
        world.activate(governed(policy_text()))
        world.see("alpha", 1.4, START + day * DAY)
        world.settle()
    assert len(world.decisions("alpha")) == 2, "they are asked once"
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_the_pages_of_a_list_as_of_a_position_cost_one_fold_until_something_is_erased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    events, usual = world.store.events, world.store.events.of_types

    def counted(ledger: str, types: Any, **more: Any) -> Any:  # noqa: ANN401 - as it is called
        if CASE_TYPES.issubset(types):
            reads.append(more)
        return usual(ledger, types, **more)

    monkeypatch.setattr(events, "of_types", counted)
    at = world.head
    first = world.ledger.cases.open(at)
    assert world.ledger.cases.open(at) == first
    assert len(reads) == 1
    world.erase(world.events("signal.observed.v1")[0].position)
    assert world.ledger.cases.open(at) == first
    assert len(reads) == 2
