"""The demo's second act: real workers retrain real models, and each outcome is the flights' own.

The act runs once, on a server of its own. What became of its jobs is held against the flights, from
which this test works it out again, and against what a worker makes of other data.
"""

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from ledger.application.policies.lint import lint
from ledger.application.recipes.lint import lint_recipe
from ledger.audit.database import DatabaseSource
from ledger.client import LedgerClient
from ledger.client.jobs import JudgedJob
from tests.support.audits import audited
from tools.demo import jobs
from tools.demo.flights import read_flights, weekly
from tools.demo.job_views import PAGES, show_act
from tools.demo.recipes.late_arrival.retrain import (
    DELAY,
    MISSING,
    Flight,
    Version,
    feed_file,
    serve,
    write_flights,
)
from tools.demo.recipes.late_arrival.retrain import read_flights as read_week
from tools.demo.screen import Screen
from tools.demo.server import ACTOR, LEDGER_FILE, DemoServer, serving

WEEK = (jobs.PLANNED_ON - date(1970, 1, 1)).days // 7
OUTCOMES = {"dl-jfk": "SUCCEEDED", "9e-jfk": "FAILED", "mq-lga": "ROLLED_BACK", "vx-jfk": "FAILED"}


@dataclass(frozen=True)
class Acted:
    """The act behind us, its server still there."""

    good: bool
    shown: str
    folder: Path
    server: DemoServer
    client: LedgerClient
    flights: dict[str, list[Flight]]

    def job(self, model: str) -> JudgedJob:
        return self.client.get_job(f"models/{model}/jobs/{model}-{jobs.PLANNED_ON}")

    def act(self) -> jobs.JobsAct:
        by_week = {model: weekly(rows) for model, rows in self.flights.items()}
        return jobs.JobsAct(self.client, self.server, self.folder / "jobs", by_week)

    def week(self, model: str, after: int = 0) -> list[Flight]:
        """Return the flights of the week that was planned, or of one after it."""
        return weekly(self.flights[model])[WEEK + after]

    def window(self, model: str, last: int = 0) -> list[Flight]:
        return [one for back in range(5, -1, -1) for one in self.week(model, last - back)]

    def first(self, model: str) -> Version:
        """Return the version that a model began with."""
        day = jobs.PLANNED_ON - timedelta(weeks=jobs.SERVED_WEEKS)
        return Version.trained(self.window(model, -jobs.SERVED_WEEKS), day)


@pytest.fixture(scope="module")
def acted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acted]:
    text, folder = io.StringIO(), tmp_path_factory.mktemp("act")
    screen = Screen(Console(file=text, width=100, highlight=False))
    flights = read_flights()
    with serving(folder) as server:
        good = show_act(screen, server, folder, flights, is_kept=True)
        with LedgerClient(server.address, ledger=jobs.ORIGIN, actor=ACTOR) as client:
            yield Acted(good, text.getvalue(), folder, server, client, flights)


def micros(nats: float) -> int:
    return round(nats * 1_000_000)


def test_every_end_that_a_job_can_come_to_is_there_and_all_is_well(acted: Acted) -> None:
    assert acted.good
    assert {model: acted.job(model).job.outcome for model in OUTCOMES} == OUTCOMES
    source = DatabaseSource(str(acted.folder / LEDGER_FILE), jobs.ORIGIN)
    report = audited(source)
    assert report.passed, report.text()
    said = f"{report.events:,} events of {jobs.ORIGIN} by every rule: nothing is wrong."
    assert said in acted.shown


def test_the_jobs_are_those_of_the_plan_and_their_budget_defers_the_rest(acted: Acted) -> None:
    plan = acted.client.get_plan(f"week-{jobs.PLANNED_ON}")
    by_outcome: dict[str, list[str]] = {}
    for row in plan.backlog:
        by_outcome.setdefault(str(row.outcome), []).append(row.model)
    assert by_outcome["ADMITTED"] == list(OUTCOMES)
    assert len(by_outcome["OVER_BUDGET"] + by_outcome["SAVING"]) == 6
    assert {one.model for one in acted.client.list_jobs()} == set(OUTCOMES)
    budget = acted.client.get_budget(jobs.BUDGET).budget.jobs
    costs = sum(acted.job(model).job.cost_micros for model in OUTCOMES)
    assert (budget.spent_micros, budget.reserved_micros) == (costs, 0)


def test_two_workers_of_their_own_did_all_of_it(acted: Acted) -> None:
    events = list(acted.client.list_events())
    leased = {json.loads(one.body)["actor"] for one in events if one.type == "job.leased.v1"}
    assert leased <= set(jobs.WORKERS)
    for worker in ("worker-1", "worker-2"):
        assert (acted.folder / "jobs" / worker / "state.json").exists()
    reports = [one for model in OUTCOMES for one in acted.job(model).reports]
    assert len(reports) == 1 + 2 + 2 * 6 + 2  # each version is observed twice


