"""A clock that was confirmed: goal: the auditor takes the truth and refuses every lie about it.

Method: a `wall` ledger whose clock stepped and was confirmed, on paper; then one member is changed.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.world import ANA, DAY, ORIGIN, START, World

STEPPED = "clock.stepped.v1"


@pytest.fixture
def confirmed(tmp_path: Path) -> Paper:
    """A ledger on paper whose clock stepped by two days, which was confirmed."""
    world = World(tmp_path / "ledger.db", clock="wall").begin("m1")
    world.clock.step(2 * DAY)
    world.ledger.clocks.confirm(ANA, "It was behind.")
    world.see("m1", 0.5, START + 2 * DAY)
    world.close()
    return Paper.copied(tmp_path / "ledger.db", ORIGIN)


def test_a_confirmed_clock_passes(confirmed: Paper, tmp_path: Path) -> None:
    report = audit_of(confirmed, tmp_path)
    assert report.passed, report.text()


def _by(paper: Paper, at: int, actor: str) -> None:
    body = paper.at(at).body
    assert isinstance(body, dict)
    body["actor"] = actor


LIES: dict[str, tuple[Callable[[Paper, int], None], str]] = {
    "by the service itself": (
        lambda paper, at: _by(paper, at, "system/serve"),
        "system/serve cannot confirm a clock",
    ),
    "after another event": (
        lambda paper, at: paper.at(at).data.update(head_at=format_time(START + 1)),
        "the event before was recorded at",
    ),
    "at another time": (
        lambda paper, at: paper.at(at).data.update(clock_at=format_time(START + DAY)),
        "it was not recorded at the time that it confirms",
    ),
    "without a step": (
        lambda paper, at: paper.at(at).data.update(expected_at=format_time(START + 2 * DAY)),
        "its clock was where it was expected",
    ),
    "at the start, as if it had been idle": (
        lambda paper, at: paper.at(at).data.update(expected_at=None),
        "its clock was where it was expected",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_a_confirmed_clock_is_found(confirmed: Paper, tmp_path: Path, lie: str) -> None:
    paper = deepcopy(confirmed)
    position = paper.find(STEPPED)[0]
    change, why = LIES[lie]
    change(paper, position)
    findings = [one for one in audit_of(paper, tmp_path).findings if one.rule == "clocks"]
    assert [one.position for one in findings] == [position]
    assert why in findings[0].what
