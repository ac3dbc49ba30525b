"""An erased use of a credential is no forgery: by which one an actor called is then not checked.

Method: a `wall` ledger on paper, whose administrator acts three days after the last use that is
still there; a later use is on record whose body is gone, and may have been any actor's.
"""

from pathlib import Path

import pytest

from ledger.audit.report import Report
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import name, register, show
from tests.support.world import DAY, ORIGIN, World


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """A ledger whose administrator has shown who she is."""
    path = tmp_path / "ledger.db"
    World(path, clock="wall").begin().close()
    paper = Paper.copied(path, ORIGIN)
    name(paper)
    show(paper)
    return paper


def acted_after(paper: Paper, days: int, folder: Path) -> Report:
    """Audit the ledger, once its administrator has acted so many days later."""
    acted = register(paper, "users/max", "staff-3")
    paper.at(acted).recorded_at += days * DAY
    return audit_of(paper, folder)


def test_a_use_whose_body_is_gone_leaves_unchecked_by_what_an_actor_called(
    paper: Paper, tmp_path: Path
) -> None:
    shown = show(paper)
    paper.at(shown).recorded_at += 3 * DAY
    paper.at(shown).is_gone = True
    report = acted_after(paper, 0, tmp_path)
    assert {one.rule for one in report.findings} == {"bodies.present"}, report.text()


def test_a_use_that_is_gone_from_days_before_covers_nothing(paper: Paper, tmp_path: Path) -> None:
    paper.at(show(paper)).is_gone = True
    report = acted_after(paper, 3, tmp_path)
    assert {one.rule for one in report.findings} == {"bodies.present", "authority.shown"}
