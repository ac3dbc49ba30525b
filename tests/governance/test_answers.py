"""Who answers for a version in force is told wherever that version is, however it got there.

Method: people with roles approve, roll back, call an emergency and ratify it or do not; the pure
function, the explanation of a decision, the review pack, `GetPolicy` and the answers of compliance
are read for what is in force then.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.api.convert.grounds import standing
from ledger.api.convert.policies import PolicyMoment, policy
from ledger.application.policies.review_packs import PackPeriod
from ledger.application.policies.steps import ChosenVersion
from ledger.client.decode import decode
from ledger.client.grounds import PolicyStanding
from ledger.client.records import Policy
from ledger.compliance.governance_answers import activation_answer
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer as answer_to
from ledger.compliance.review_pack import pack_facts, pack_tables
from ledger.compliance.tables import as_records
from ledger.events.values import DAY
from ledger.governance.answers import ActivationAnswer, answer_for, answers_in_force, told
from ledger.governance.lifecycle import ScopeKey
from ledger.operations.explanation import told_standing
from tests.support.facts import facts_of
from tests.support.staffed import APPROVER, KIM, PAT, SAM, Governed, governed, governed_text
from tests.support.world import EVERYWHERE

WHOLE = ScopeKey("ledger", None, ())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    """A ledger whose second version has two approvals and is in force."""
    made = governed(tmp_path / "ledger.db")
    approved(made, "Second")
    made.register("m1")
    made.deploy("m1", "v1")
    yield made
    made.close()


def approved(world: Governed, title: str) -> ChosenVersion:
    """Bring a version into force by the approvals of Sam and Kim."""
    version = world.drafted(governed_text((APPROVER, 2), title=title))
    world.submit(version)
    world.approve(version, SAM, KIM)
    world.enforce(version)
    return version


def emergency(world: Governed) -> ChosenVersion:
    """Bring a third version into force by an emergency that Pat calls."""
    version = world.drafted(governed_text((APPROVER, 2), title="Third"))
    world.ledger.commands.activate_in_emergency(
        PAT, version.policy, version.number, "", EVERYWHERE, "it burns"
    )
    return version


def answer(world: Governed) -> ActivationAnswer:
    """Return who answers for what is in force, which every reader is told alike."""
    state = world.ledger.governance.as_of(world.head)
    found = answer_for(state, state.in_force[WHOLE])
    words = in_words(world)
    known = activation_answer(facts_of(world), found.activation.position)
    assert known is not None
    assert words == list(told(known))
    world.evaluate("m1")
    stood = world.ledger.grounds.standing(world.scores("m1")[-1])
    assert stood is not None
    explained = decode(PolicyStanding, standing(stood))
    assert explained.answer is not None
    assert list(explained.answer.sentences) == words
    assert told_standing(explained).endswith(" ".join(words))
    life = packed(world)["life"]
    assert [one["position"] for one in life["approvals"]] == [
        one.approval.position for one in found.approvals
    ]
    assert life["basis"] == explained.answer.basis == found.basis
    return found


def missing(world: Governed) -> str:
    """Return what the answer about the rule's version says is missing of the newest decision."""
    return answer_to("rule-version", facts_of(world), Inquiry(model="m1")).missing


def test_an_approval_that_was_withdrawn_is_told_as_such(world: Governed) -> None:
    version = world.drafted(governed_text((APPROVER, 2), title="Third"))
    world.submit(version)
    given = world.approve(version, PAT)
    taken = world.ledger.policy_steps.withdraw(PAT, version, "a doubt").last_position
    world.approve(version, SAM, KIM)
    world.enforce(version)
    world.see("m1", 0.4, world.clock.now_micros())
    world.evaluate("m1")
    told = answer_to("rule-version", facts_of(world), Inquiry(model="m1"))
    said = f"The approval of users/pat at position {given} was withdrawn at position {taken}."
    assert [one for one in told.said if "withdrawn" in one] == [said]
    [shown] = [one for one in told.tables if one.name == "approvals"]
    assert [one["withdrawn_at"] for one in as_records(shown)] == [taken, None, None]


def in_words(world: Governed) -> list[str]:
    """Return who answers for what is in force, as `policy show` says it."""
    ledger = world.ledger
    ledger.fleet.refresh()
    view = ledger.fleet.policy("main")
    assert view is not None
    life = ledger.governance.as_of(None)
    shown = decode(Policy, policy(view, PolicyMoment(None, life, answers_in_force(life))))
    assert all(one.answer is None for one in shown.activations if not one.in_force)
    [one] = [one for one in shown.activations if one.in_force]
    assert one.answer is not None
    return list(one.answer.sentences)


def packed(world: Governed) -> dict[str, Any]:
    """Return the review pack of what is in force."""
    made = world.ledger.reviews.packs.pack(("main", 0), WHOLE, PackPeriod())
    found: dict[str, Any] = json.loads(made.body)
    return found


def persons(found: ActivationAnswer) -> list[tuple[str, str]]:
    return [(one.approval.actor, one.basis) for one in found.approvals]


def approvals_shown(world: Governed) -> list[tuple[Any, ...]]:
    """Return the approvals of the pack's table, with meaning and basis as people read them."""
    [table] = [one for one in pack_tables(packed(world)) if one.name == "approvals"]
    at = [[column.name for column in table.columns].index(name) for name in COLUMNS]
    return [tuple(row[index] for index in at) for row in table.rows]


