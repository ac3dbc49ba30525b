"""A time that was set for a version comes, or is dropped aloud with the reason.

Method: as in `test_terms.py`, on such a ledger; the clock is moved to the time.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.policies import PolicyActivatedV2, PolicyScheduled, PolicyScheduleWithdrawn
from tests.governance.test_approvals import check_audit, refusal
from tests.governance.test_terms import in_force, rush, second
from tests.support.staffed import APPROVER, PAT, SAM, Governed, governed, governed_text
from tests.support.world import DAY, EVERYWHERE, HOUR, reason_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db", ratify_within="2d", approval_valid="10d")
    yield made
    made.close()


def schedule(world: Governed, version: ChosenVersion, after: int) -> int:
    """Set the time of an activation."""
    at = world.clock.now_micros() + after
    made = world.ledger.commands.schedule_policy(
        PAT, version.policy, version.number, "", EVERYWHERE, "then", at
    )
    return made.last_position


def test_a_version_comes_into_force_at_the_time_that_was_set(world: Governed) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    position = schedule(world, version, DAY)
    assert world.ledger.due_policies.run().recorded == 0
    world.clock.advance(DAY)
    assert world.ledger.due_policies.run().recorded == 1
    (made,) = world.all_of(PolicyActivatedV2)
    assert (made.version, made.basis, made.scheduled) == (2, "scheduled", position)
    assert world.ledger.due_policies.run().recorded == 0
    check_audit(world)


def test_a_time_is_set_only_if_the_approvals_hold_until_then(world: Governed) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    assert "it has expired" in refusal(lambda: schedule(world, version, 11 * DAY))
    with pytest.raises(LedgerError) as caught:
        schedule(world, version, -HOUR)
    assert reason_of(caught) is Reason.FIELD_INVALID
    assert "effective_time: has come already" in caught.value.message


def test_a_time_is_set_within_a_year(world: Governed) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    assert "more than 366 days away" in refusal(lambda: schedule(world, version, 366 * DAY + 1))
    assert "it has expired" in refusal(lambda: schedule(world, version, 366 * DAY))


def test_a_time_whose_approvals_are_gone_is_dropped_with_the_reason(world: Governed) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    schedule(world, version, DAY)
    world.ledger.policy_steps.withdraw(SAM, version, "no")
    world.clock.advance(DAY)
    assert world.ledger.due_policies.run().recorded == 1
    (dropped,) = world.all_of(PolicyScheduleWithdrawn)
    assert "was withdrawn at position" in dropped.reason
    assert world.ledger.due_policies.run().recorded == 0
    assert not world.all_of(PolicyActivatedV2)
    check_audit(world)


def test_a_time_is_dropped_if_nothing_could_follow_its_version_by_then(world: Governed) -> None:
    third = world.grant(SAM.actor, "operator")  # beside the two who may draft
    version = world.drafted(governed_text(("operator", 2), title="Second"))
    world.submit(version)
    world.approve(version, PAT, SAM)
    schedule(world, version, DAY)
    grants = world.ledger.authority.state.grants_of["users/ana"]
    (operator,) = [one.position for one in grants if one.role == "operator"]
    world.ungrant(operator)
    world.ungrant(third)
    world.clock.advance(DAY)
    assert world.ledger.due_policies.run().recorded == 1
    (dropped,) = world.all_of(PolicyScheduleWithdrawn)
    assert "2 persons in the role operator are asked for, and 1 can approve" in dropped.reason
    check_audit(world)


def test_a_time_that_comes_while_an_emergency_waits_is_dropped_and_the_duty_to_ratify_stays(
    world: Governed,
) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    schedule(world, version, DAY)
    emergency = rush(world, world.drafted(governed_text((APPROVER, 1), title="Third")))
    world.clock.advance(DAY)
    assert world.ledger.due_policies.run().recorded == 1
    (dropped,) = world.all_of(PolicyScheduleWithdrawn)
    assert f"the emergency at position {emergency} waits for ratification there" in dropped.reason
    assert in_force(world) == (3, "emergency")
    world.clock.advance(DAY)
    world.ledger.due_policies.run()
    assert in_force(world) == (1, "reverted")
    check_audit(world)


def test_an_emergency_that_is_over_holds_up_no_time_that_was_set(world: Governed) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    schedule(world, version, 3 * DAY)
    rush(world, world.drafted(governed_text((APPROVER, 1), title="Third")))
    world.clock.advance(4 * DAY)
    assert world.ledger.due_policies.run().recorded == 2
    assert [one.basis for one in world.all_of(PolicyActivatedV2)][1:] == ["reverted", "scheduled"]
    check_audit(world)


def test_a_person_withdraws_a_time_and_one_scope_has_one(world: Governed) -> None:
    version = second(world)
    world.approve(version, PAT, SAM)
    schedule(world, version, DAY)
    assert "withdraw it first" in refusal(lambda: schedule(world, version, 2 * DAY))
    assert "withdraw that first" in refusal(
        lambda: world.ledger.policy_steps.retire(PAT, version, "old")
    )
    world.ledger.policy_steps.withdraw_schedule(PAT, version, "later")
    world.clock.advance(3 * DAY)
    assert world.ledger.due_policies.run().recorded == 0
    assert len(world.all_of(PolicyScheduled)) == 1
    check_audit(world)
