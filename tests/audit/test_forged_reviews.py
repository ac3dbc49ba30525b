"""Forgeries of the review of a policy: a reminder that may not be, and one that was left out.

Method: as in `test_forged_governance.py`, on a ledger whose policy in force is reviewed every ten
days.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.application.commands import Caller
from ledger.events.facts import fact_of
from ledger.events.values import format_time
from ledger.governance.lifecycle import ScopeKey
from ledger.governance.pack_parts import ReviewSubject
from ledger.governance.review_pack import pack_digest, pack_of
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.test_forged_governance import AUTHOR, KIM, PAT, SAM, STREAM, findings
from tests.audit.test_forged_terms import wait
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import show
from tests.audit.ungoverned import EVERYWHERE, version_of
from tests.support.staffed import APPROVER, Governed, governed_text
from tests.support.world import DAY, HOUR, ORIGIN, defined, policy_text

GOVERNOR: Final = "system/governor"
EVERY: Final = 10 * DAY


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger on paper: version 1 is in force and is reviewed every ten days, 2 is a draft.

    `other` was drafted before both.
    """
    path = tmp_path_factory.mktemp("reviewed") / "ledger.db"
    world = Governed(path, clock="wall").staff()
    world.ledger.definitions.define(Caller(AUTHOR), defined("loss"))
    world.drafted(policy_text(), "other")
    world.enforce(world.drafted(governed_text((APPROVER, 1), review_every="10d")))
    world.drafted(governed_text((APPROVER, 1), title="Second"))
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test; everybody has shown who they are."""
    paper = deepcopy(written)
    for actor in (AUTHOR, PAT, SAM, KIM):
        show(paper, actor)
    return paper


def activation_of(paper: Paper) -> int:
    return max(paper.find("policy.activated.v1", policy="main"))


def remind(
    paper: Paper,
    reminder: int = 0,
    *,
    actor: str = GOVERNOR,
    causation_position: int = 0,
    **changes: object,
) -> int:
    """Record that the review of version 1 is due."""
    activation = activation_of(paper)
    due = paper.at(activation).recorded_at + EVERY
    data: dict[str, Any] = {
        "policy": "main", "version": 1, "scope": EVERYWHERE, "activation": activation,
        "review": None, "due_at": format_time(due), "reminder": reminder,
    }  # fmt: skip
    cause = causation_position or activation
    return paper.append(
        STREAM, "policy.review_due.v1", data | changes, actor=actor, causation_position=cause
    )


def pack_of_paper(paper: Paper, as_of: int, review: int = 0) -> str:
    """Return the digest of the pack of version 1, made of what is on paper."""
    after = review or activation_of(paper)
    at = paper.at(after).recorded_at, paper.at(as_of).recorded_at
    subject = ReviewSubject("main", 1, ScopeKey("ledger", None, ()), after, as_of, *at)
    facts = [
        fact_of(position, one.stream, one.type, one.recorded_at, None if one.is_gone else one.raw)
        for position, one in enumerate(paper.events[:as_of], start=1)
    ]
    return pack_digest(pack_of(facts, subject, ORIGIN))


def sign(paper: Paper, actor: str = SAM, **changes: Any) -> int:  # noqa: ANN401 - of the event
    """Sign the review of version 1 by the pack as of the newest event."""
    reviews, as_of = paper.find("policy.reviewed.v1"), changes.pop("as_of", len(paper.events))
    due = [at for at in paper.find("policy.review_due.v1") if not reviews or at > reviews[-1]]
    review = reviews[-1] if reviews else None
    data = version_of(paper) | {
        "scope": EVERYWHERE, "activation": activation_of(paper), "review": review, "as_of": as_of,
        "pack": changes.get("pack") or pack_of_paper(paper, as_of, review or 0),
        "role": APPROVER, "meaning": "reviewed", "outcome": "kept", "follow_up": None,
        "reason": "x",
    } | changes  # fmt: skip
    cause = due[0] if due else None
    return paper.append(STREAM, "policy.reviewed.v1", data, actor=actor, causation_position=cause)


# ---- honest stories ------------------------------------------------------------------------------


def be_due_and_reminded_of(paper: Paper) -> None:
    wait(paper, EVERY)
    remind(paper)
    wait(paper, DAY)
    remind(paper, 1)
    wait(paper, 5 * DAY)
    remind(paper, 6)
    say_that_all_was_governed(paper)


def be_due_while_no_service_ran(paper: Paper) -> None:
    wait(paper, 40 * DAY)


def be_recorded_late_by_a_service_that_was_away(paper: Paper) -> None:
    wait(paper, 40 * DAY)
    remind(paper, 30)
    say_that_all_was_governed(paper)


def be_due_since_a_service_governed_last(paper: Paper) -> None:
    due = paper.at(activation_of(paper)).recorded_at + EVERY
    wait(paper, EVERY)
    say_that_all_was_governed(paper, governed_at=format_time(due - HOUR))


def erase(paper: Paper, position: int) -> None:
    """Erase a body."""
    paper.at(position).is_gone = True
    show(paper, "users/dpo")
    data = {"authority": "DPO", "ground": "GDPR", "positions": [[position, position]]}
    paper.append("ledger", "body.erased.v1", data, actor="users/dpo")


def be_signed_and_due_again(paper: Paper) -> None:
    wait(paper, EVERY)
    remind(paper)
    review = sign(paper)
    wait(paper, EVERY)
    due = format_time(paper.at(review).recorded_at + EVERY)
    remind(paper, review=review, due_at=due, causation_position=review)
    sign(paper)
    say_that_all_was_governed(paper)


def be_signed_before_it_is_due_and_followed_up(paper: Paper) -> None:
    wait(paper, DAY)
    sign(paper, outcome="follow_up", follow_up=version_of(paper, version=2))


def be_signed_over_what_was_erased_since(paper: Paper) -> None:
    position = sign(paper)
    paper.at(position).data["pack"] = "ab" * 32
    erase(paper, max(paper.find("policy.drafted.v3", version=2)))


HONEST: Final = (
    be_signed_and_due_again,
    be_signed_before_it_is_due_and_followed_up,
    be_signed_over_what_was_erased_since,
    be_due_and_reminded_of,
    be_due_while_no_service_ran,
    be_recorded_late_by_a_service_that_was_away,
    be_due_since_a_service_governed_last,
)


@pytest.mark.parametrize("story", HONEST, ids=lambda one: one.__name__)
def test_an_honest_review_that_is_due_is_in_order(
    paper: Paper, tmp_path: Path, story: Callable[[Paper], None]
) -> None:
    story(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()


# ---- forged stories ------------------------------------------------------------------------------


def remind_too_soon(paper: Paper) -> int:
    wait(paper, EVERY - HOUR)
    return remind(paper)


def remind_again_too_soon(paper: Paper) -> int:
    wait(paper, EVERY + HOUR)
    remind(paper)
    return remind(paper, 1)


def remind_twice(paper: Paper) -> int:
    wait(paper, EVERY)
    remind(paper)
    return remind(paper)


def remind_as_the_evaluator(paper: Paper) -> int:
    wait(paper, EVERY)
    return remind(paper, actor="system/evaluator")


def remind_of_a_version_that_is_not_in_force(paper: Paper) -> int:
    wait(paper, EVERY)
    return remind(paper, version=2)


def remind_of_another_activation(paper: Paper) -> int:
    wait(paper, EVERY)
    return remind(paper, activation=activation_of(paper) - 1)


def remind_with_another_time(paper: Paper) -> int:
    wait(paper, EVERY)
    return remind(paper, due_at=format_time(paper.events[-1].recorded_at - DAY))


def remind_by_another_cause(paper: Paper) -> int:
    wait(paper, EVERY)
    return remind(paper, causation_position=activation_of(paper) - 1)


def leave_a_review_out(paper: Paper) -> int:
    wait(paper, 40 * DAY)
    say_that_all_was_governed(paper)
    return activation_of(paper)


FORGED: Final = (
    remind_too_soon,
    remind_again_too_soon,
    remind_twice,
    remind_as_the_evaluator,
    remind_of_a_version_that_is_not_in_force,
    remind_of_another_activation,
    remind_with_another_time,
    remind_by_another_cause,
    leave_a_review_out,
)


@pytest.mark.parametrize("forge", FORGED, ids=lambda one: one.__name__)
def test_a_reminder_that_may_not_be_or_was_left_out_is_found(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("reviews.due", position)], report.text()


def sign_as_the_author(paper: Paper) -> int:
    return sign(paper, AUTHOR)


def sign_as_the_author_by_another_account(paper: Paper) -> int:
    show(paper, "users/author-too")
    return sign(paper, "users/author-too")


def sign_another_pack(paper: Paper) -> int:
    return sign(paper, pack="00" * 32)


def sign_an_old_pack(paper: Paper) -> int:
    as_of = len(paper.events)
    wait(paper, 8 * DAY)
    return sign(paper, as_of=as_of)


def sign_a_pack_from_before_the_last_review(paper: Paper) -> int:
    as_of = len(paper.events)
    sign(paper)
    return sign(paper, as_of=as_of, pack=pack_of_paper(paper, as_of))


def sign_a_pack_of_later(paper: Paper) -> int:
    return sign(paper, as_of=len(paper.events) + 1, pack="00" * 32)


def sign_in_no_role(paper: Paper) -> int:
    return sign(paper, role=None)


def sign_in_another_role(paper: Paper) -> int:
    return sign(paper, role="policy-author")


def sign_what_is_not_in_force(paper: Paper) -> int:
    return sign(paper, **version_of(paper, version=2))


def sign_another_review_than_the_last(paper: Paper) -> int:
    sign(paper)
    return sign(paper, review=None)


def follow_up_by_what_was_never_drafted(paper: Paper) -> int:
    draft = version_of(paper, version=2) | {"version": 9}
    return sign(paper, outcome="follow_up", follow_up=draft)


def follow_up_by_itself(paper: Paper) -> int:
    return sign(paper, outcome="follow_up", follow_up=version_of(paper))


def follow_up_by_what_came_before(paper: Paper) -> int:
    return sign(paper, outcome="follow_up", follow_up=version_of(paper, "other"))


def follow_up_by_nothing(paper: Paper) -> int:
    return sign(paper, outcome="follow_up")


SIGNED: Final = (
    sign_as_the_author,
    sign_as_the_author_by_another_account,
    sign_another_pack,
    sign_an_old_pack,
    sign_a_pack_from_before_the_last_review,
    sign_a_pack_of_later,
    sign_in_no_role,
    sign_in_another_role,
    sign_what_is_not_in_force,
    sign_another_review_than_the_last,
    follow_up_by_what_was_never_drafted,
    follow_up_by_itself,
    follow_up_by_what_came_before,
    follow_up_by_nothing,
)


@pytest.mark.parametrize("forge", SIGNED, ids=lambda one: one.__name__)
def test_a_review_that_may_not_be_signed_so_is_found(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("reviews.signed", position)], report.text()


def test_a_service_signs_no_review(paper: Paper, tmp_path: Path) -> None:
    position = sign(paper, GOVERNOR)
    report = audit_of(paper, tmp_path)
    assert ("reviews.signed", position) in findings(report), report.text()
