"""A report that the ledger refuses ends no worker: it waits where waiting helps, and goes on.

Method: a real server with a budget that is too small, or with a clock that is not the worker's.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.clock import Clock
from ledger.events.values import SECOND, format_time
from ledger.v1 import ledger_pb2
from ledger.worker import sending
from ledger.worker.executor import WorkedJob
from tests.support.audits import audited
from tests.support.clocks import ManualClock
from tests.support.live_fleet import START
from tests.support.served import Served, serving
from tests.support.worked import WORKER, Workshop, workshop

EURO = 1_000_000
BEGAN = round((START + timedelta(days=1)).timestamp()) * SECOND
VERSION = {
    "model_version": "v2", "trained_through": "2026-01-01T00:00:00Z", "baseline_loss": "0.4",
}  # fmt: skip
DEAR = """
if told["job"] == "j1":
    behaviour["candidate"]["report"] = {"cost_micros": 9_000_000}
"""
TASKS = ["data_integrity", "candidate", "training", "deployment"]


@pytest.fixture(autouse=True)
def again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setattr(sending, "AGAIN_SECONDS", 0.01)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


@pytest.fixture
def shop(served: Served, tmp_path: Path) -> Workshop:
    """Two jobs, which a budget pays: 12 EUR, of which each is expected to cost 5."""
    made = workshop(tmp_path, served.server.address, models=("fares", "hotels"))
    with made.client() as client:
        client.set_budget("main", unit="EUR", period=timedelta(days=7), refill_micros=12 * EURO)
    made.propose("j1")
    made.propose("j2", "hotels")
    made.behave(candidate={"python": DEAR})
    return made


def worked(
    shop: Workshop,
    when_it_waits: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    patience_seconds: float = 60.0,
) -> list[WorkedJob]:
    """Let a worker work until nothing is left; something is done whenever a report waits."""
    shop.on_told = lambda event: when_it_waits() if event == "report.waiting" else None
    with shop.client(WORKER) as client:
        return shop.worker(client, clock=clock, patience_seconds=patience_seconds).run()


def said(shop: Workshop, event: str) -> list[str]:
    return [sentence for what, sentence, _ in shop.told if what == event]


def test_a_job_that_its_budget_cannot_pay_is_given_up_and_the_next_one_is_done(
    shop: Workshop,
) -> None:
    failed, done = worked(shop, patience_seconds=0.0)
    assert (failed.job, failed.end) == ("j1", "step_failed")
    assert (done.job, done.end) == ("j2", "observing")
    assert "Budget main lacks 3.00 EUR for job j1." in failed.reason
    [waiting] = said(shop, "report.waiting")
    assert "`decision-ledger budget overspend main j1 3.00 " in waiting
    assert "Then report it again" in waiting
    with shop.client() as client:
        job = client.get_job("models/fares/jobs/j1").job
        assert (job.state, job.attempt) == ("READY", 2)


def test_a_report_that_waits_is_taken_once_a_person_lets_the_job_cost_more(shop: Workshop) -> None:
    def approve() -> None:
        with shop.client() as client:
            client.approve_overspending("main", "j1", 20 * EURO, "It is worth it.")

    first, second = worked(shop, approve)
    assert (first.job, first.end, second.end) == ("j1", "observing", "observing")
    assert shop.ran[:4] == [f"j1 {task}" for task in TASKS]  # none of them a second time


def test_a_job_that_is_cancelled_while_its_report_waits_is_left(shop: Workshop) -> None:
    def cancel() -> None:
        with shop.client() as client:
            client.cancel_job("models/fares/jobs/j1", "It costs too much.")

    lost, done = worked(shop, cancel)
    assert (lost.job, lost.end, done.end) == ("j1", "lost", "observing")


def test_an_observation_that_a_budget_cannot_pay_is_told_and_ends_no_worker(
    shop: Workshop,
) -> None:
    shop.behave(observation={"report": {"cost_micros": 90 * EURO}})
    assert [one.end for one in worked(shop)] == ["observing", "observing"]
    refusals = said(shop, "report.refused")
    assert len(refusals) == 2
    assert "Budget main lacks" in refusals[0]
    assert "decision-ledger budget overspend main j" in refusals[0]


@pytest.fixture
def wall(tmp_path: Path) -> Iterator[tuple[Workshop, ManualClock]]:
    """A job in a ledger with a clock of its own."""
    clock = ManualClock(BEGAN)
    with serving(tmp_path, clock) as served:
        served.create(clock=ledger_pb2.LEDGER_CLOCK_WALL)
        made = workshop(tmp_path, served.server.address)
        made.propose("j1")
        yield made, clock
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def began_to_serve(shop: Workshop) -> str:
    """Return since when the version of a job is stated to serve."""
    with shop.client() as client:
        [made] = [one for one in client.list_events() if one.type == "job.deployed.v1"]
    stated: str = json.loads(made.body)["data"]["in_service_at"]
    return stated


@pytest.mark.parametrize("minutes", [-90, 90])
def test_a_worker_whose_clock_is_wrong_states_the_ledger_s_time(
    wall: tuple[Workshop, ManualClock], minutes: int
) -> None:
    shop, _ = wall
    [job] = worked(shop, clock=ManualClock(BEGAN + minutes * 60 * SECOND))
    assert (job.end, shop.ran[:4]) == ("observing", [f"j1 {task}" for task in TASKS])
    assert began_to_serve(shop) == format_time(BEGAN)
    assert said(shop, "report.waiting") == []


def test_a_time_of_a_step_that_lies_ahead_is_waited_for(
    wall: tuple[Workshop, ManualClock],
) -> None:
    shop, clock = wall
    at = format_time(BEGAN + 600 * SECOND)
    shop.behave(deployment={"report": {"version": VERSION | {"in_service_at": at}}})
    [job] = worked(shop, lambda: clock.advance(400 * SECOND), clock)
    assert (job.end, began_to_serve(shop)) == ("observing", at)
    [waiting] = said(shop, "report.waiting")
    assert "set the source's clock" in waiting


def test_a_time_of_a_step_that_does_not_come_ends_no_worker(
    wall: tuple[Workshop, ManualClock],
) -> None:
    shop, clock = wall
    stated = VERSION | {"in_service_at": "2027-01-01T00:00:00Z"}
    shop.behave(deployment={"report": {"version": stated}})
    [job] = worked(shop, clock=clock, patience_seconds=0.0)
    assert job.end == "step_failed"
    assert "in_service_at lies after" in job.reason
