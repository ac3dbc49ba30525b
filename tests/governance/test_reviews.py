"""Reviews of policies come due, are reminded of, and begin again with what comes into force.

Method: a ledger with people under a policy that is reviewed every 90 days; the clock is moved, and
the service records what is due.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.events.policies import ScopePart
from ledger.events.reviews import PolicyReviewDue
from ledger.events.values import format_time
from ledger.governance.lifecycle import ScopeKey
from ledger.notification_settings import SubscriberSettings
from ledger.notifications.selection import Selection
from tests.governance.test_approvals import check_audit
from tests.support.staffed import APPROVER, SAM, Governed, governed, governed_text
from tests.support.world import DAY, EVERYWHERE

HIGH = ScopePart(kind="labels", model=None, labels={"tier": "high"})
WHOLE = ScopeKey("ledger", None, ())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db", (APPROVER, 1), review_every="90d")
    yield made
    made.close()


def run(world: Governed) -> int:
    """Have the service record what is due; return how much it was."""
    return world.ledger.governor.run_due()


def overdue(world: Governed) -> set[int]:
    """Return the activations whose review is overdue."""
    turns = world.ledger.governance.as_of(None).turns.values()
    return {one.activation.position for one in turns if one.due}


def enforce_second(world: Governed, every: str, scope: ScopePart = EVERYWHERE) -> int:
    """Bring a second version into force that is reviewed as often as said."""
    version = world.drafted(governed_text((APPROVER, 1), title="Second", review_every=every))
    world.submit(version, scope)
    world.approve(version, SAM)
    return world.enforce(version, scope).last_position


def test_a_review_is_due_once_its_time_since_the_activation_is_over_and_not_before(
    world: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    began = world.events("policy.activated.v1")[0]
    world.clock.advance(90 * DAY - (world.clock.now_micros() - began.recorded_at) - 1)
    assert run(world) == 0
    world.clock.advance(1)
    assert run(world) == 1
    assert run(world) == 0
    (due,) = world.all_of(PolicyReviewDue)
    assert (due.policy, due.version, due.scope, due.reminder) == ("main", 1, EVERYWHERE, 0)
    assert (due.activation, due.review) == (began.position, None)
    assert due.due_at == format_time(began.recorded_at + 90 * DAY)
    assert world.events(PolicyReviewDue.TYPE)[0].stream == "policies/main"
    assert "policy.review_due" in capsys.readouterr().out
    check_audit(world)


def test_people_are_reminded_after_each_further_tenth_of_the_time_and_a_service_that_was_away_once(
    world: Governed,
) -> None:
    world.clock.advance(90 * DAY)
    run(world)
    world.clock.advance(8 * DAY)
    assert run(world) == 0
    world.clock.advance(DAY)
    assert run(world) == 1
    world.clock.advance(40 * DAY)
    assert run(world) == 1
    assert [one.reminder for one in world.all_of(PolicyReviewDue)] == [0, 1, 5]
    check_audit(world)


def test_what_is_reviewed_every_hour_is_reminded_of_once_a_day(world: Governed) -> None:
    enforce_second(world, "1h")
    for _ in range(30):
        world.clock.advance(DAY // 12)
        run(world)
    assert [one.reminder for one in world.all_of(PolicyReviewDue)] == [0, 1, 2]
    check_audit(world)


def test_another_version_in_force_begins_the_time_again_and_one_without_reviews_owes_none(
    world: Governed,
) -> None:
    world.clock.advance(89 * DAY)
    enforce_second(world, "90d")
    world.clock.advance(89 * DAY)
    assert run(world) == 0
    enforce_second(world, "0h")
    world.clock.advance(900 * DAY)
    assert run(world) == 0
    assert world.all_of(PolicyReviewDue) == []
    check_audit(world)


def test_each_scope_that_a_version_is_in_force_for_has_its_own_review(world: Governed) -> None:
    world.clock.advance(30 * DAY)
    enforce_second(world, "30d", HIGH)
    world.clock.advance(30 * DAY)
    assert run(world) == 1
    world.clock.advance(30 * DAY)
    run(world)
    found = [(one.version, one.scope, one.reminder) for one in world.all_of(PolicyReviewDue)]
    assert found == [(2, HIGH, 0), (1, EVERYWHERE, 0), (2, HIGH, 10)]
    check_audit(world)


def test_the_state_of_a_version_says_when_its_review_is_due_and_since_where_it_is_overdue(
    world: Governed,
) -> None:
    def reviews(at: int | None = None) -> list[tuple[ScopeKey, int, int]]:
        found = world.ledger.governance.status("main", 1, EVERYWHERE, at)
        return [(one.scope, one.due_at, one.overdue_since) for one in found.reviews]

    began, activated = world.events("policy.activated.v1")[0], world.head
    due = began.recorded_at + 90 * DAY
    assert reviews() == [(WHOLE, due, 0)]
    world.clock.advance(900 * DAY)
    assert reviews() == [(WHOLE, due, 0)]  # positions alone decide
    run(world)
    assert reviews() == [(WHOLE, due, world.head)]
    assert overdue(world) == {began.position}
    assert reviews(activated) == [(WHOLE, due, 0)]


def test_a_ledger_whose_clock_are_its_data_is_reviewed_by_their_time(tmp_path: Path) -> None:
    world = governed(tmp_path / "data.db", (APPROVER, 1), clock="data", review_every="90d")
    world.register("alpha")
    now = world.clock.now_micros()
    world.see("alpha", 0.5, now, version="v1")
    assert run(world) == 0  # the first version came into force before there was a time
    enforce_second(world, "30d")
    world.clock.advance(900 * DAY)
    assert run(world) == 0
    for days in (29, 30):
        world.see("alpha", 0.5, now + days * DAY, version="v1")
        assert run(world) == (days == 30)
    check_audit(world, "authority.rights")
    world.close()


def test_a_subscriber_of_its_type_is_told_that_a_review_is_due(world: Governed) -> None:
    world.clock.advance(90 * DAY)
    run(world)
    wanted = SubscriberSettings(
        name="desk", kind="command", command=("/usr/bin/tell",), types=("policy.review_due.*",)
    )
    selection = Selection(wanted, lambda _model, _position: {})
    told = [event.position for event in world.events() if selection.has(event)]
    assert told == [world.head]
