"""A decision names the persons who approved its policy, and those who answered what it asked for.

Method: a policy is approved by two persons and decides; the standing of its version at that
decision is read, as data and in words, also after another version has replaced it. An escalation
and a task are answered, and told.
"""

from dataclasses import replace
from pathlib import Path

from ledger.api.convert.grounds import standing
from ledger.application.policies.steps import ChosenVersion
from ledger.client.decode import decode
from ledger.client.grounds import PolicyStanding
from ledger.operations.explanation import told_standing
from tests.support.governed import governed as asking
from tests.support.staffed import APPROVER, KIM, PAT, SAM, governed, governed_text
from tests.support.world import ANA, DAY, HOUR, START, World, policy_text, rule


def test_a_decision_names_who_approved_its_policy_in_which_role_and_when(tmp_path: Path) -> None:
    world = governed(tmp_path / "l.sqlite")
    second = world.drafted(governed_text((APPROVER, 1), title="Second"))
    world.submit(second)
    world.approve(second, SAM, KIM)
    world.enforce(second)
    world.register("m1")
    world.deploy("m1", "v1")
    world.evaluate("m1")
    scored = world.scores("m1")[-1]
    third = world.drafted(governed_text(title="Third"))
    world.submit(third)
    world.approve(third, PAT)
    world.enforce(third)
    found = world.ledger.grounds.standing(scored)
    assert found is not None
    told = decode(PolicyStanding, standing(found))
    assert told.answer is not None
    assert (told.title, told.version, told.answer.basis) == ("Second", 2, "approved")
    assert [(one.actor, one.role, one.meaning) for one in told.answer.approvals] == [
        ("users/sam", APPROVER, "reviewed_and_approved"),
        ("users/kim", APPROVER, "reviewed_and_approved"),
    ]
    events = {event.position: event for event in world.events("policy.approved.v1")}
    assert all(events[one.position].body.actor == one.actor for one in told.answer.approvals)
    words = told_standing(told)
    assert "users/pat brought it into force for the whole ledger" in words
    assert ", with the approvals asked for: go." in words
    assert f"users/sam, as {APPROVER}, approved it " in words
    assert "(reviewed and approved): fine." in words
    assert ": Agreed. users/" in told_standing(replace(told, drafted_because="Agreed."))
    assert "Agreed.." not in told_standing(replace(told, activated_because="Agreed."))
    world.close()


def test_a_roll_back_is_told_as_one(tmp_path: Path) -> None:
    world = governed(tmp_path / "l.sqlite")
    second = world.drafted(governed_text(title="Second"))
    world.submit(second)
    world.approve(second, SAM, KIM)
    world.enforce(second)
    world.roll_back(ChosenVersion("main", 1))
    world.register("m1")
    world.deploy("m1", "v1")
    world.evaluate("m1")
    found = world.ledger.grounds.standing(world.scores("m1")[-1])
    assert found is not None
    told = decode(PolicyStanding, standing(found))
    assert told.answer is not None
    assert (told.version, told.answer.basis, told.activated_because) == (1, "roll_back", "worse")
    assert ", as a roll-back: worse." in told_standing(told)
    world.close()


def test_a_decision_tells_what_it_asked_of_people_and_what_they_answered(tmp_path: Path) -> None:
    rules = [rule("look", "priority >= 100000", "INVESTIGATE")]
    text = asking(policy_text(rules=rules), investigate_within="3d")
    world = World(tmp_path / "l.sqlite").begin("alpha", "beta", policy=text)
    for model in ("alpha", "beta"):
        world.see(model, 0.6, START + HOUR)
    world.settle()
    decision = world.events("decision.made.v2")[0].position
    other = world.events("decision.made.v2")[1].position
    world.ledger.cases.acknowledge(ANA, "alpha", decision, "I look at it.")
    world.ledger.cases.take(ANA, "alpha", decision)
    world.ledger.cases.resolve(ANA, "alpha", decision, "Late labels.")
    world.ledger.cases.close(ANA, "alpha", decision, "false_alarm", "Late labels")
    said = world.ledger.grounds.asked("alpha", decision)
    starts = [
        "It reached tier ds (mail), to be acknowledged until 2026-03-02T",
        "It opened a task for team-delay, due 2026-03-04T",
        "users/ana acknowledged it 2026-03-01T",
        "users/ana took the task 2026-03-01T",
        "users/ana resolved it 2026-03-01T",
        "users/ana closed the task 2026-03-01T",
    ]
    assert [one[: len(start)] for one, start in zip(said, starts, strict=True)] == starts
    assert said[2].endswith(": I look at it.")
    assert said[5].endswith(", false alarm: Late labels.")
    assert len(world.ledger.grounds.asked("beta", other)) == 2
    assert world.ledger.grounds.asked("alpha", other) == []
    closed = world.events("task.closed.v1")[0].position
    world.erase(closed)
    assert len(world.ledger.grounds.asked("alpha", decision)) == 5
    world.close()


def test_without_an_answer_a_decision_tells_how_far_it_went(tmp_path: Path) -> None:
    rules = [rule("look", "priority >= 100000", "INVESTIGATE")]
    text = asking(policy_text(rules=rules), investigate_within="3d")
    world = World(tmp_path / "l.sqlite").begin("alpha", policy=text)
    world.see("alpha", 0.6, START + HOUR)
    world.settle()
    decision = world.events("decision.made.v2")[0].position
    world.clock.advance(5 * DAY)
    world.see("alpha", 0.6, START + 5 * DAY)
    world.govern()
    said = world.ledger.grounds.asked("alpha", decision)
    overdue, escalated = sorted(said[2:])
    assert overdue.startswith("The task was overdue 2026-03-06T")
    assert escalated.startswith("Without an answer it went on to tier on-call (phone), to be")
    world.close()
