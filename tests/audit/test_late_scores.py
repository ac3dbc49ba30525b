"""A score that was due and came late is a gap with its span: one between may have been taken out.

Method: a service that accounts for itself scores three models every hour. As a holder of every key,
take one score out between two others, with its decision, and repair what the accounts count.
"""

from copy import deepcopy
from pathlib import Path

import pytest

from ledger.audit.gaps import GAPS_MAX
from ledger.audit.late_scores import LateScore, late_remarks
from ledger.events.values import SECOND
from tests.audit.paper import Paper
from tests.audit.test_forgeries import DECISION, SCORE, audit_of
from tests.support.audits import audited
from tests.support.stepped import SteppedWorld
from tests.support.world import ANA, HOUR, ORIGIN, rule, signal_rule

ACCOUNT = "service.accounted.v3"
MODELS = ("alpha", "beta", "gamma")
SPIKE = 12
"""The hour in which beta is bad, and said to be."""


class Everywhere:
    """Accounts of a service that covers everything."""

    def is_passed(self, _first: int, _passed: int) -> bool:
        """Return that it is covered."""
        return True


def began(path: Path, clock: str, silence: str = "7d") -> SteppedWorld:
    """Return a served ledger of three models, under a policy that looks one hour back."""
    world = SteppedWorld(path, 1, clock=clock, accounts__seconds=600.0)
    short = signal_rule(bucket="1h", window="1h", half_life="1h")
    bad = rule("bad", "priority >= 300000")
    world.begin(*MODELS, signals=[short], rules=[bad], interval="10m", silence=silence)
    return world


def observe(world: SteppedWorld, hours: int) -> None:
    """Let hours pass, in each of which every model is observed and scored."""
    for hour in range(1, hours + 1):
        world.pass_time(HOUR)
        for model in MODELS:
            is_bad = hour == SPIKE and model == "beta"
            world.see(model, 1.4 if is_bad else 0.5, world.true_time)
        world.settle()


@pytest.fixture(scope="module", params=["data", "wall"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """The ledger, on paper, of a service that scored three models every hour."""
    path = tmp_path_factory.mktemp("scored") / "ledger.db"
    world = began(path, request.param)
    observe(world, 23)
    world.close()
    return Paper.copied(path, ORIGIN)


def said(paper: Paper, folder: Path) -> list[str]:
    """Return the gaps about scores; the audit must find nothing."""
    report = audit_of(paper, folder)
    assert report.passed, report.text()
    return [one for one in report.remarks if "score" in one and one.startswith("Gap")]


def forge(paper: Paper) -> tuple[int, int]:
    """Take the score of the bad hour out; return where it was due and where the next one is.

    With it goes its decision, and the one that took it back. The accounts count and reach as far as
    what is left allows.
    """
    bad, good = (at - 1 for at in paper.find(DECISION, model="beta")[-2:])
    seen = paper.find("signal.observed.v1")
    observed = [at for at in seen if paper.at(at).stream == "models/beta"]
    due = max(at for at in observed if at < bad)
    paper.remove(bad, bad + 1, good + 1)
    paid = good - 2
    for at in paper.find(ACCOUNT):
        data = paper.at(at).data
        data["scores"] -= at > due
        data["decisions"] -= (at > due) + (at > paid)
        if due < at < paid:
            data["evaluated_through"] = due - 1
    return due, paid


def test_a_score_that_was_taken_out_between_two_others_is_said_with_its_span(
    written: Paper, tmp_path: Path
) -> None:
    assert said(written, tmp_path) == []
    paper = deepcopy(written)
    due, paid = forge(paper)
    (gap,) = said(paper, tmp_path)
    assert f"positions {due} to {paid}, " in gap
    assert "a score of model beta was due since the first and came at the last" in gap
    assert "60 minutes late" in gap or "60 minutes later by the data" in gap
    assert "a score between may have been taken out" in gap


def test_where_no_account_covers_the_time_a_late_score_is_not_said_twice(
    written: Paper, tmp_path: Path
) -> None:
    paper = deepcopy(written)
    forge(paper)
    paper.remove(*paper.find(ACCOUNT))
    (gap,) = said(paper, tmp_path)
    assert "no service that evaluates accounts for positions" in gap


def test_a_score_of_a_silence_that_was_taken_out_is_late_since_the_silence(tmp_path: Path) -> None:
    world = began(tmp_path / "ledger.db", "wall", silence="3h")
    world.pass_time(20 * HOUR)
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    scores = [at for at in paper.find(SCORE) if paper.at(at).stream == "models/gamma"]
    assert len(scores) > 4
    taken, paid = scores[2], scores[3] - 1
    paper.remove(taken)
    for at in paper.find(ACCOUNT):
        data = paper.at(at).data
        data["scores"] -= at >= taken
        if taken <= at < paid:
            data["evaluated_through"] = taken - 2
    (gap,) = said(paper, tmp_path)
    assert f"to {paid}, " in gap
    assert "a score of model gamma was due since the first" in gap
    assert "2 hours late" in gap  # three, less what a clock may be off


@pytest.mark.parametrize("clock", ["data", "wall"])
def test_the_span_in_which_a_service_did_not_evaluate_is_said_once(
    tmp_path: Path, clock: str
) -> None:
    world = began(tmp_path / "ledger.db", clock)
    observe(world, 3)
    for is_evaluating in (False, True):
        world.close()
        world.clock.advance(9 * HOUR)
        world.settings["service__evaluate"] = is_evaluating
        world.start()
        observe(world, 3)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    (gap,) = (one for one in report.remarks if "was due" in one)
    assert "no service that evaluates accounts for positions" in gap


def test_a_service_that_is_down_over_a_debt_makes_no_gap(tmp_path: Path) -> None:
    world = began(tmp_path / "ledger.db", "wall")
    observe(world, 2)
    world.kill()
    world.clock.advance(60 * HOUR)
    world.start()
    observe(world, 2)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    gaps = [one for one in report.remarks if "was due" in one]
    assert all("no service that evaluates accounts for positions" in one for one in gaps)


def test_a_first_score_that_waited_for_a_clock_to_be_confirmed_is_not_late(tmp_path: Path) -> None:
    world = began(tmp_path / "ledger.db", "wall")
    observe(world, 1)
    world.register("delta")
    world.deploy("delta", "v1")
    world.clock.step(HOUR)
    world.pass_time(SECOND)
    world.ledger.clocks.confirm(ANA, "it is right")
    world.settle()
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert [one for one in report.remarks if "was due" in one or "were due" in one] == []


def test_a_thousand_models_that_come_late_are_a_short_report() -> None:
    found = [
        LateScore(f"m{number}", 10 * round_ + 1, 0, 10 * round_ + 9, HOUR, passed=10 * round_ + 2)
        for number in range(1_000)
        for round_ in range(40)
    ]
    remarks = list(late_remarks(found, Everywhere()))  # type: ignore[arg-type]
    assert len(remarks) == GAPS_MAX + 1
    assert "1000 scores of models m0, m1, " in remarks[0]
    assert "likewise for 30 more spans, positions 101 to 399" in remarks[-1]
    assert max(len(one) for one in remarks) < 500
