"""A version comes into force by the approvals that the policies in force ask for.

Method: a ledger with people and roles under a policy that asks for two approvers; each test changes
one thing and requires that the activation is refused for it, or goes through; the auditor agrees.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.authority import ActorRegistered
from ledger.events.policies import PolicyActivatedV1, PolicyActivatedV2, ScopePart
from tests.support.audits import audited
from tests.support.staffed import (
    APPROVER,
    AUTHOR,
    KIM,
    PAT,
    PAT_TOO,
    ROOT,
    SAM,
    Governed,
    governed,
    governed_text,
)
from tests.support.world import DAY, EVERYWHERE, HOUR, World, defined, policy_text, reason_of

AUTHOR_TOO = Caller("users/author-too")
HIGH = ScopePart(kind="labels", model=None, labels={"tier": "high"})


def whole(label: str, value: str) -> ScopePart:
    return ScopePart(kind="labels", model=None, labels={label: value})


def one_model(name: str) -> ScopePart:
    return ScopePart(kind="model", model=name, labels={})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db")
    yield made
    made.close()


def refusal(act: Callable[[], object]) -> str:
    """Return why something was refused."""
    with pytest.raises(LedgerError) as caught:
        act()
    assert caught.value.reason in {Reason.APPROVAL_MISSING, Reason.GOVERNANCE_REFUSED}
    return caught.value.message


def submitted(world: Governed, title: str = "Next", **more: object) -> ChosenVersion:
    version = world.drafted(governed_text((APPROVER, 2), title=title, **more))
    world.submit(version)
    return version


def check_audit(world: Governed, *of_the_gate: str) -> None:
    """Fail unless the auditor finds nothing of governance; credentials are the gate's."""
    found = audited(Path(world.path)).findings
    assert [one for one in found if one.rule not in {"authority.shown", *of_the_gate}] == []


def test_two_persons_approve_and_a_version_comes_into_force_citing_them(world: Governed) -> None:
    version = submitted(world)
    first, second = world.approve(version, PAT), world.approve(version, SAM)
    world.enforce(version)
    (made,) = world.all_of(PolicyActivatedV2)
    assert (made.basis, made.approvals) == ("approved", [first, second])
    assert made.replaces == world.events(PolicyActivatedV1.TYPE)[0].position
    world.register("alpha")
    assert world.ledger.fleet.policies()[0].policy.activations[-1] == made
    check_audit(world)


def test_one_approval_of_two_is_too_few(world: Governed) -> None:
    version = submitted(world)
    world.approve(version, PAT)
    assert "main version 1 asks for 2 policy-approver, and it has 1" in refusal(
        lambda: world.enforce(version)
    )


def test_the_author_approves_by_no_account(world: Governed) -> None:
    version = submitted(world)
    assert "staff-author is its author" in refusal(lambda: world.approve(version, AUTHOR))
    assert "staff-author is its author" in refusal(lambda: world.approve(version, AUTHOR_TOO))


def test_a_version_of_an_author_who_may_be_anybody_waits_until_the_actor_is_registered(
    tmp_path: Path,
) -> None:
    world, ghost = Governed(tmp_path / "ledger.db", clock="wall"), Caller("users/ghost")
    world.ledger.definitions.define(ghost, defined("loss"))
    first = world.drafted(governed_text((APPROVER, 1)), by=ghost)
    version = world.drafted(governed_text((APPROVER, 1), title="Next"), by=ghost)
    world.staff()
    world.enforce(first)
    assert "users/ghost is no registered actor" in refusal(lambda: world.submit(version))
    known = ActorRegistered(actor=ghost.actor, person="staff-pat", meaning="")
    world.ledger.authority_changes.record(ROOT, "RegisterActor", known)
    world.submit(version)
    assert "staff-pat is its author" in refusal(lambda: world.approve(version, PAT))
    world.approve(version, SAM)
    world.enforce(version)
    check_audit(world)
    world.close()


def test_the_person_who_submitted_a_version_does_not_approve_it(world: Governed) -> None:
    version = world.drafted(governed_text((APPROVER, 2), title="Next"))
    world.submit(version, by=PAT)
    assert "staff-pat is its author, or has submitted" in refusal(
        lambda: world.approve(version, PAT_TOO)
    )


def test_one_person_approves_once_whichever_account_is_used(world: Governed) -> None:
    version = submitted(world)
    world.approve(version, PAT)
    assert "staff-pat has approved it already" in refusal(lambda: world.approve(version, PAT_TOO))


def test_a_service_does_not_approve(world: Governed) -> None:
    version = submitted(world)
    robot = Caller("services/robot")
    assert "is not a person" in refusal(lambda: world.approve(version, robot, role=APPROVER))


def test_a_person_without_the_role_does_not_approve(world: Governed) -> None:
    version = submitted(world)
    assert "holds none of the roles" in refusal(
        lambda: world.approve(version, Caller("users/root"))
    )