COLUMNS = ("actor", "meaning", "basis")


def test_what_came_into_force_by_approvals_rests_on_those(world: Governed) -> None:
    found = answer(world)
    assert persons(found) == [("users/sam", "activation"), ("users/kim", "activation")]
    assert (found.basis, found.returned_to, found.ratification) == ("approved", None, None)
    assert [one.approval.meaning for one in found.approvals] == ["reviewed_and_approved"] * 2
    events = {one.position: one for one in world.events("policy.approved.v1")}
    for one in found.approvals:
        assert one.approval.recorded_at == events[one.approval.position].recorded_at
    assert missing(world) == ""
    assert approvals_shown(world) == [
        ("users/sam", "reviewed and approved", "this activation"),
        ("users/kim", "reviewed and approved", "this activation"),
    ]


def test_a_roll_back_rests_on_the_approvals_of_what_it_returned_to(world: Governed) -> None:
    first = world.events("policy.activated.v2")[-1].position
    approved(world, "Third")
    world.roll_back(ChosenVersion("main", 2))
    found = answer(world)
    assert persons(found) == [("users/sam", "returned_to"), ("users/kim", "returned_to")]
    assert found.returned_to is not None
    assert (found.basis, found.returned_to.position) == ("roll_back", first)
    assert (found.activation.actor, found.activation.rationale) == ("users/pat", "worse")
    back, *approvals = in_words(world)
    assert (
        f"It had come into force at position {first} before, with the approvals asked for" in back
    )
    assert [one.split(",")[0] for one in approvals] == ["users/sam", "users/kim"]
    facts = dict(pack_facts(packed(world), "", "EUR"))
    assert "as a roll-back: worse" in facts["in force"]
    assert f"at position {first}, with the approvals asked for" in facts["returned to"]
    assert {one[2] for one in approvals_shown(world)} == {"the activation returned to"}


def test_a_roll_back_of_a_roll_back_leads_to_the_approvals_behind_both(world: Governed) -> None:
    approved(world, "Third")
    world.roll_back(ChosenVersion("main", 2))
    world.roll_back(ChosenVersion("main", 3))
    world.roll_back(ChosenVersion("main", 2))
    found = answer(world)
    assert found.returned_to is not None
    assert (found.returned_to.basis, found.returned_to.version) == ("approved", 2)
    own = {one.position for one in world.events("policy.approved.v1")[:2]}
    assert {one.approval.position for one in found.approvals} == own


def test_a_roll_back_to_what_no_policy_asked_approvals_for_rests_on_none(world: Governed) -> None:
    world.roll_back(ChosenVersion("main", 1))
    found = answer(world)
    assert found.returned_to is not None
    assert (found.returned_to.basis, found.approvals) == ("direct", ())
    assert "before, no policy asked for approvals: " in in_words(world)[0]
    assert missing(world) == "No policy asked for its approval: its activation is all there is."
    assert activation_answer(facts_of(world), 1) is None


def test_an_emergency_rests_on_nothing_until_it_is_ratified_and_then_on_that(
    world: Governed,
) -> None:
    version = emergency(world)
    found = answer(world)
    assert (found.basis, found.approvals, found.ratification) == ("emergency", (), None)
    assert in_words(world) == ["It is not ratified."]
    assert missing(world) == ""
    assert dict(pack_facts(packed(world), "", "EUR"))["ratified"] == "not yet"
    world.approve(version, SAM, KIM)
    world.ledger.policy_steps.ratify(SAM, version)
    found = answer(world)
    assert persons(found) == [("users/sam", "ratification"), ("users/kim", "ratification")]
    ratified = world.events("policy.ratified.v1")[-1]
    assert found.ratification is not None
    assert (found.ratification.actor, found.ratification.position) == (
        "users/sam", ratified.position,
    )  # fmt: skip
    assert found.ratification.recorded_at == ratified.recorded_at
    assert in_words(world)[0].startswith("users/sam ratified it ")
    assert f"at position {ratified.position}" in dict(pack_facts(packed(world), "", ""))["ratified"]


def test_what_comes_back_after_an_emergency_names_that_and_its_own_approvals(
    world: Governed,
) -> None:
    emergency(world)
    called = world.events("policy.activated.v2")[-1].position
    world.clock.advance(30 * DAY)
    assert world.govern() > 0
    found = answer(world)
    assert found.ended_emergency is not None
    assert (found.basis, found.ended_emergency.position) == ("reverted", called)
    assert persons(found) == [("users/sam", "returned_to"), ("users/kim", "returned_to")]
    over, back, *_ = in_words(world)
    assert f"the emergency of position {called} was over: users/pat" in over
    assert "no person ratified it in time" in over
    assert "with the approvals asked for" in back
    facts = dict(pack_facts(packed(world), "", "EUR"))
    assert f"at position {called}; no person ratified it in time" in facts["ended emergency"]


def test_a_roll_back_to_what_was_ratified_rests_on_the_ratification(world: Governed) -> None:
    version = emergency(world)
    world.approve(version, SAM, KIM)
    world.ledger.policy_steps.ratify(KIM, version)
    world.roll_back(ChosenVersion("main", 2))
    world.roll_back(version)
    found = answer(world)
    assert persons(found) == [("users/sam", "ratification"), ("users/kim", "ratification")]
    assert found.returned_to is not None
    assert found.returned_to.basis == "emergency"
    assert found.ratification is not None
