"""Questions about jobs are answered from their events: gates, holdouts, comparisons, returns, cost.

Method: a ledger in one process: a version that is taken back, a candidate that is refused, and a
version that is still observed; then bodies are taken away.
"""

from pathlib import Path
from typing import Any

import pytest

from ledger.compliance.facts import FactFilter
from ledger.compliance.forecasts import calibration_table
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.jobs import is_by_its_criteria, jobs_table, recorded_jobs
from ledger.compliance.questions import answer
from ledger.compliance.tables import Cell, as_records
from ledger.events.jobs import GateJudged, GateReported, JobClosed
from ledger.events.values import SECOND
from ledger.jobs.intervals import share_difference
from tests.support.facts import FactList, facts_of
from tests.support.job_worlds import ONE, RECIPE, WINDOW_SECONDS, Working
from tests.support.world import World

AFTER_SECONDS = 90


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> FactList:
    """Return facts: alpha's version goes back, beta's candidate is refused, then another serves."""
    world = World(Path(tmp_path_factory.mktemp("jobs")) / "l.sqlite", clock="wall")
    working = Working.of(world.begin("alpha", "beta"))
    token = working.observing("v2", "a", at=world.clock.now_micros())
    working.report("observation", token, "a", loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    world.govern()
    world.clock.advance(AFTER_SECONDS * SECOND)
    working.take_back(working.lease("a"), "a", at=world.clock.now_micros())
    working.propose("b", "beta")
    working.approve("b")
    token = working.lease("b")
    working.report("data_integrity", token, "b")
    working.report("candidate", token, "b", loss=150)
    working.observing("v2", "c", model="beta", at=world.clock.now_micros())
    found = facts_of(world)
    world.close()
    return found


def told(story: FactList, question: str, **about: Any) -> Answer:  # noqa: ANN401 - particulars
    return answer(question, story, Inquiry(**about))


def rows(given: Answer, table: str) -> list[dict[str, Cell]]:
    return next(as_records(one) for one in given.tables if one.name == table)


def test_gates_of_data_are_told_with_the_criteria_that_were_fixed_before(story: FactList) -> None:
    given = told(story, "gates")
    assert given.said == [
        "Gates of data on record: 3 verdicts, 3 of them passed.",
        "By exactly the criteria that the job was proposed with, before any lease: 3 of 3.",
        "Jobs whose recipe has a gate of data integrity: 3; of representativeness: 0.",
        (
            "Versions that jobs brought into service: 2; 2 of them passed a gate of data "
            "integrity, 0 one of representativeness. Deployments by no job, so without gates: 2."
        ),
        "That the numbers behind a verdict are true is the word of the executor that reported.",
    ]
    assert given.state == "answered"
    for row in rows(given, "gates"):
        assert row["metrics"] == "missing 0"
        assert int(str(row["criteria_fixed_at"])) < int(str(row["report"]))
        assert (
            row["criteria"]
            == 'whole is met, metrics["missing"] < 10: metrics["missing"] is 0 rows.'
        )


def test_a_verdict_by_other_criteria_than_the_proposals_is_said_to_be_so(story: FactList) -> None:
    [job, *_] = recorded_jobs(story).jobs.values()
    judged = job.verdicts[0].data
    assert is_by_its_criteria(job, judged)
    other = [{**judged["criteria"][0], "when": 'metrics["missing"] < 99'}]
    assert not is_by_its_criteria(job, {**judged, "criteria": other})
    assert not is_by_its_criteria(job, {**judged, "criteria": []})


def test_each_use_of_a_holdout_is_counted_over_all_jobs(story: FactList) -> None:
    given = told(story, "holdout")
    assert given.said[0] == "On record: 2 uses of 1 holdout; 0 beyond the bound."
    assert given.said[1].endswith("since then it was used 1 time more.")
    assert [
        (row["job"], row["use"], row["max_uses"], row["is_passed"], row["model_version"])
        for row in rows(given, "holdouts")
    ] == [("a", 1, 3, True, "v2"), ("c", 2, 3, True, "v2")]
    of_beta = rows(told(story, "holdout", model="beta"), "holdouts")
    assert [(row["job"], row["use"]) for row in of_beta] == [("c", 2)]


def test_a_holdout_is_untouched_if_no_step_before_read_its_data(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall")
    working = Working.of(world.begin("alpha", "beta", "gamma"))
    for job, model, read, kept in (
        ("a", "alpha", "11" * 32, "22" * 32),  # its own
        ("b", "beta", "22" * 32, "33" * 32),  # learns from what a kept apart
        ("c", "gamma", "44" * 32, "22" * 32),  # keeps apart what b has learned from
    ):
        working.propose(job, model)
        working.approve(job)
        token = working.lease(job)
        working.report("data_integrity", token, job)
        snapshot = {"name": "rows", "sha256": read, "rows": 5}
        working.record_environment("candidate", token, job, snapshots=[snapshot])
        working.report("candidate", token, job)
        snapshot = {"name": "kept", "sha256": kept, "rows": 5}
        working.record_environment("holdout", token, job, snapshots=[snapshot])
        working.report("holdout", token, job)
    given = told(facts_of(world), "holdout")
    world.close()
    assert [
        (row["job"], row["is_untouched"], row["read_by"]) for row in rows(given, "holdouts")
    ] == [
        ("a", True, None),
        ("b", True, None),
        ("c", False, "b candidate"),
    ]
    assert given.state == "answered"
    assert given.said[-1].endswith("2 of them were of data that no step before had read.")


def test_what_was_read_without_a_record_leaves_the_answer_open(story: FactList) -> None:
    given = told(story, "holdout")
    assert {row["is_untouched"] for row in rows(given, "holdouts")} == {None}
    assert (given.state, given.missing[:14]) == ("partly", "Of 2 uses it i")


def test_each_candidate_is_told_beside_the_version_in_service(story: FactList) -> None:
    given = told(story, "candidate-and-champion")
    assert given.said == [
        "On record: 3 comparisons of a candidate with the version in service, in 3 jobs.",
        (
            "Versions that went live by a job: 2; 2 of them had passed a comparison, and for 0 a "
            "person accepted what was left of the risk; for the others the criteria alone decided."
        ),
        (
            "Deployments by no job, so without a comparison that the ledger judged: 2; the actor "
            "of each answers for it."
        ),
    ]
    assert [
        (row["job"], row["champion"], row["candidate"], row["change_ppm"], row["is_passed"])
        for row in rows(given, "comparisons")
    ] == [
        ("a", 100, 1, -990_000, True),
        ("b", 100, 150, 500_000, False),
        ("c", 100, 1, -990_000, True),
    ]
    assert given.state == "partly"
    assert given.missing.startswith("For 3 of 3 comparisons no interval can be made")


def test_a_standard_error_is_no_comparison_of_its_own(tmp_path: Path) -> None:
    text = RECIPE.replace(
        "meaning: Loss on unseen rows., of: versions}",
        "meaning: Loss on unseen rows., of: versions}\n"
        "      - {name: loss-error, unit: nano, meaning: Its standard error., of: versions}",
    )
    world = World(tmp_path / "l.sqlite", clock="wall")
    working = Working.of(world.begin("alpha"), text)
    working.propose()
    working.approve()
    token = working.lease()
    working.report("data_integrity", token)
    reported = working.reported("candidate", token).to_data()
    numbers = {
        "champion": {"loss": 100, "loss-error": 3}, "candidate": {"loss": 50, "loss-error": 4},
    }  # fmt: skip
    world.ledger.jobs.report(ONE, GateReported.from_data(reported | numbers))
    given = told(facts_of(world), "candidate-and-champion")
    world.close()
    [row] = rows(given, "comparisons")
    assert (row["metric"], row["low"], row["high"]) == ("loss", -60, -40)  # 1.96 times 5
    assert int(str(row["report"])) < int(str(row["position"]))
    assert given.state == "answered"


def test_a_comparison_of_shares_has_its_interval(tmp_path: Path) -> None:
    text = RECIPE.replace("unit: nano, meaning: Loss on unseen rows.", "unit: ppm, meaning: Wrong.")
    text = text.replace(
        "Wrong., of: versions}",
        "Wrong., of: versions}\n    samples: [{name: rows, meaning: Rows.}]",
    )
    world = World(tmp_path / "l.sqlite", clock="wall")
    working = Working.of(world.begin("alpha", "beta"), text)
    working.propose()
    working.approve()
    token = working.lease()
    working.report("data_integrity", token)
    reported = working.reported("candidate", token).to_data()
    numbers = {"champion": {"loss": 200_000}, "candidate": {"loss": 100_000}}
    compared = reported | numbers | {"samples": {"rows": 1_000}}
    world.ledger.jobs.report(ONE, GateReported.from_data(compared))
    given = told(facts_of(world), "candidate-and-champion")
    world.close()
    [row] = rows(given, "comparisons")
    low, high = share_difference((100_000, 1_000), (200_000, 1_000))
    assert (row["low"], row["high"], row["method"]) == (low, high, "score intervals")
    assert low < -100_000 < high < 0
    assert given.state == "answered"


def test_gains_and_waste_are_told_with_what_they_cost(story: FactList) -> None:
    assert told(story, "realised-gain").said == [
        "Jobs that are over: 2; 0 of them brought a version into service that stayed.",
        "They cost 2.00 EUR, where 10.00 EUR were expected; 0 cost more than expected.",
        (
            "The cost lay in the interval of its forecast for 2 of 2; versions stayed in service "
            "for 0 of 2, where 45.0% were forecast to."
        ),
    ]
    given = told(story, "false-alerts")
    assert given.said[-2:] == [
        "Of 2 jobs that are over, 2 left no version in service.",
        "They cost 2.00 EUR.",
    ]
    assert [(row["job"], row["outcome"], row["cost"]) for row in rows(given, "wasted")] == [
        ("a", "rolled back", "1.00 EUR"), ("b", "failed", "1.00 EUR"),
    ]  # fmt: skip


def test_calibration_is_told_of_all_of_the_newest_and_by_how_likely_success_was(
    story: FactList,
) -> None:
    [ended, failed, _] = recorded_jobs(story).jobs.values()
    ended.data["forecast"]["success_ppm"] = 1_000_000
    failed.data["forecast"]["success_ppm"] = 200_000
    table = calibration_table([ended, failed])
    shown = ("jobs", "count", "likely_ppm", "stayed_ppm", "cost_within", "dearer")
    assert [tuple(row[name] for name in shown) for row in as_records(table)] == [
        ("all", 2, 600_000, 0, 2, 0),
        ("20% to 40% likely to stay", 1, 200_000, 0, 1, 0),
        ("80% to 100% likely to stay", 1, 1_000_000, 0, 1, 0),
    ]
    many = as_records(calibration_table([failed] * 50 + [ended] * 10))
    assert [(row["jobs"], row["count"]) for row in many[:2]] == [
        ("all", 60), ("the 50 that ended last", 50),
    ]  # fmt: skip
    assert many[1]["likely_ppm"] == 200_000, "those that ended last, not those proposed last"


def test_jobs_are_told_as_their_events_left_them(story: FactList) -> None:
    found = as_records(jobs_table(story, FactFilter()))
    assert [
        (row["job"], row["state"], row["gates_passed"], row["attempts"], row["model_version"])
        for row in found
    ] == [
        ("a", "rolled back", 4, 1, "v2"),
        ("b", "failed", 1, 1, None),
        ("c", "observing", 4, 1, "v2"),
    ]
    assert found[0]["approved_by"] == "users/bob"
    by_bob = as_records(jobs_table(story, FactFilter(actor="users/bob", model="beta")))
    assert [row["job"] for row in by_bob] == ["b", "c"]


def test_a_job_whose_event_is_gone_is_told_as_such(story: FactList) -> None:
    gone = FactList(
        story.origin,
        tuple(
            one._replace(data=None, actor="") if one.type == JobClosed.TYPE else one
            for one in story.items
        ),
    )
    table = jobs_table(gone, FactFilter())
    assert table.note == "Events of jobs without a readable body: 2."
    assert [row["state"] for row in as_records(table)] == ["unreadable", "unreadable", "observing"]


def test_a_verdict_whose_report_is_gone_is_told_without_numbers(story: FactList) -> None:
    judged = next(one for one in story.items if one.type == GateJudged.TYPE)
    gone = FactList(
        story.origin,
        tuple(
            one._replace(data=None) if one.position == judged.position - 1 else one
            for one in story.items
        ),
    )
    first = rows(told(gone, "gates"), "gates")[0]
    assert (first["metrics"], first["reported_by"], first["is_passed"]) == (None, None, True)


@pytest.mark.parametrize("question", ["provenance", "deployment"])
def test_how_versions_were_made_is_told_by_the_environments_of_their_jobs(
    tmp_path: Path, question: str
) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall")
    working = Working.of(world.begin("alpha"))
    working.propose("a", "alpha")
    working.approve("a")
    token = working.lease("a")
    working.report("data_integrity", token, "a")
    snapshot = {"name": "rows", "sha256": "11" * 32, "rows": 5}
    recorded = working.record_environment("candidate", token, "a", snapshots=[snapshot])
    for gate in ("candidate", "holdout"):
        working.report(gate, token, "a")
    working.deploy(token, "v2", "a", at=world.clock.now_micros())
    given = told(facts_of(world), question, model="alpha")
    world.close()
    (row,) = rows(given, "made")
    assert (row["position"], row["model_version"], row["gate"], row["attempt"]) == (
        recorded.first_position, "v2", "candidate", 1,
    )  # fmt: skip
    assert "rows 111111111111 of 5 rows" in str(row["environment"])
    assert given.said[-1] == (
        "Brought into service by jobs: 1 version; of 1 the environment that a step ran in is on "
        "record."
    )
    assert given.missing.startswith("Of 1 version it is not recorded")  # v1 was there before


def test_a_version_whose_job_recorded_no_environment_is_listed_without_one(story: FactList) -> None:
    (row,) = rows(told(story, "provenance", model="alpha"), "made")
    assert (row["job"], row["model_version"], row["environment"]) == ("a", "v2", None)