def test_the_refused_candidate_did_worse_on_the_week_that_it_had_not_seen(acted: Acted) -> None:
    for model, is_better in (("9e-jfk", False), ("dl-jfk", True), ("mq-lga", True)):
        tried = Version.trained(acted.window(model, -1), jobs.PLANNED_ON)
        champion, candidate = (one.loss(acted.week(model)) for one in (acted.first(model), tried))
        assert (candidate < champion) is is_better
        [report] = [one for one in acted.job(model).reports if one.gate == "CANDIDATE"]
        assert report.champion["loss"] == micros(champion)
        assert report.candidate["loss"] == micros(candidate)


def test_the_version_that_was_taken_back_did_worse_than_the_one_before_in_service(
    acted: Acted,
) -> None:
    for model, holds in (("mq-lga", False), ("dl-jfk", True)):
        learned = [one for place, one in enumerate(acted.window(model)) if place % 10]
        made = Version.trained(learned, jobs.PLANNED_ON)
        seen = acted.week(model, 1)
        assert (made.loss(seen) * 100 <= acted.first(model).loss(seen) * 105) is holds
        serving = acted.client.get_model(model).version_in_service
        assert serving == (made if holds else acted.first(model)).name
        store = acted.folder / "jobs" / "store" / model
        assert (store / "serving").read_text().strip() == serving
        kept = Version.read(store / f"{made.name}.json")
        assert (kept.name, kept.destinations) == (made.name, made.destinations)
        assert kept.weights == pytest.approx(made.weights, rel=1e-9)  # sums in another order


def test_only_the_damaged_week_keeps_its_job_from_being_tried(acted: Acted) -> None:
    place = feed_file(acted.folder / "jobs" / "feed", "vx-jfk", jobs.PLANNED_ON)
    damaged, whole = read_week(place), [list(one) for one in acted.week("vx-jfk")]
    assert len(damaged) == len(whole)
    assert sum(one[DELAY] == MISSING for one in damaged[::2]) == len(damaged[::2])
    assert damaged[1::2] == whole[1::2]
    [verdict] = acted.job("vx-jfk").verdicts
    assert [one.name for one in verdict.criteria if not one.is_met] == ["arrivals-are-there"]


def test_the_job_is_reproduced_to_the_byte_and_another_feed_is_told(
    acted: Acted, tmp_path: Path
) -> None:
    assert "Ran data_integrity, candidate, training, holdout of job dl-jfk-" in acted.shown
    assert "again: each artifact and metric is as recorded." in acted.shown.replace("\n", " ")
    again = replace(acted.act(), folder=tmp_path)
    feed = acted.folder / "jobs" / "feed"
    shutil.copytree(feed, again.feed)
    shutil.copytree(acted.folder / "jobs" / "store", again.store)
    place = feed_file(again.feed, "dl-jfk", jobs.PLANNED_ON)
    write_flights(place, read_week(place)[1:])
    is_same, said = again.reproduce(f"dl-jfk-{jobs.PLANNED_ON}")
    assert not is_same
    assert "training.artifacts.model" in said
    assert f"training.environment.snapshots.flights-{jobs.PLANNED_ON}" in said


def test_what_it_shows_of_a_job_is_also_there_as_pages(acted: Acted) -> None:
    names = {path.name for path in (acted.folder / PAGES).iterdir()}
    day = jobs.PLANNED_ON
    assert names == {f"report-dl-jfk-{day}.html", f"run-mq-lga-{day}.html"}
    assert all(f"{acted.folder / PAGES / name}" in acted.shown for name in names)
    report = (acted.folder / PAGES / f"report-dl-jfk-{day}.html").read_text()
    assert "Every gate was passed." in report


def test_a_version_that_is_put_into_service_twice_serves_once(tmp_path: Path) -> None:
    version = Version("through-2013-06-19", "2013-06-19", 0.5, ("ATL",), (0.1, 0.2))
    serve(tmp_path, "dl-jfk", version)
    serve(tmp_path, "dl-jfk", version)
    assert (tmp_path / "dl-jfk" / "serving").read_text() == "through-2013-06-19\n"
    assert Version.read(tmp_path / "dl-jfk" / "through-2013-06-19.json") == version


def test_its_recipe_lacks_an_image_and_times_no_evidence_and_its_policy_scores_no_loss() -> None:
    recipe = lint_recipe((jobs.RECIPES / jobs.RECIPE / "recipe.yaml").read_text("utf-8"))
    assert [one.code for one in recipe.problems] == ["IMAGE_MISSING", "EVIDENCE_UNTIMED"]
    assert [one.code for one in lint(jobs.policy_text()).problems] == ["LOSS_NOT_SCORED"]
