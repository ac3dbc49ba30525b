"""Versions judged by what the ledger itself observed of them in their window.

Method: a ledger in one process on a manual clock; a monitor observes, and the governor judges.
"""

from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.compliance.facts import FactFilter
from ledger.compliance.forecasts import forecasts_table
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.tables import as_records
from ledger.events.jobs import GateJudged, JobClosed
from ledger.events.values import SECOND
from tests.support.audits import audited
from tests.support.facts import facts_of
from tests.support.job_worlds import ONE, TWO, WATCHING, Working
from tests.support.world import MONITOR, World

MINUTE = 60 * SECOND


@pytest.fixture
def working(tmp_path: Path) -> Working:
    """A job whose version v2 is observed from now on."""
    world = World(tmp_path / "ledger.db", clock="wall", unit="EUR")
    working = Working.of(world.begin("alpha", "beta"), WATCHING)
    working.observing("v2", at=world.clock.now_micros())
    return working


def observe(working: Working, version: str, value: str, *, by: Caller = MONITOR) -> int:
    """Observe a version at this minute, which then passes."""
    world = working.world
    at = world.clock.now_micros()
    row = ("alpha", "loss", version, value, at, 100)
    return world.observe(row, caller=by).first_position


def judged(working: Working) -> GateJudged:
    """Let the window pass, and return the verdict."""
    world = working.world
    world.clock.advance(10 * MINUTE)
    world.govern()
    verdict = working.world.ledger.job_reader.verdicts("j1")[-1]
    assert verdict.gate == "observation"
    return verdict


def passes_its_audit(working: Working) -> None:
    path = Path(working.world.path)
    working.world.close()
    report = audited(path)
    assert report.passed, report.text()


def test_a_version_stays_by_what_was_observed_and_no_report_is_needed(working: Working) -> None:
    for value, before in (("0.4", "0.45"), ("0.5", "0.45")):
        observe(working, "v2", value)
        observe(working, "v1", before)
        working.world.clock.advance(MINUTE)
    verdict = judged(working)
    [found] = verdict.observed
    assert (found.signal, found.observations, found.rows) == ("loss", 2, "200")
    assert (found.mean_micros, found.compared_rows) == ("450000", "200")
    assert (found.compared_mean_micros, found.replaced_mean_micros) == ("450000", "450000")
    assert (verdict.is_passed, verdict.report) == (True, None)
    assert working.job().outcome == "succeeded"
    passes_its_audit(working)


def test_the_end_says_which_benefit_was_realised_beside_what_was_forecast(
    working: Working,
) -> None:
    for version, value in (("v2", "0.4"), ("v1", "0.45")):
        observe(working, version, value)
    observe(working, "v2", "0.4", by=TWO)  # its own rows: no other version was observed on them
    judged(working)
    world = working.world
    [closed] = world.all_of(JobClosed)
    assert closed.realised is not None
    assert closed.realised.model_dump() == {
        "signal": "loss",
        "rows": "100",
        "change_micros": "-50000",
        "benefit_micros": str(50_000 * 100),  # at a value of 1.00 EUR
    }
    facts = facts_of(world)
    [row] = as_records(forecasts_table(facts, FactFilter()))
    assert (row["realised"], row["realised_rows"], row["benefit"]) == ("5.00 EUR", "100", None)
    said = answer("realised-gain", facts, Inquiry()).said
    assert (row["cost"], row["error"]) == ("1.00 EUR", "-4.00 EUR")
    assert answer("false-alerts", facts, Inquiry()).said[-1] == (
        "Of the 1 that left one, the ledger observed for 1 what it brought in its window; 0 of "
        "these brought less there than they cost."
    )
    assert "The benefit was observed for 1 of 1; for 0 of them a plan had forecast one" in said[-1]
    passes_its_audit(working)


def test_an_executor_cannot_better_what_is_observed_and_its_version_goes_back(
    working: Working,
) -> None:
    observe(working, "v2", "0.6")
    observe(working, "v2", "0.1", by=ONE)  # its deployer
    verdict = judged(working)
    assert verdict.observed[0].mean_micros == "600000"
    assert not verdict.is_passed
    assert working.job().state == "rolling_back"
    token = working.lease(by=TWO)
    working.take_back(token, by=TWO, at=working.world.clock.now_micros())
    assert working.job().outcome == "rolled_back"
    passes_its_audit(working)


def test_what_is_observed_outside_the_window_does_not_count(working: Working) -> None:
    world = working.world
    at = world.clock.now_micros()
    observe(working, "v2", "0.6")
    world.observe(("alpha", "loss", "v2", "0.1", at - 1, 100))
    world.clock.advance(10 * MINUTE)
    observe(working, "v2", "0.1")
    assert judged(working).observed[0].observations == 1
    passes_its_audit(working)


def test_an_observation_that_is_erased_before_the_verdict_does_not_count(
    working: Working,
) -> None:
    erased = observe(working, "v2", "0.9")
    working.world.clock.advance(MINUTE)
    observe(working, "v2", "0.4")
    working.world.erase(erased)
    verdict = judged(working)
    assert (verdict.observed[0].observations, verdict.observed[0].mean_micros) == (1, "400000")
    passes_its_audit(working)


def test_an_observation_that_comes_while_the_verdict_is_made_counts(working: Working) -> None:
    observe(working, "v2", "0.4")
    at = working.world.clock.now_micros()
    late = ("alpha", "loss", "v2", "0.8", at + MINUTE, 100)
    world = working.world
    world.before_append(lambda: world.ledger.intake.submit(MONITOR, (late,)))
    verdict = judged(working)
    assert (verdict.observed[0].observations, verdict.observed[0].mean_micros) == (2, "600000")
    passes_its_audit(working)


def test_nothing_observed_passes_no_gate(working: Working) -> None:
    verdict = judged(working)
    assert not verdict.is_passed
    assert verdict.observed[0].mean_micros is None
    assert 'observed["loss"] was not observed' in verdict.criteria[0].sentence
    passes_its_audit(working)
