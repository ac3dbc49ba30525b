"""Honest ledgers give no false alarm, whatever happens in them: 200 random lives are audited whole.

Method: a seed leads a whole service through months, step by step. The lives of one test must have
occurred in all that they are to show, so that none of it can silently be left out.
"""

from pathlib import Path

import pytest

from ledger.audit.registry import RULES
from ledger.events.registry import EVENT_CLASSES
from tests.support.life_steps import STEPS, begin_governed
from tests.support.lives import Lived, Steps, live

QUICK, LONG = 70, 90
"""Steps of a life."""
NOT_WRITTEN = {
    "decision.overridden.v1",
    "ledger.configured.v1",
    "ledger.configured.v2",
    "recorder.event.v1",
    "requests.refused.v1",
    "service.accounted.v1",
    "service.accounted.v2",
}
"""By earlier releases only, and by a bare recorder."""

ELSEWHERE = (
    "event deployment.", "event plan.scheduled.", "event reuse.", "event roll_back.",
    "rule deployments.explained", "rule plans.due", "rule reuse.", "rule roll_backs.",
)  # fmt: skip
"""Versions are put back in `tests/application/test_reuse.py`, asked for in `test_roll_backs.py`,
and stated in `test_gated_deployments.py` beside it."""

GOVERNED: Steps = STEPS | {"begin": (0, begin_governed)}


def lives(folder: Path, seeds: range, steps: int, chosen: Steps = GOVERNED) -> Lived:
    """Lead the lives of these seeds, and return what occurred and what was found."""
    lived = Lived()
    for seed in seeds:
        (folder / str(seed)).mkdir()
        life, report = live(folder / str(seed), seed, chosen, steps)
        found = [
            f"seed {seed}, {one.rule} at {one.position}: {one.sentence}" for one in report.findings
        ]
        lived.add(Lived(life.counts, found))
    return lived


def missing(lived: Lived, chosen: Steps = GOVERNED) -> set[str]:
    """Return what should have occurred in lives, and did not."""
    wanted = {f"step {name}" for name, (weight, _) in chosen.items() if weight}
    wanted |= {f"event {cls.TYPE}" for cls in EVENT_CLASSES if cls.TYPE not in NOT_WRITTEN}
    wanted |= {f"rule {name}" for name in RULES}
    wanted |= {f"score {trigger}" for trigger in ("ingest", "schedule", "request", "historical")}
    wanted |= {
        f"decision {how}" for how in ("by rules/1", "by rules/2", "overridden", "historical")
    }
    wanted |= {"clock data", "clock wall", "evaluation off", "killed in the middle", "erased"}
    wanted = {one for one in wanted if not one.startswith(ELSEWHERE)}
    return wanted - {name for name, count in lived.counts.items() if count}


def test_a_dozen_lives_are_audited_without_a_finding(tmp_path: Path) -> None:
    lived = lives(tmp_path, range(1, 13), QUICK)
    assert lived.findings == []
    assert missing(lived) == set()


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(10))
def test_lives_are_audited_without_a_finding(tmp_path: Path, chunk: int) -> None:
    lived = lives(tmp_path, range(1_000 + 20 * chunk, 1_020 + 20 * chunk), LONG)
    assert lived.findings == []
    assert missing(lived) == set()
