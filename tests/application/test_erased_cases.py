"""An erased event about an escalation or a task leaves its ledger whole: all goes on without it.

Method: one story with every type of such an event; the bodies of one type are erased, the ledger
is opened again, and decisions, answers and the governor go on. The auditor finds nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.events.cases import CASE_TYPES
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.world import ANA, DAY, HOUR, START, World, policy_text, rule

ASKING = governed(
    policy_text(
        rules=[
            rule("bad", "priority >= 500000"),
            rule("look", "priority >= 100000", "INVESTIGATE"),
        ]
    ),
    investigate_within="3d",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a ledger in which each type of such an event was recorded once at least."""
    made = World(tmp_path / "ledger.db")
    made.begin("m1", "m2", "m3", policy=ASKING)
    for model in ("m1", "m2", "m3"):
        made.see(model, 0.6, START + HOUR)
    made.settle()
    made.ledger.commands.retire_model(ANA, "m3", "replaced")
    made.see("m2", 0.6, START + 2 * DAY)
    made.settle()
    made.govern()
    answer(made, "m1")
    made.see("m2", 0.6, START + 5 * DAY)
    made.settle()
    made.govern()
    made.see("m2", 1.4, START + 16 * DAY)
    made.settle()
    yield made
    made.close()


def answer(world: World, model: str) -> None:
    """Have a person answer all that is open for a model."""
    cases = world.ledger.cases
    found = cases.open()[model]
    if found.escalation is not None:
        number = found.escalation.escalation
        if found.escalation.acknowledged_by is None:
            cases.acknowledge(ANA, model, number, "I look.")
        cases.resolve(ANA, model, number, "Done.")
    for task in found.tasks.values():
        cases.take(ANA, model, task.task)
        cases.close(ANA, model, task.task, "cause_found", "Found.")


@pytest.mark.parametrize("type_", sorted(CASE_TYPES))
def test_whatever_is_erased_of_a_case_decisions_answers_and_time_go_on(
    world: World, type_: str
) -> None:
    lost = [event.position for event in world.events(type_)]
    assert lost, "the story has every type"
    world.erase(*lost)
    still_open = world.ledger.cases.open()
    if type_ != "task.taken.v1":
        world.restart()
        assert world.ledger.cases.open() == still_open
    world.see("m1", 0.7, START + 20 * DAY)
    world.see("m2", 0.4, START + 20 * DAY)
    world.settle()
    world.see("m2", 0.6, START + 40 * DAY)
    world.settle()
    world.govern()
    assert world.govern() == 0
    for model in ("m1", "m2"):
        answer(world, model)
    assert world.follower.failure is None
    assert not world.evaluator.unreadable
    report = audited(Path(world.path))
    assert report.passed, report.text()


def test_of_an_erased_opening_nothing_is_open_and_an_erased_answer_names_no_person(
    world: World,
) -> None:
    number = world.ledger.cases.open()["m2"].escalation
    assert number is not None
    world.ledger.cases.acknowledge(ANA, "m2", number.escalation, "My name is Ana.")
    world.erase(world.head)
    found = world.ledger.cases.open()["m2"].escalation
    assert found is not None
    assert found.acknowledged_by == ""
    raised = [one.position for one in world.events("escalation.raised.v1")]
    world.erase(raised[-1])
    assert world.ledger.cases.open()["m2"].escalation is None
