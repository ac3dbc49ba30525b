"""The confidence report of a job says what is known of it, and names what is not.

Method: jobs of a ledger in one process, whose recipe compares a share, a mean with its standard
error, and a number that is neither.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.compliance.job_report import gain_text, report_facts, report_page, report_tables
from ledger.events.jobs import GateReported
from ledger.events.values import SECOND
from ledger.jobs.confidence import job_facts, report_bytes, report_digest
from tests.support.job_worlds import BOB, TWO, WATCHING, WINDOW_SECONDS, Working
from tests.support.run_stories import ROWS, decided, run_of, whole_life
from tests.support.world import ANA, ORIGIN, World

COMPARING = """\
format: recipe/1
title: Retrain and compare
rationale: Three metrics, of which two have an interval.
run:
  argv: [python, -m, retrain]
expected: {cost: 5, unit: EUR, duration: 10m}
limits: {time: 1h, memory: 1 GiB, attempts: 2, lease: 1h, heartbeat: 10m}
gates:
  - gate: candidate
    metrics:
      - {name: wrong, unit: ppm, meaning: Share of rows that it got wrong., of: versions}
      - {name: loss, unit: nano, meaning: Mean loss., of: versions}
      - {name: loss-error, unit: nano, meaning: Standard error of it., of: versions}
      - {name: rank, unit: places, meaning: Place in the test., of: versions}
    samples:
      - {name: rows, meaning: Rows that it did not see.}
    criteria:
      - name: better
        when: candidate["loss"] < champion["loss"]
        rationale: It has to be worth it.
  - gate: deployment