def test_an_approval_counts_only_while_its_role_is_held(world: Governed) -> None:
    version = submitted(world)
    granted = list(world.ledger.authority.state.grants_of[SAM.actor])
    world.approve(version, PAT, SAM)
    world.ungrant(granted[0].position)
    assert "it has 1 in the role" in refusal(lambda: world.enforce(version))
    world.grant(SAM.actor, APPROVER)
    world.enforce(version)
    check_audit(world)


def test_an_approval_expires_as_the_policy_in_force_says_and_can_be_given_again(
    tmp_path: Path,
) -> None:
    world = governed(tmp_path / "ledger.db", (APPROVER, 1), approval_valid="2d")
    version = submitted(world)
    world.approve(version, PAT)
    world.clock.advance(2 * DAY)
    assert "it has 0" in refusal(lambda: world.enforce(version))
    world.approve(version, PAT)
    world.clock.advance(HOUR)
    world.enforce(version)
    check_audit(world)
    world.close()


def test_a_withdrawn_approval_does_not_count(world: Governed) -> None:
    version = submitted(world)
    world.approve(version, PAT, SAM)
    world.ledger.policy_steps.withdraw(PAT_TOO, version, "I was wrong")
    assert "it has 1" in refusal(lambda: world.enforce(version))
    world.approve(version, PAT)
    world.enforce(version)
    assert "rests on it" in refusal(lambda: world.ledger.policy_steps.withdraw(PAT, version, "no"))
    check_audit(world)


def test_a_rejected_version_is_submitted_again_and_its_approvals_are_gone(world: Governed) -> None:
    version = submitted(world)
    world.approve(version, PAT, SAM)
    world.ledger.policy_steps.reject(KIM, version, "too harsh")
    assert "it has 0" in refusal(lambda: world.enforce(version))
    assert "submit it first" in refusal(lambda: world.approve(version, PAT))
    world.submit(version)
    assert "it has 0" in refusal(lambda: world.enforce(version))
    world.approve(version, PAT, SAM)
    world.enforce(version)
    check_audit(world)


def test_an_approval_is_for_the_scope_that_was_submitted(world: Governed) -> None:
    version = world.drafted(governed_text((APPROVER, 2), title="Next"))
    world.submit(version, HIGH)
    world.approve(version, PAT, SAM)
    assert "it has 2" not in refusal(lambda: world.enforce(version))
    world.enforce(version, HIGH)
    check_audit(world)


def test_a_submission_for_another_scope_ends_none_and_each_has_its_own_approvals(
    world: Governed,
) -> None:
    version = submitted(world)
    everywhere = world.head
    world.approve(version, PAT)
    world.submit(version, HIGH)
    high = world.head
    world.approve(version, PAT, SAM)
    steps = world.ledger.policy_steps
    steps.approve(KIM, version, "", "fine", everywhere)
    world.enforce(version)
    assert "0 in the role" not in refusal(lambda: world.submit(version, HIGH))
    world.enforce(version, HIGH)
    cited = [one.approvals for one in world.all_of(PolicyActivatedV2)]
    assert [len(one) for one in cited] == [2, 2]
    assert "by a submission at position" in refusal(
        lambda: steps.reject(KIM, version, "late", high)
    )
    check_audit(world)


def test_a_rejection_ends_the_submission_that_it_is_of_alone(world: Governed) -> None:
    version = submitted(world)
    everywhere = world.head
    world.approve(version, PAT, SAM)
    world.submit(version, HIGH)
    world.ledger.policy_steps.reject(KIM, version, "not there")
    world.enforce(version)
    (made,) = world.all_of(PolicyActivatedV2)
    assert len(made.approvals) == 2
    assert everywhere < min(made.approvals)
    check_audit(world)


def test_a_narrower_scope_takes_the_approvals_of_the_wider_one(world: Governed) -> None:
    world.register("alpha", labels={"tier": "high"})
    version = world.drafted(policy_text(), "own")
    assert "main version 1 asks for 2" in refusal(lambda: world.enforce(version, HIGH))
    narrow = one_model("alpha")
    assert "main version 1 asks for 2" in refusal(lambda: world.enforce(version, narrow))


def test_each_policy_in_force_is_satisfied_by_itself(world: Governed) -> None:
    world.grant(KIM.actor, "auditor")
    version = world.drafted(governed_text(("auditor", 1), title="High"), "high")
    world.submit(version, HIGH)
    world.approve(version, PAT, SAM)
    world.enforce(version, HIGH)
    world.register("alpha", labels={"tier": "high"})
    own = world.drafted(policy_text(), "own")
    world.submit(own, one_model("alpha"))
    world.approve(own, PAT, SAM)
    assert "high version 1 asks for 1 auditor" in refusal(
        lambda: world.enforce(own, one_model("alpha"))
    )
    world.approve(own, KIM, role="auditor")
    world.enforce(own, one_model("alpha"))
    check_audit(world)


