"""A review is signed by a person who may, by the very pack that was looked at, and begins again.

Method: a ledger with people under a policy that is reviewed every 30 days; the clock is moved.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.policies.review_packs import MadePack, PackPeriod
from ledger.application.policies.reviews import SignOff
from ledger.errors import LedgerError, Reason
from ledger.events.reviews import PolicyReviewDue, PolicyReviewed
from ledger.governance.lifecycle import ScopeKey
from tests.governance.test_approvals import check_audit, refusal
from tests.governance.test_reviews import overdue
from tests.support.staffed import (
    APPROVER,
    AUTHOR,
    PAT,
    SAM,
    Governed,
    governed,
    governed_text,
)
from tests.support.world import DAY, HOUR, defined, policy_text, reason_of

WHOLE = ScopeKey("ledger", None, ())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db", (APPROVER, 1), review_every="30d")
    yield made
    made.close()


def pack_of(world: Governed) -> MadePack:
    """Return the pack of version 1 now."""
    return world.ledger.reviews.packs.pack(("main", 1), WHOLE, PackPeriod())


def sign(
    world: Governed,
    by: Caller = SAM,
    pack: MadePack | None = None,
    follow_up: tuple[str, int] | None = None,
    version: int = 1,
) -> int:
    """Sign the review of a version; return where."""
    found = pack or pack_of(world)
    wanted = SignOff("main", version, WHOLE, found.as_of, found.digest, "As it was.", follow_up)
    return world.ledger.reviews.sign_off(by, wanted).last_position


def test_a_person_signs_by_the_pack_and_the_next_review_is_due_as_long_after(
    world: Governed,
) -> None:
    world.clock.advance(31 * DAY)
    world.govern()
    due = world.head
    position = sign(world)
    (signed,) = world.all_of(PolicyReviewed)
    assert (signed.outcome, signed.follow_up, signed.role) == ("kept", None, APPROVER)
    assert (signed.meaning, signed.review, signed.as_of) == ("reviewed", None, due)
    assert world.events(PolicyReviewed.TYPE)[0].body.causation_position == due
    assert overdue(world) == set()
    world.clock.advance(30 * DAY - 1)
    assert world.govern() == 0
    world.clock.advance(1)
    assert world.govern() == 1
    assert world.all_of(PolicyReviewDue)[-1].review == position
    assert sign(world, PAT) == world.head
    assert world.all_of(PolicyReviewed)[-1].review == position
    check_audit(world)


def test_a_draft_may_follow_a_version_up_and_is_named_by_its_digest(world: Governed) -> None:
    draft = world.drafted(governed_text((APPROVER, 1), title="Second"))
    sign(world, follow_up=draft.named)
    (signed,) = world.all_of(PolicyReviewed)
    assert signed.outcome == "follow_up"
    assert signed.follow_up is not None
    named = (signed.follow_up.policy, signed.follow_up.version)
    digest = world.ledger.governance.judged().state.drafts[draft.named].digest
    assert (named, signed.follow_up.digest) == (draft.named, digest)
    with pytest.raises(LedgerError) as caught:
        sign(world, follow_up=("main", 9))
    assert reason_of(caught) is Reason.POLICY_UNKNOWN
    assert "cannot follow itself" in refusal(lambda: sign(world, follow_up=("main", 1)))
    check_audit(world)


def test_a_draft_from_before_the_version_in_force_does_not_follow_it_up(tmp_path: Path) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    older = world.drafted(policy_text(), "other")
    drafted = world.head
    world.enforce(world.drafted(governed_text((APPROVER, 1))))
    fault = refusal(lambda: sign(world, follow_up=older.named))
    assert f"version 1 of other was drafted before it, at position {drafted}" in fault
    sign(world, follow_up=world.drafted(policy_text(), "other").named)
    check_audit(world)
    world.close()


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (AUTHOR, "is its author, by this or another account"),
        (Caller("users/author-too"), "is its author, by this or another account"),
        (Caller("users/dpo"), "does not hold the role policy-approver"),
        (Caller("services/monitor-1"), "is not a person"),
    ],
    ids=lambda one: one.actor if isinstance(one, Caller) else "",
)
def test_neither_the_author_nor_a_service_signs_nor_a_person_without_a_role_that_approves(
    world: Governed, by: Caller, why: str
) -> None:
    assert why in refusal(lambda: sign(world, by))
    assert world.all_of(PolicyReviewed) == []


def test_a_pack_that_is_another_one_by_now_or_is_a_week_old_is_not_signed(world: Governed) -> None:
    found = pack_of(world)
    other = found._replace(digest="ab" * 32)
    assert f"has the digest {found.digest}" in refusal(lambda: sign(world, pack=other))
    world.drafted(governed_text((APPROVER, 1), title="Second"))
    world.erase(world.head)
    sign(world, pack=found)  # what came after the pack changes nothing of it
    before = pack_of(world)
    world.clock.advance(7 * DAY + HOUR)
    world.drafted(governed_text((APPROVER, 1), title="Third"))
    assert "more than 7 days before" in refusal(lambda: sign(world, pack=before))
    assert "ends before the time that is reviewed" in refusal(lambda: sign(world, pack=found))
    sign(world)
    check_audit(world)


def test_a_version_that_is_not_in_force_is_not_signed(world: Governed) -> None:
    world.drafted(governed_text((APPROVER, 1), title="Second"))
    assert "is not in force there" in refusal(lambda: sign(world, version=2))


def test_where_no_version_asks_for_approvals_any_other_person_signs_in_no_role(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.begin("m1", policy=governed_text(review_every="30d"))
    assert "is its author" in refusal(lambda: sign(world, Caller("users/ana")))
    sign(world)
    (signed,) = world.all_of(PolicyReviewed)
    assert signed.role is None
    world.close()


def test_a_signature_that_is_overtaken_by_an_activation_is_refused(world: Governed) -> None:
    draft = world.drafted(governed_text((APPROVER, 1), title="Second"))
    world.submit(draft)
    world.approve(draft, SAM)
    found = pack_of(world)
    world.before_append(lambda: world.enforce(draft))
    overtaken: Callable[[], int] = lambda: sign(world, pack=found)  # noqa: E731 - as refusal takes it
    assert "is not in force there" in refusal(overtaken)
