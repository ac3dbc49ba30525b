"""A body that is gone is no failure where an erasure accounts for it, and never a way to hide one.

Method: erase every erasable body of an honest ledger, one at a time, as the service would, and
require that nothing fails and that what rested on it is counted as unchecked. Then change every
number and word of a score, a decision and a plan, and require that each change is found.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ledger.audit.absence import LATER, Absences
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from tests.audit.paper import Paper
from tests.support.audits import audited
from tests.support.hooks import read_up_to
from tests.support.world import ANA, DAY, HOUR, ORIGIN, START, World, defined

LAST = 72
KEPT = ("ledger.", "key.", "streams.", "body.")


def erase(paper: Paper, *positions: int, actor: str = "users/ana") -> int:
    """Remove bodies, and say so on record."""
    for position in positions:
        paper.at(position).is_gone = True
    data = {
        "authority": "Data protection officer",
        "ground": "GDPR Art. 17(1)(a)",
        "positions": [[position, position] for position in positions],
    }
    return paper.append("ledger", "body.erased.v1", data, actor=actor)


@pytest.mark.parametrize("first", range(1, LAST + 1, 8))
def test_no_erasure_of_a_single_body_is_taken_for_a_failure(
    copied: Paper, tmp_path: Path, first: int
) -> None:
    for position in range(first, min(first + 8, LAST + 1)):
        paper = deepcopy(copied)
        assert len(paper.events) == LAST
        if paper.at(position).type.startswith(KEPT):
            continue
        erase(paper, position)
        report = audited(paper.write(tmp_path / f"{position}.db"))
        assert report.passed, (position, report.text())
        assert (report.erased, report.withheld) == (1, 0)
        unchecked = sum(gap.count for gap in report.gaps if gap.rule != "salts")
        says_all_in_its_header = paper.at(position).type.startswith(("recorder.", "model.retired"))
        assert unchecked >= 1 or says_all_in_its_header


def test_the_erasure_of_what_nothing_rests_on_excuses_no_change(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db")
    unrelated = world.ledger.definitions.define(ANA, defined("unheard")).last_position
    world.begin("m1").see("m1", 1.4, START + HOUR)
    world.settle()
    world.plan(10**7)
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    erase(paper, unrelated)
    (plan,), score = paper.find("plan.made.v1"), paper.find("score.computed.v1")[-1]
    paper.at(score).data["coverage"] -= 1
    paper.at(plan).data["next_price"] += "0"
    found = audited(paper.write(tmp_path / "paper.db")).findings
    assert {(one.rule, one.position) for one in found} >= {
        ("replay.score", score), ("replay.plan", plan),
    }  # fmt: skip


def test_a_body_that_is_erased_while_the_rules_read_is_accounted_for() -> None:
    erased: list[tuple[int, int]] = []
    absences = Absences((), lambda: list(erased), ())
    assert absences.of(7) is None
    erased.append((5, 9))
    found = absences.of(7)
    assert found is not None
    assert (found.reason, found.erased_by) == ("erased", LATER)
    assert absences.of(10) is None


@pytest.mark.parametrize("is_deployed_again", [False, True])
@pytest.mark.parametrize("type_", ["model.deployed", "score.computed", "decision.made"])
@pytest.mark.parametrize("procedure", ["rules/1", "rules/2"])
def test_what_the_service_derives_after_an_erasure_passes(
    tmp_path: Path, type_: str, procedure: str, *, is_deployed_again: bool
) -> None:
    world = World(tmp_path / "ledger.db")
    world.begin("m1", "m2", procedure=procedure, max_priority_step="50%")
    world.deploy("m1", "v2", at=START + HOUR)
    for hours, value in ((2, 0.4), (4, 1.4)):
        world.see("m1", value, START + hours * HOUR)
        world.see("m2", value, START + hours * HOUR)
        world.settle()
    of_m1 = [one for one in world.events() if one.stream == "models/m1"]
    world.erase([one.position for one in of_m1 if one.type.startswith(type_)][-1])
    if is_deployed_again:
        world.deploy("m1", "v2" if type_ == "model.deployed" else "v3", at=START + DAY)
    world.plan(10**7)
    for hours in (26, 30):
        world.see("m1", 1.4, START + hours * HOUR, version="v2")
        world.settle()
    world.evaluate("m1")
    world.plan(10**7)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_a_model_whose_newest_description_was_erased_is_no_candidate_of_a_plan(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db").begin("m1", "m2")
    world.see("m1", 1.4, START + HOUR)
    world.see("m2", 1.4, START + HOUR)
    world.settle()
    world.erase(world.update("m1", tier="low").last_position)
    assert [one.model for one in world.plan(10**7).backlog] == ["m2"]
    world.update("m1", tier="low")
    assert [one.model for one in world.plan(10**7).backlog] == ["m1", "m2"]
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_erasing_every_body_that_may_be_erased_leaves_proofs_and_no_failure(
    paper: Paper, tmp_path: Path
) -> None:
    gone = [at for at, one in enumerate(paper.events, 1) if not one.type.startswith(KEPT)]
    erase(paper, *gone)
    report = audited(paper.write(tmp_path / "ledger.db"))
    assert report.passed, report.text()
    assert report.erased == len(gone)
    replayed = {one.rule: one for one in report.rules}["replay.decision"]
    assert (replayed.checked, replayed.unchecked) == (0, 8)
    assert ("replay.decision", "erased", 8) in [
        (gap.rule, gap.reason, gap.count) for gap in report.gaps
    ]


def test_what_rests_on_an_erased_observation_is_unchecked_and_later_scores_are_not(
    paper: Paper, tmp_path: Path
) -> None:
    observed = paper.find("signal.observed.v1", value="1.3")[0]
    scored = [at for at in paper.find("score.computed.v1", model="alpha") if at > observed]
    erase(paper, observed)
    report = audited(paper.write(tmp_path / "ledger.db"))
    unchecked = {one.rule: one.unchecked for one in report.rules}
    # The scores until a new version went into service, and what the plan was made of.
    assert unchecked["replay.score"] == 2 < len(scored)
    assert unchecked["replay.decision"] == 0
    assert unchecked["replay.plan"] == 1


@pytest.mark.parametrize("type_", ["ledger.created.v1", "key.rotated.v1"])
def test_a_permanent_body_is_missed_whatever_an_erasure_says(
    paper: Paper, tmp_path: Path, type_: str
) -> None:
    position = 1
    if type_ == "key.rotated.v1":
        data = {"from_position": LAST + 1, "previous_until_position": LAST + 9, "vkey": "x"}
        position = paper.append("ledger", type_, data)
    erase(paper, position)
    report = audited(paper.write(tmp_path / "ledger.db"))
    assert ("bodies.present", position) in {(one.rule, one.position) for one in report.findings}
    assert "erasures" in {one.rule for one in report.findings}


def test_a_body_that_is_erased_while_the_audit_runs_is_no_failure(
    paper: Paper, tmp_path: Path
) -> None:
    erase(paper, 20)
    source = DatabaseSource(str(paper.write(tmp_path / "ledger.db")))
    read_up_to(source, LAST)
    report = Audit(source, "test").run()
    assert {one.rule for one in report.findings} <= {"database.head"}  # which has not moved here
    assert report.erased == 1
    source.close()


# ---- every leaf ----------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for at, item in enumerate(value) for leaf in leaves(item, (*path, at))]
    return [path]


def changed(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1 if value > 0 else value + 1
    if value is None:
        return "v1"
    return value[:-1] + ("0" if value[-1:] != "0" else "1")


@pytest.mark.parametrize(
    ("type_", "model"),
    [("score.computed.v1", "beta"), ("decision.made.v2", "beta"), ("plan.made.v1", "")],
)
def test_every_member_of_what_was_derived_is_checked(
    copied: Paper, tmp_path: Path, type_: str, model: str
) -> None:
    named = {"model": model} if model else {}
    position = copied.find(type_, **named)[-1]
    for path in leaves(copied.at(position).data):
        if path == ("as_of",):
            continue  # between two horizons where nothing was recorded there is no difference
        paper = deepcopy(copied)
        inner: Any = paper.at(position).data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = changed(inner[path[-1]])
        report = audited(paper.write(tmp_path / "ledger.db"))
        assert not report.passed, (path, inner[path[-1]])
        assert report.first_bad_position == position
