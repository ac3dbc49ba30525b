"""What was derived is judged by its own horizon: not by what came between it and its record.

Method: ledgers that press on one point of the procedure each, by the service where it can be made
to, else on paper with the order of events changed as a race between callers would.
"""

from pathlib import Path

import pytest

from ledger.audit.segment import Segment
from ledger.audit.verified_prefix import VerifiedPrefix
from tests.audit.conftest import lived
from tests.audit.paper import Paper
from tests.audit.test_absence import erase
from tests.support.audits import audited
from tests.support.world import DAY, HOUR, START, World, policy_text


@pytest.mark.parametrize(("observed", "scored"), [(39, 37), (17, 14)])
def test_an_observation_that_came_between_horizon_and_record_does_not_count_yet(
    paper: Paper, tmp_path: Path, observed: int, scored: int
) -> None:
    moved = paper.events.pop(observed - 1)
    assert moved.type == "signal.observed.v1"
    assert paper.at(scored).type == "score.computed.v1"
    assert paper.at(scored).stream == moved.stream
    paper.events.insert(scored - 1, moved)
    for position, event in enumerate(paper.events, 1):
        assert isinstance(event.body, dict)
        if scored < position <= observed:
            event.recorded_at = max(event.recorded_at, moved.recorded_at)
        if event.body["causation_position"] == observed:
            event.body["causation_position"] = scored
    report = audited(paper.write(tmp_path / "ledger.db"))
    assert report.passed, report.text()
    assert report.gaps == ()


def test_a_race_between_an_evaluation_and_an_observation_replays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "ledger.db", evaluating=False).begin("alpha")
    world.see("alpha", 0.6, START + HOUR)
    # In the very bucket that was read.
    world.before_append(lambda: world.see("alpha", 1.4, START + HOUR))
    (decided,) = world.evaluate("alpha")
    assert decided.score_event.position == decided.score.as_of + 2
    assert world.check_replay() == 2
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_a_life_that_goes_on_passes(tmp_path: Path) -> None:
    world = lived(tmp_path / "ledger.db")
    world.evaluate("beta", at=START + 2 * DAY)  # far outside of what is warm
    world.evaluate("alpha")  # a version was put back, which is no retraining
    world.activate(policy_text())  # the ledger's policy changes; beta keeps its own
    world.see("beta", 0.9, START + 24 * DAY, signal="drift")
    world.settle()
    world.evaluate("alpha", "beta")
    for _ in range(2):
        world.plan(4_000_000)  # the second one starts from the same price
    count = world.check_replay()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    checked = {one.rule: one.checked for one in report.rules}
    assert sum(checked[f"replay.{kind}"] for kind in ("score", "decision", "plan")) == count


def test_what_was_derived_after_an_erasure_cannot_hide_behind_it(
    paper: Paper, tmp_path: Path
) -> None:
    last = paper.find("score.computed.v1", model="beta")[-1]
    erasure = erase(paper, paper.find("signal.observed.v1", signal="drift")[-1])
    forged = paper.at(last).data | {"as_of": erasure, "priority": 999_999}
    position = paper.append("models/beta", "score.computed.v1", forged, actor="system/evaluator")
    report = audited(paper.write(tmp_path / "ledger.db"))
    assert [(one.rule, one.position) for one in report.findings] == [("replay.score", position)]


@pytest.mark.parametrize(
    ("version", "began_at", "what"), [(7, 10, "another version"), (6, 9, "was recorded before")]
)
def test_a_stretch_must_go_on_from_the_one_before_it(
    version: int, began_at: int, what: str
) -> None:
    joined = VerifiedPrefix(position=5, head=b"h" * 32, ended_at=10, streams={"ledger": 5})
    stretch = Segment(6, 6, b"h" * 32, b"i" * 32, began_at, 10, {"ledger": (version, 6, version)})
    stretch.nodes = [(0, b"i" * 32)]
    found = joined.add(stretch)
    assert [(one.rule, one.position) for one in found] == [("chain", 6)]
    assert what in found[0].what
