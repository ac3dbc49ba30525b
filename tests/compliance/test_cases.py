"""Tables of escalations and tasks say what happened; how tasks ended is each rule's precision.

Method: one ledger whose people answer early, late and never, told by hand beside it; afterwards
the bodies of the same facts are taken away.
"""

from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.compliance.facts import FactFilter
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.report import TABLES
from ledger.compliance.rules import rule_records
from ledger.compliance.tables import Cell, as_records
from ledger.events.cases import CASE_TYPES
from tests.support.facts import FactList, facts_of
from tests.support.governed import governed
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    START,
    World,
    policy_text,
    rule,
)

BO = Caller("users/bo")
ASKING = governed(
    policy_text(
        rules=[
            rule("bad", "priority >= 500000"),
            rule("look", "priority >= 100000", "INVESTIGATE"),
        ]
    ),
    investigate_within="3d",
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> FactList:
    """Return the facts: m1 answered in time, m2 late, m3 by no person, and m4 retired."""
    world = World(Path(tmp_path_factory.mktemp("cases")) / "l.sqlite")
    world.begin("m1", "m2", "m3", "m4", policy=ASKING)
    for model in ("m1", "m2", "m3", "m4"):
        world.see(model, 0.6, START + HOUR)
    world.settle()
    cases = world.ledger.cases
    first, second = (escalation_of(world, model) for model in ("m1", "m2"))
    world.see("m1", 0.6, START + 3 * HOUR)
    cases.acknowledge(ANA, "m1", first, "I look.")
    cases.take(ANA, "m1", first)
    cases.resolve(BO, "m1", first, "Mended upstream.")
    cases.close(ANA, "m1", first, "cause_found", "A column changed.")
    world.see("m1", 0.6, START + 5 * DAY)
    world.govern()
    cases.acknowledge(BO, "m2", second, "")
    cases.close(BO, "m2", second, "false_alarm", "Late labels.")
    world.see("m3", 1.4, START + 6 * DAY)
    world.settle()
    world.ledger.commands.retire_model(ANA, "m4", "replaced")
    world.govern()
    found = facts_of(world)
    world.close()
    return found


def escalation_of(world: World, model: str) -> int:
    open_ = world.ledger.cases.open()[model].escalation
    assert open_ is not None
    return open_.escalation


def rows(facts: FactList, name: str, scope: FactFilter | None = None) -> list[dict[str, Cell]]:
    return as_records(TABLES[name](facts, scope or FactFilter()))


def test_each_escalation_says_who_took_it_on_after_how_long_and_how_it_ended(
    story: FactList,
) -> None:
    first, second, third, fourth, *_ = rows(story, "escalations")
    assert (first["rule"], first["raised_to"], first["route"]) == ("look", "ds", "mail")
    assert (first["acknowledged_by"], first["acknowledged_after_seconds"]) == ("users/ana", 7_200)
    assert (first["state"], first["closed_by"], first["passed_on"]) == ("resolved", "users/bo", 0)
    assert first["resolution"] == "Mended upstream."
    assert (second["tier"], second["passed_on"]) == ("on-call", 1)
    assert (second["acknowledged_by"], second["state"]) == ("users/bo", "acknowledged")
    assert (third["acknowledged_by"], third["state"]) == (None, "ended")
    assert third["closed_by"] == "system/evaluator"
    assert (fourth["state"], fourth["closed_by"]) == ("lapsed", "system/governor")


def test_each_task_says_whose_it_was_whether_it_was_late_and_its_outcome(story: FactList) -> None:
    first, second, third, fourth = rows(story, "tasks")
    assert (first["owner"], first["taken_by"]) == ("team-delay", "users/ana")
    assert first["overdue"] is False
    assert (first["outcome"], first["note"]) == ("cause found", "A column changed.")
    assert (second["outcome"], second["overdue"]) == ("false alarm", True)
    assert (second["taken_by"], second["closed_by"]) == (None, "users/bo")
    assert second["closed_after_seconds"] == 5 * DAY // 1_000_000 - 3_600
    assert (third["state"], third["closed_at"]) == ("open", None)
    assert (fourth["state"], fourth["outcome"]) == ("lapsed", None)


def test_the_outcomes_of_its_tasks_are_the_precision_of_a_rule(story: FactList) -> None:
    look = rule_records(story, FactFilter())["main", 1, "look"]
    assert look.tasks == 4
    assert look.outcomes == {"cause_found": 1, "false_alarm": 1}
    assert look.precision_ppm == 500_000
    told = next(one for one in rows(story, "rules") if one["rule"] == "look")
    assert told["outcomes"] == "cause found 1, false alarm 1"
    given = answer("false-alerts", story, Inquiry())
    assert given.said[0].startswith("2 tasks closed with an outcome on record; false alarms among")
    assert given.state == "answered"


@pytest.mark.parametrize(
    ("scope", "escalations", "tasks"),
    [
        (FactFilter(model="m2"), 1, 1),
        (FactFilter(actor="users/bo"), 2, 1),
        (FactFilter(since=START + 5 * DAY, model="m2"), 0, 0),
    ],
)
def test_a_scope_asks_by_model_person_and_when_it_began(
    story: FactList, scope: FactFilter, escalations: int, tasks: int
) -> None:
    assert len(rows(story, "escalations", scope)) == escalations
    assert len(rows(story, "tasks", scope)) == tasks


@pytest.mark.parametrize("type_", sorted(CASE_TYPES))
def test_what_was_erased_is_not_guessed(story: FactList, type_: str) -> None:
    bare = tuple(
        fact._replace(actor="", data=None) if fact.type == type_ else fact for fact in story.items
    )
    facts = FactList(story.origin, bare)
    escalations, tasks = rows(facts, "escalations"), rows(facts, "tasks")
    count = sum(fact.type == type_ for fact in bare)
    assert count
    if type_ == "escalation.raised.v1":
        assert (escalations, len(tasks)) == ([], 4)
        note = TABLES["escalations"](facts, FactFilter()).note
        assert note == f"Escalations without a readable body: {count}."
    elif type_ == "task.opened.v1":
        assert (tasks, len(escalations)) == ([], 5)
    elif type_ == "escalation.acknowledged.v1":
        assert {one["acknowledged_by"] for one in escalations} == {None}
        assert sum(one["acknowledged_at"] is not None for one in escalations) == 2
    elif type_ == "task.closed.v1":
        assert {one["outcome"] for one in tasks} == {None}
        assert [one["state"] for one in tasks] == ["closed", "closed", "open", "lapsed"]
    elif type_ == "escalation.resolved.v1":
        assert (escalations[0]["state"], escalations[0]["resolution"]) == ("resolved", None)
