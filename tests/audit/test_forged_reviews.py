"""Forgeries of the review of a policy: a reminder that may not be, and one that was left out.

Method: as in `test_forged_governance.py`, on a ledger whose policy in force is reviewed every ten
days.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.events.values import format_time
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.test_forged_governance import AUTHOR, KIM, PAT, SAM, STREAM, findings
from tests.audit.test_forged_terms import wait
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import show
from tests.audit.ungoverned import EVERYWHERE
from tests.support.staffed import APPROVER, governed, governed_text
from tests.support.world import DAY, HOUR, ORIGIN

GOVERNOR: Final = "system/governor"
EVERY: Final = 10 * DAY


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger on paper: version 1 is in force and is reviewed every ten days, 2 is a draft."""
    path = tmp_path_factory.mktemp("reviewed") / "ledger.db"
    world = governed(path, (APPROVER, 1), review_every="10d")
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


HONEST: Final = (
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
