"""A decision names the persons who approved its policy, in which role, with which meaning and when.

Method: a policy is approved by two persons and decides; the standing of its version at that
decision is read, as data and in words, also after another version has replaced it.
"""

from pathlib import Path

from ledger.api.convert.grounds import standing
from ledger.application.policies.steps import ChosenVersion
from ledger.client.decode import decode
from ledger.client.grounds import PolicyStanding
from ledger.operations.explanation import told_standing
from tests.support.staffed import APPROVER, KIM, PAT, SAM, governed, governed_text


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
    assert (told.title, told.version, told.basis) == ("Second", 2, "approved")
    assert [(one.actor, one.role, one.meaning) for one in told.approvals] == [
        ("users/sam", APPROVER, "reviewed_and_approved"),
        ("users/kim", APPROVER, "reviewed_and_approved"),
    ]
    events = {event.position: event for event in world.events("policy.approved.v1")}
    assert all(events[one.position].body.actor == one.actor for one in told.approvals)
    words = told_standing(told)
    assert "users/pat brought it into force for the whole ledger" in words
    assert ", by its approvals: go." in words
    assert f"users/sam, as {APPROVER}, approved it " in words
    assert "(reviewed and approved): fine." in words
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
    assert (told.version, told.basis, told.activated_because) == (1, "roll_back", "worse")
    assert ", as a roll-back: worse." in told_standing(told)
    world.close()