def test_another_label_is_no_way_around_a_policy_for_models_that_carry_both(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    world.enforce(world.drafted(governed_text((APPROVER, 1)), "high"), HIGH)
    other = world.drafted(policy_text(), "other")
    assert "high version 1 asks for 1" in refusal(
        lambda: world.enforce(other, whole("owner", "risk"))
    )
    world.enforce(other, whole("tier", "low"))
    check_audit(world)
    world.close()


def test_taking_a_models_labels_away_is_no_way_around_the_policy_for_them(tmp_path: Path) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    world.register("alpha")
    world.enforce(world.drafted(governed_text((APPROVER, 1)), "high"), HIGH)
    other = world.drafted(policy_text(), "other")
    assert "high version 1 asks for 1" in refusal(lambda: world.enforce(other, one_model("alpha")))
    status = world.ledger.governance.status("other", 1, one_model("alpha"))
    assert (status.overlaps, status.roles[0].requirement.policy) == ((), "high")
    check_audit(world)
    world.close()


def test_a_definition_with_replacements_is_no_way_around_approvals(world: Governed) -> None:
    from ledger.application.fleet.definitions import Replacement

    changed = defined("loss").model_copy(update={"unit": "bits"})
    with pytest.raises(LedgerError) as caught:
        world.ledger.definitions.define(
            AUTHOR, changed, [Replacement("main", 0, policy_text(), "all new")]
        )
    assert reason_of(caught) is Reason.APPROVAL_MISSING
    assert "under a name of its own" in caught.value.remedy


def test_without_a_policy_that_asks_for_approvals_nothing_changes(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    assert [event.type for event in world.events() if "activated" in event.type] == [
        PolicyActivatedV1.TYPE
    ]
    world.close()


def test_an_activation_that_another_activation_overtakes_is_judged_again(world: Governed) -> None:
    version, other = submitted(world), submitted(world, "Other")
    world.approve(version, PAT, SAM)
    world.approve(other, PAT, SAM)
    world.before_append(lambda: world.enforce(other))
    with pytest.raises(LedgerError):
        world.enforce(version)
    world.enforce(version)
    first = world.events(PolicyActivatedV2.TYPE)[0]
    assert world.all_of(PolicyActivatedV2)[-1].replaces == first.position
    check_audit(world)


def test_the_auditor_accuses_no_one_for_a_model_whose_registration_was_erased(
    world: Governed,
) -> None:
    registration = world.register("alpha").last_position
    version = world.drafted(governed_text((APPROVER, 2), title="Next"))
    world.submit(version, one_model("alpha"))
    world.approve(version, PAT, SAM)
    world.enforce(version, one_model("alpha"))
    world.update("alpha", owner="users/other")
    world.erase(registration)
    found = audited(Path(world.path)).findings
    assert [one for one in found if one.rule.startswith("policies.")] == []


def test_a_first_version_takes_no_approvals_nor_does_one_in_force(tmp_path: Path) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    first = world.drafted(governed_text((APPROVER, 2)))
    world.submit(first)
    status = world.ledger.governance.status
    waiting = status("main", 1, EVERYWHERE)
    assert (waiting.state, waiting.roles, waiting.missing) == ("submitted", (), ())
    world.enforce(first)  # as the status said
    active = status("main", 1, EVERYWHERE)
    assert (active.state, active.roles) == ("active", ())
    submitted(world)
    (role,) = status("main", 2, EVERYWHERE).missing
    assert (role.requirement.version, role.count, role.given) == (1, 2, 0)
    check_audit(world)
    world.close()


def test_a_version_in_force_that_is_submitted_again_takes_approvals_again(world: Governed) -> None:
    first = ChosenVersion("main", 1)
    status = world.ledger.governance.status
    assert status("main", 1, EVERYWHERE).missing == ()
    world.submit(first)
    assert [one.count for one in status("main", 1, EVERYWHERE).missing] == [2]
    assert "it has 0 in the role" in refusal(lambda: world.enforce(first))


def test_the_status_says_which_of_two_overlapping_scopes_decides(world: Governed) -> None:
    version = world.drafted(governed_text((APPROVER, 2), title="High"), "high")
    world.submit(version, HIGH)
    world.approve(version, PAT, SAM)
    world.enforce(version, HIGH)
    status = world.ledger.governance.status
    (wider,) = status("high", 1, HIGH).overlaps
    assert (wider.policy, str(wider.scope), wider.decides) == ("main", "the whole ledger", False)
    (narrower,) = status("main", 1, EVERYWHERE).overlaps
    assert (narrower.policy, narrower.decides) == ("high", True)
    other = whole("owner", "risk")
    assert [(one.policy, one.decides) for one in status("main", 1, other).overlaps] == [
        ("main", False),
        ("high", False),
    ]


def test_an_activation_that_the_loss_of_a_role_overtakes_is_not_recorded(world: Governed) -> None:
    version = submitted(world)
    world.approve(version, PAT, SAM)
    granted = list(world.ledger.authority.state.grants_of[SAM.actor])
    world.before_append(lambda: world.ungrant(granted[0].position))
    with pytest.raises(LedgerError):
        world.enforce(version)
    assert not world.all_of(PolicyActivatedV2)
    assert "it has 1 in the role" in refusal(lambda: world.enforce(version))