"""
OLD = {"wrong": 180_000, "loss": 600, "loss-error": 3, "rank": 4}
NEW = {"wrong": 150_000, "loss": 500, "loss-error": 4, "rank": 2}


@pytest.fixture
def working(tmp_path: Path) -> Working:
    return decided(tmp_path)


def made(working: Working, job: str = "j1", as_of: int | None = None) -> dict[str, Any]:
    run_id = working.job(job).run_id or ""
    lineage = working.world.ledger.lineages.lineage(run_id, as_of)
    facts = job_facts(lineage, job)
    report = report_bytes(facts, ORIGIN)
    assert report == report_bytes(facts, ORIGIN)
    found: dict[str, Any] = json.loads(report)
    assert report_page(found, report_digest(report)).startswith(b"<!DOCTYPE html>")
    return found


def compared(working: Working, old: dict[str, int], new: dict[str, int], **more: Any) -> None:  # noqa: ANN401
    working.propose()
    working.approve()
    token = working.lease(by=TWO)
    data = working.reported("candidate", token).to_data()
    evidence = data | {"champion": old, "candidate": new, "samples": {"rows": 2_000}} | more
    working.world.ledger.jobs.report(TWO, GateReported.from_data(evidence))
    working.deploy(token, "v2", by=TWO, at=working.world.clock.now_micros())


@pytest.fixture
def comparing(tmp_path: Path) -> Working:
    world = World(tmp_path / "compared.db", clock="wall")
    return Working.of(world.begin("alpha", "beta"), COMPARING)


def test_a_gain_has_the_interval_that_its_metric_allows(comparing: Working) -> None:
    compared(comparing, OLD, NEW)
    report = made(comparing)
    gains = {one["metric"]: one for one in report["gains"]}
    assert list(gains) == ["wrong", "loss", "rank"]
    wrong, loss, rank = gains.values()
    assert (wrong["change"], wrong["change_ppm"], wrong["method"]) == (
        -30_000, -166_666, "score intervals",
    )  # fmt: skip
    assert wrong["low"] < -30_000 < wrong["high"] < 0
    assert (loss["low"], loss["high"], loss["method"]) == (-110, -90, "standard errors")
    assert (rank["low"], rank["high"], rank["method"]) == (None, None, None)
    assert "95% interval -110 to -90, 2000 rows" in gain_text(loss)
    assert "its interval is not known" in gain_text(rank)
    assert [one for one in report["not_tested"] if one.startswith("Candidate")] == [
        "Candidate, wrong: it was reported, and no criterion reads it.",
        "Candidate, rank: it was reported, and no criterion reads it.",
        (
            "Candidate, rank: its interval is not known. It is no share (ppm) of a sample whose "
            "size is reported, and no metric rank-error says its standard error."
        ),
    ]


def test_a_job_that_was_taken_back_says_so_with_every_verdict(working: Working) -> None:
    whole_life(working)
    report = made(working)
    assert (report["run"], report["outcome"], report["version"], report["serving"]) == (
        run_of(working), "rolled_back", "v2", "v1",
    )  # fmt: skip
    assert report["is_rolled_back"]
    assert [(one["gate"], one["state"]) for one in report["gates"]] == [
        ("data_integrity", "passed"), ("candidate", "passed"), ("holdout", "passed"),
        ("deployment", "passed"), ("observation", "failed"),
    ]  # fmt: skip
    assert report["time"]["attempts"] == 2
    assert report["time"]["lost"] == 1
    assert report["cost"] | {"by_gate": []} == {
        "unit": "EUR", "expected_micros": "5000000", "actual_micros": "1000000",
        "expected_test_micros": "0", "test_micros": "0",
        "difference_ppm": -800_000, "is_final": True, "by_gate": [],
        "forecast_error_micros": "-4000000", "is_within_forecast": True,
    }  # fmt: skip
    assert report["forecast"] == working.job().proposed["forecast"]
    facts = dict(report_facts(report, "0" * 64))
    assert facts["forecast"] == (
        "5.00 EUR (0.00 to 10.00), 50.0% likely to stay, by the recipe alone"
    )
    assert facts["error"] == "the cost is 4.00 EUR below the forecast, within its interval"
    [gain] = report["gains"]
    assert (gain["champion"], gain["candidate"], gain["size"]) == (100, 1, None)
    assert report["artifacts"][0]["name"] == "model.bin"
    assert [one["actor"] for one in report["approvals"]] == ["users/bob"]


def test_the_report_that_an_observation_rests_on_is_named_beside_what_the_others_said(
    working: Working,
) -> None:
    world = working.world
    token = working.observing("v2", at=world.clock.now_micros())
    assert made(working)["gates"][-1]["rests_on"] == ""
    working.report("observation", token, loss=500)
    at = working.report("observation", token, loss=1).first_position
    said = f"It rests on the report at position {at}, when 0.0% of the window was over"
    assert made(working)["gates"][-1]["rests_on"] == f"{said}."
    world.clock.advance(WINDOW_SECONDS * SECOND)
    world.govern()
    report = made(working)
    judged = f"{said}; of 1 other report 1 did not meet its criteria."
    assert report["gates"][-1]["rests_on"] == judged
    assert dict(report_facts(report, "0" * 64))["observation"] == judged


def test_what_was_not_tested_is_named(working: Working) -> None:
    working.propose()
    before = made(working)["not_tested"]
    assert "Representativeness: the recipe asks for no such gate." in before
    assert "Candidate: the job did not come so far." in before
    assert "Gain: no metric of both versions was reported." in before
    unrecorded = "Environment: none was recorded, so no step can be run again from the record."
    assert unrecorded in before
    working.approve()
    token = working.lease(by=TWO)
    working.pass_gates(token, by=TWO)
    working.deploy(token, "v2", by=TWO, at=working.world.clock.now_micros())
    working.world.clock.advance(WINDOW_SECONDS * SECOND)
    working.world.govern()
    after = made(working)["not_tested"]
    assert "Observation: no evidence was reported." in after
    assert "Deployment: nothing is asked of its evidence, so a report passes it." in after
    assert "Candidate: the job did not come so far." not in after


def test_a_report_can_be_made_at_every_position_of_a_job(working: Working) -> None:
    whole_life(working)
    job = working.job()
    digests = set()
    for as_of in range(job.position, job.changed_at + 1):
        report = made(working, as_of=as_of)
        assert report["last"] <= as_of
        digests.add(json.dumps(report))
        assert dict(report_facts(report, "0" * 64))["digest"] == "0" * 64
        assert {table.name for table in report_tables(report)} >= {"gates", "not_tested"}
    assert len(digests) == job.events


def test_a_report_says_in_which_environments_its_evidence_was_made(working: Working) -> None:
    whole_life(working)
    report = made(working)
    first, second = report["environments"]
    assert (first["gate"], first["attempt"], first["seed"], first["snapshots"]) == (
        "data_integrity", 2, None, ROWS,
    )  # fmt: skip
    assert (second["gate"], second["image"]) == ("candidate", "train@sha256:" + "1a" * 32)
    tables = {table.name: table for table in report_tables(report)}
    assert tables["environments"].rows[0] == (
        "data integrity", 2, "CPython 3.11.7 on Linux", "commit 5a5a5a5a5a5a, files abababababab",
        "3 packages cdcdcdcdcdcd", "schema 3, features 12, architecture gbdt-200",
        first["position"],
    )  # fmt: skip
    assert [row[:4] for row in tables["data"].rows] == [
        ("spring", 40_000, "5d" * 32, "data integrity"),
        ("spring", 40_000, "5d" * 32, "candidate"),
    ]
    page = report_page(report, "0" * 64).decode()
    assert "train@sha256:" + "1a" * 32 in page
    assert "5d" * 32 in page
    assert [one for one in report["not_tested"] if one.startswith("Environment")] == [
        "Environment: not recorded for the steps of holdout, deployment, observation."
    ]


def test_a_step_whose_data_are_not_on_record_is_named(working: Working) -> None:
    working.propose()
    working.approve()
    token = working.lease(by=TWO)
    working.record_environment("data_integrity", token, by=TWO)
    working.report("data_integrity", token, by=TWO)
    working.record_environment("candidate", token, by=TWO, snapshots=ROWS)
    working.report("candidate", token, by=TWO)
    said = [one for one in made(working)["not_tested"] if one.startswith(("Data:", "Envi"))]
    assert said == ["Data: not recorded for the steps of data integrity."]


def test_a_denied_job_has_a_report_too(working: Working) -> None:
    working.propose("j2", "beta")
    working.world.ledger.jobs.deny(BOB, "j2", "too dear")
    report = made(working, "j2")
    assert (report["outcome"], report["gains"], report["time"]["seconds"]) == ("denied", [], None)
    assert {one["state"] for one in report["gates"]} == {"open"}


@pytest.mark.parametrize(
    ("old", "new", "samples", "method"),
    [
        ({"wrong": 2_000_000}, {"wrong": 1}, {"rows": 9}, None),
        ({"wrong": 0}, {"wrong": 1}, {"rows": 0}, None),
        ({"wrong": 0}, {"wrong": 1}, {"rows": 1}, "score intervals"),
        ({"loss-error": -1}, {}, {"rows": 1}, None),
    ],
)
def test_numbers_that_cannot_be_make_no_interval(
    comparing: Working,
    old: dict[str, int],
    new: dict[str, int],
    samples: dict[str, int],
    method: str | None,
) -> None:
    compared(comparing, OLD | old, NEW | new, samples=samples)
    name = "loss" if "loss-error" in old else "wrong"
    [gain] = [one for one in made(comparing)["gains"] if one["metric"] == name]
    assert gain["method"] == method


def test_a_person_who_cancels_it_ends_the_report(working: Working) -> None:
    working.propose()
    working.world.ledger.jobs.cancel(ANA, "j1", "too early")
    report = made(working)
    assert (report["outcome"], report["why"]) == (
        "cancelled", "users/ana cancelled it, because: too early.",
    )  # fmt: skip


def test_the_error_of_the_forecast_is_told_of_a_job_that_is_over_and_was_worked_on(
    working: Working,
) -> None:
    working.propose()
    report = made(working)
    assert (report["cost"]["forecast_error_micros"], report["cost"]["is_within_forecast"]) == (
        None, None,
    )  # fmt: skip
    assert "error" not in dict(report_facts(report, "0" * 64))
    working.world.ledger.jobs.deny(BOB, "j1", "too dear")
    denied = made(working)
    assert denied["cost"]["forecast_error_micros"] is None
    assert "error" not in dict(report_facts(denied, "0" * 64))


def test_what_the_ledger_observed_and_what_it_was_worth_is_told(tmp_path: Path) -> None:
    world = World(tmp_path / "observed.db", clock="wall", unit="EUR")
    working = Working.of(world.begin("alpha"), WATCHING)
    working.observing("v2", at=world.clock.now_micros())
    assert made(working)["observed"] == []
    at = world.clock.now_micros()
    world.observe(("alpha", "loss", "v2", "0.3", at, 100), ("alpha", "loss", "v1", "0.5", at, 100))
    world.clock.advance(600 * SECOND)
    world.govern()
    report = made(working)
    [observed] = report["observed"]
    assert (observed["signal"], observed["rows"], observed["mean_micros"]) == (
        "loss", "100", "300000",
    )  # fmt: skip
    assert report["realised"]["change_micros"] == "-200000"
    facts = dict(report_facts(report, "0" * 64))
    assert facts["observed loss"] == (
        "0.30 on 100 rows of 1 observation; 0.30 against 0.50 before, on 100 rows"
    )
    assert facts["benefit"].endswith(" by loss on 100 rows of its window")
    long = report | {"realised": report["realised"] | {"benefit_micros": "3326458188"}}
    assert dict(report_facts(long, "0" * 64))["benefit"].startswith("3326.46 EUR by loss on ")
    alone = (
        "no evidence was reported by an executor, and the ledger's own observations were judged."
    )
    assert f"Observation: {alone}" in report["not_tested"]
    told = world.ledger.lineages.lineage(working.job().run_id or "").entries
    said = [one.text for one in told if one.text.startswith("The gate observation is passed")]
    assert said[0].startswith(
        "The gate observation is passed, judged on the ledger's own observations: "
    )
    world.close()
