"""Emergencies end unless they are ratified, and a time that was set comes, or is dropped aloud.

Method: a ledger with people under a policy that asks for two approvers; the clock is moved, and the
service records what is due.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.policies import (
    PolicyActivatedV2,
    PolicyRatified,
    ScopePart,
)
from ledger.events.values import format_time
from tests.governance.test_approvals import check_audit, refusal
from tests.support.audits import audited
from tests.support.staffed import (
    APPROVER,
    AUTHOR,
    KIM,
    PAT,
    ROOT,
    SAM,
    Governed,
    governed,
    governed_text,
)
from tests.support.world import (
    DAY,
    EVERYWHERE,
    defined,
    policy_text,
    reason_of,
    signal_rule,
)

HIGH = ScopePart(kind="labels", model=None, labels={"tier": "high"})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db", ratify_within="2d", approval_valid="10d")
    yield made
    made.close()


def second(world: Governed, scope: ScopePart = EVERYWHERE) -> ChosenVersion:
    version = world.drafted(governed_text((APPROVER, 1), title="Second", ratify_within="2d"))
    world.submit(version, scope)
    return version


def rush(
    world: Governed, version: ChosenVersion, scope: ScopePart = EVERYWHERE, by: Caller = KIM
) -> int:
    """Activate a version in an emergency."""
    made = world.ledger.commands.activate_in_emergency(
        by, version.policy, version.number, "", scope, "it burns"
    )
    return made.last_position


def in_force(world: Governed, scope: ScopePart = EVERYWHERE) -> tuple[int, str]:
    """Return the version in force in a scope, and its basis."""
    found = [one for one in world.all_of(PolicyActivatedV2) if one.scope == scope]
    return found[-1].version, found[-1].basis


def test_an_emergency_is_in_force_at_once_and_says_until_when_it_must_be_ratified(
    world: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    rush(world, second(world))
    (made,) = world.all_of(PolicyActivatedV2)
    assert (made.basis, made.approvals) == ("emergency", [])
    assert made.ratify_until == format_time(world.clock.now_micros() + 2 * DAY)
    assert "policy.emergency" in capsys.readouterr().out
    check_audit(world)


def test_an_emergency_that_is_ratified_in_time_stays(world: Governed) -> None:
    version = second(world)
    position = rush(world, version)
    assert "it has 1 in the role" in refusal(
        lambda: (world.approve(version, PAT), world.ledger.policy_steps.ratify(PAT, version))
    )
    approval = world.approve(version, SAM)
    world.ledger.policy_steps.ratify(PAT, version)
    (ratified,) = world.all_of(PolicyRatified)
    assert (ratified.activation, ratified.approvals[-1]) == (position, approval)
    world.clock.advance(5 * DAY)
    assert world.ledger.due_policies.run().recorded == 0
    assert in_force(world) == (2, "emergency")
    check_audit(world)


def test_an_emergency_that_is_not_ratified_ends_and_what_was_before_is_in_force(
    world: Governed,
) -> None:
    position = rush(world, second(world))
    assert world.ledger.due_policies.run().recorded == 0
    world.clock.advance(2 * DAY)
    assert world.ledger.governor.run_due() == 1
    assert in_force(world) == (1, "reverted")
    assert world.all_of(PolicyActivatedV2)[-1].replaces == position
    assert world.ledger.due_policies.run().recorded == 0
    check_audit(world)


def test_where_nothing_was_in_force_for_the_very_scope_the_wider_version_follows(
    world: Governed,
) -> None:
    rush(world, second(world, HIGH), HIGH)
    world.clock.advance(2 * DAY)
    world.ledger.due_policies.run()
    assert in_force(world, HIGH) == (1, "reverted")
    check_audit(world)


def test_two_emergencies_one_around_the_other_end_at_once(world: Governed) -> None:
    rush(world, second(world))
    rush(world, world.drafted(governed_text((APPROVER, 2), title="High")), HIGH)
    world.clock.advance(2 * DAY)
    assert world.ledger.due_policies.run().recorded == 2
    assert in_force(world) == in_force(world, HIGH) == (1, "reverted")
    assert world.ledger.due_policies.run().recorded == 0
    check_audit(world)


def test_the_auditor_accuses_no_one_where_the_labels_in_force_then_were_erased(
    world: Governed,
) -> None:
    high = world.drafted(governed_text((APPROVER, 2), title="High", ratify_within="2d"), "high")
    world.submit(high, HIGH)
    world.approve(high, PAT, SAM)
    world.enforce(high, HIGH)
    registration = world.register("alpha", labels={"tier": "high"}).last_position
    alpha = ScopePart(kind="model", model="alpha", labels={})
    rush(world, second(world, alpha), alpha)
    world.clock.advance(2 * DAY)
    world.ledger.due_policies.run()
    assert world.all_of(PolicyActivatedV2)[-1].policy == "high"
    world.update("alpha", labels={})
    world.erase(registration)
    found = audited(Path(world.path)).findings
    assert [one for one in found if one.rule.startswith("policies.")] == []


def test_an_emergency_is_ratified_by_neither_its_author_nor_the_one_who_called_it(
    world: Governed,
) -> None:
    version = second(world)
    rush(world, version)
    assert "has submitted or activated it" in refusal(lambda: world.approve(version, KIM))
    assert "is its author" in refusal(lambda: world.approve(version, AUTHOR))


def test_an_emergency_is_no_way_around_the_approvals_of_what_follows(world: Governed) -> None:
    free = world.drafted(policy_text(), "free")
    rush(world, free)
    other = world.drafted(policy_text(), "other")
    assert "main version 1 asks for 2" in refusal(lambda: world.enforce(other))
    assert "waits for ratification" in refusal(lambda: rush(world, other))


def test_what_an_emergency_put_in_force_is_rolled_back_to_only_once_ratified(
    world: Governed,
) -> None:
    version = second(world)
    rush(world, version)
    world.clock.advance(2 * DAY)
    world.ledger.due_policies.run()
    assert "but in an emergency" in refusal(lambda: world.roll_back(version))


def test_erasing_what_an_emergency_replaced_does_not_ratify_it_without_approvals(
    world: Governed,
) -> None:
    version = second(world)
    rush(world, version)
    world.erase(world.events("policy.drafted.v3")[0].position)
    assert "the document of main version 1 was erased" in refusal(
        lambda: world.ledger.policy_steps.ratify(PAT, version)
    )
    check_audit(world)


def test_no_document_follows_its_own_emergency_and_no_person_calls_two(world: Governed) -> None:
    version = second(world)
    position = rush(world, version)
    world.clock.advance(2 * DAY)
    world.ledger.due_policies.run()
    copy = world.drafted(governed_text((APPROVER, 1), title="Second", ratify_within="2d"), "copy")
    for again in (version, copy):
        repeated = refusal(lambda again=again: rush(world, again, by=PAT))  # type: ignore[misc]
        assert f"its emergency at position {position} ended" in repeated
    other = world.drafted(policy_text(), "other")
    assert "staff-kim called the emergency" in refusal(lambda: rush(world, other))
    rush(world, other, by=PAT)
    check_audit(world)


def test_after_approvals_a_person_may_call_an_emergency_again(world: Governed) -> None:
    rush(world, second(world))
    world.clock.advance(2 * DAY)
    world.ledger.due_policies.run()
    version = world.drafted(governed_text((APPROVER, 1), title="Third"))
    world.submit(version)
    world.approve(version, PAT, SAM)
    world.enforce(version)
    rush(world, world.drafted(policy_text(), "other"))
    check_audit(world)


def test_an_emergency_takes_an_action_of_its_own(world: Governed) -> None:
    version = second(world)
    assert "lacks the action policies.emergency" in refusal(
        lambda: world.ledger.commands.activate_in_emergency(
            ROOT, version.policy, version.number, "", EVERYWHERE, "now"
        )
    )


def test_what_follows_an_emergency_is_not_retired(world: Governed) -> None:
    rush(world, second(world))
    first = ChosenVersion("main", 1)
    assert "it follows if the emergency" in refusal(
        lambda: world.ledger.policy_steps.retire(PAT, first, "old")
    )


# ---- what follows an emergency -------------------------------------------------------------------


def wait_out(world: Governed) -> str:
    """Let the time to ratify pass, and the service act; return the reason that it records."""
    world.clock.advance(2 * DAY)
    assert world.ledger.due_policies.run().recorded == 1
    return world.all_of(PolicyActivatedV2)[-1].rationale


def test_an_emergency_goes_back_to_the_newest_version_there_whose_document_is_there(
    world: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    version = world.drafted(governed_text((APPROVER, 1), title="Second", ratify_within="2d"))
    world.submit(version)
    world.approve(version, PAT, SAM)
    world.enforce(version)
    rush(world, world.drafted(policy_text(), "other"))
    world.erase(world.events("policy.drafted.v3")[1].position)
    assert "cannot be in force again" in wait_out(world)
    assert in_force(world) == (1, "reverted")
    assert "policy.emergency_ended" in capsys.readouterr().out
    check_audit(world)


def test_an_emergency_ends_where_the_only_document_that_could_follow_is_gone(
    world: Governed,
) -> None:
    rush(world, second(world))
    world.erase(world.events("policy.drafted.v3")[0].position)
    wait_out(world)
    assert in_force(world) == (1, "reverted")
    assert "the document of main version 1 was erased" in refusal(
        lambda: world.enforce(world.drafted(policy_text(), "other"))
    )
    check_audit(world)


def test_an_emergency_for_a_model_ends_though_nothing_is_in_force_for_its_labels_any_more(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    world.register("alpha", labels={"tier": "high"})
    text = governed_text((APPROVER, 2), ratify_within="2d")
    world.enforce(world.drafted(text), HIGH)
    alone = ScopePart(kind="model", model="alpha", labels={})
    rush(world, world.drafted(policy_text(), "other"), alone)
    world.update("alpha", labels={"tier": "low"})
    wait_out(world)
    assert in_force(world, alone) == (1, "reverted")
    check_audit(world)
    world.close()


def test_an_emergency_for_a_model_ends_though_the_model_is_retired(world: Governed) -> None:
    world.register("alpha", labels={"tier": "high"})
    alone = ScopePart(kind="model", model="alpha", labels={})
    rush(world, second(world, alone), alone)
    world.ledger.commands.retire_model(AUTHOR, "alpha", "replaced")
    wait_out(world)
    assert in_force(world, alone) == (1, "reverted")
    check_audit(world, "authority.rights")  # the author may not retire


def test_what_follows_an_emergency_keeps_the_meaning_of_its_signals(world: Governed) -> None:
    world.ledger.definitions.define(AUTHOR, defined("drift"))
    drift = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    rush(world, world.drafted(drift, "other"))
    turned = defined("loss").model_copy(update={"unit": "bits"})
    with pytest.raises(LedgerError) as refused:
        world.ledger.definitions.define(AUTHOR, turned)
    assert reason_of(refused) is Reason.MEANING_PINNED
    assert "main version 1 follows" in refused.value.message
    wait_out(world)
    check_audit(world)


def test_an_emergency_for_one_model_leaves_the_approvals_for_the_whole_ledger(
    world: Governed,
) -> None:
    world.register("alpha")
    version = second(world)
    world.approve(version, PAT, SAM)
    rush(world, version, ScopePart(kind="model", model="alpha", labels={}))
    world.enforce(version)
    check_audit(world)
