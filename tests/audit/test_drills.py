"""Drills on record: honest ones hold, and each forged one is found for its own reason."""

from pathlib import Path
from typing import Any

import pytest

from ledger.events.values import format_time
from tests.audit.misstated import drill
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.world import DAY, ORIGIN, START, World

BUILT_IN: dict[str, Any] = {
    "kind": "built_in", "participants": [], "program": "decision-ledger 0.1.0", "detected": True,
    "detected_by": ["chain"], "micros_to_detect": 7,
}  # fmt: skip


def test_drills_of_people_and_built_in_ones_hold(paper: Paper, tmp_path: Path) -> None:
    drill(paper)
    drill(paper, held_at=format_time(START))
    drill(paper, **BUILT_IN)
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()
    assert [one.checked for one in report.rules if one.rule == "drills"] == [3]


def test_a_drill_of_a_wall_ledger_was_held_before_it_was_recorded(tmp_path: Path) -> None:
    World(tmp_path / "ledger.db", clock="wall").begin("m1").close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    drill(paper)
    assert audit_of(paper, tmp_path).passed
    position = drill(paper, held_at=format_time(paper.events[-1].recorded_at + DAY))
    (finding,) = audit_of(paper, tmp_path).findings
    assert (finding.rule, finding.position) == ("drills", position)
    assert "after it was recorded" in finding.what


@pytest.mark.parametrize(
    ("changes", "rule", "what"),
    [
        ({"actor": "system/evaluator"}, "drills", "system/evaluator cannot say that a drill"),
        (BUILT_IN | {"detected_by": []}, "types.data", "detected_by"),
        (BUILT_IN | {"program": ""}, "types.data", "built-in drill"),
        ({"participants": []}, "types.data", "participants"),
        ({"micros_to_detect": 1}, "types.data", "was not detected"),
    ],
)
def test_a_forged_drill_is_found(
    paper: Paper, tmp_path: Path, changes: dict[str, Any], rule: str, what: str
) -> None:
    position = drill(paper, **changes)
    (finding,) = audit_of(paper, tmp_path).findings
    assert (finding.rule, finding.position) == (rule, position)
    assert what in finding.what
