"""Whatever is killed, and whenever: no job is lost, none has two executors, none skips its gates.

Method: worker processes that kill themselves at every moment of a job, or are told that their lease
is lost; a server that is killed below a worker; two workers at once. Each time the work is brought
to its end by workers that live, and the whole ledger is audited.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.client import LedgerClient
from ledger.worker.executor import WorkedJob
from tests.support.audits import audited
from tests.support.live_fleet import START
from tests.support.served import Served, serving
from tests.support.server_process import until
from tests.support.worked import ANA, WORKER, Workshop, workshop

TASKS = ["data_integrity", "candidate", "training", "deployment", "observation"]
KILLED = Path(__file__).parents[1] / "support" / "killed_worker.py"
ROOT = Path(__file__).parents[2]
MOMENTS_MAX = 120


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


def events(client: LedgerClient, job: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a job: type and data."""
    found = [one for one in client.list_events() if one.stream == f"jobs/{job}"]
    return [(one.type, json.loads(one.body)["data"]) for one in found]


def kill_at(shop: Workshop, moment: int, name: str) -> bool:
    """Run a worker that is killed at a moment; return whether it lived to see it."""
    words = [str(moment), shop.address, str(shop.recipes), str(shop.folder / "work" / name)]
    ran = subprocess.run([sys.executable, str(KILLED), *words], capture_output=True, check=False)
    assert ran.returncode in {0, -9}, ran.stderr.decode()
    return ran.returncode == -9


def gone_on(shop: Workshop, served: Served, job: str, model: str) -> None:
    """Let a worker go on in the folder of a killed one, and look at what there is of the job."""
    shop.work(job)
    with served.client(actor=ANA) as client:
        found = client.get_job(f"models/{model}/jobs/{job}").job
        assert (found.state, found.attempt) == ("OBSERVING", 1)
        assert client.get_model(model).version_in_service == f"v2-{job}"
        recorded = events(client, job)
    types = [type_ for type_, _ in recorded]
    assert types.count("job.leased.v1") == types.count("job.deployed.v1") == 1
    gates = [data["gate"] for type_, data in recorded if type_ == "gate.reported.v1"]
    assert gates[:4] == TASKS[:4]
    assert set(gates[4:]) <= {"observation"}
    again = [task for task in TASKS[:4] if shop.ran.count(f"{job} {task}") > 1]
    assert len(again) <= 1, "only the step during which it was killed runs a second time"


def killed_at(served: Served, folder: Path, moments: range) -> int:
    """Kill a worker of a job at each of these moments, until one lives; return how many died."""
    models = tuple(f"m{moment}" for moment in moments)
    shop = workshop(folder, served.server.address, models=models)
    died = 0
    for moment in moments:
        job, model = f"j{moment}", f"m{moment}"
        shop.propose(job, model)
        is_killed = kill_at(shop, moment, job)
        died += is_killed
        gone_on(shop, served, job, model)
        if not is_killed:
            break
    with served.client(actor=ANA) as client:
        assert client.list_jobs(state="leased") == []
    return died


def test_a_worker_killed_now_and_then_goes_on_where_it_was(served: Served, tmp_path: Path) -> None:
    assert killed_at(served, tmp_path, range(9, 60, 10)) == 6
    report = audited(tmp_path / "ledger.sqlite", cores=1)
    assert report.passed, report.findings


@pytest.mark.slow
def test_a_worker_killed_at_every_moment_of_a_job_goes_on_where_it_was(
    served: Served, tmp_path: Path
) -> None:
    died = killed_at(served, tmp_path, range(1, MOMENTS_MAX))
    assert 60 < died < MOMENTS_MAX - 1
    report = audited(tmp_path / "ledger.sqlite", cores=1)
    assert report.passed, report.findings


@pytest.mark.parametrize("moment", [18, 24, 29, 40])
def test_a_killed_worker_that_comes_back_too_late_throws_its_results_away(
    served: Served, tmp_path: Path, moment: int
) -> None:
    shop = workshop(tmp_path, served.server.address)
    shop.propose("j1")
    assert kill_at(shop, moment, "first")
    end_leases(served)
    assert [one.attempt for one in shop.work("second", "services/worker-2")] == [2]
    [left] = shop.work("first")
    assert left.end == "lost"
    with served.client(actor=ANA) as client:
        recorded = events(client, "j1")
    tokens = [data["token"] for type_, data in recorded if type_ == "job.leased.v1"]
    assert tokens == [1, 2]
    assert [type_ for type_, _ in recorded].count("job.deployed.v1") == 1


def end_leases(served: Served) -> None:
    """Let a day pass for a ledger whose time comes with the data."""
    with served.client(actor=ANA) as client:
        model = client.list_jobs()[0].model
        head = client.get_ledger().head_recorded_at or START
        client.submit([(model, "log-loss", 0.5, max(head, START) + timedelta(days=1), "v1", 10)])
    assert served.service.ledger().due_jobs.run().recorded


WAITING = (
    "import time; (notes / 'waits').write_text(str(os.getpid()))\n"
    "while not (notes / 'go').exists(): time.sleep(0.01)"
)


class Working:
    """A worker that works in a thread."""

    def __init__(self, shop: Workshop, name: str = "one", actor: str = WORKER) -> None:
        self.worked: list[WorkedJob] = []
        self._thread = threading.Thread(
            target=lambda: self.worked.extend(shop.work(name, actor)), daemon=True
        )
        self._thread.start()

    def done(self) -> list[WorkedJob]:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.worked


@pytest.mark.parametrize("what", ["expired", "cancelled"])
def test_a_step_whose_lease_is_lost_is_ended_and_its_results_are_thrown_away(
    served: Served, tmp_path: Path, what: str
) -> None:
    shop = workshop(tmp_path, served.server.address)
    shop.propose("j1")
    shop.behave(training={"python": WAITING})
    working = Working(shop)
    until((shop.notes / "waits").exists, "its step runs")
    if what == "expired":
        end_leases(served)
    else:
        with served.client(actor=ANA) as client:
            client.cancel_job("models/fares/jobs/j1", "It is not wanted.")
    until(lambda: "job.left" in [event for event, *_ in shop.told], "it leaves the job")
    (shop.notes / "go").touch()
    worked = working.done()
    again = [("observing", 2)] if what == "expired" else []
    assert [(one.end, one.attempt) for one in worked] == [("lost", 1), *again]
    if what == "expired":
        return  # the results of the first attempt were not reported: the second one's were
    assert not Path(f"/proc/{(shop.notes / 'waits').read_text()}").exists()
    with served.client(actor=ANA) as client:
        gates = [data["gate"] for type_, data in events(client, "j1") if "reported" in type_]
    assert gates == ["data_integrity", "candidate"]


def test_a_long_step_keeps_its_lease_by_heartbeats(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client(actor=ANA) as client:
        client.create_ledger("ledger.example/fleet")  # by the wall clock
        shop = workshop(tmp_path, served.server.address, lease="4s")
        shop.propose("j1")
        shop.behave(candidate={"python": WAITING})
        working = Working(shop)
        until((shop.notes / "waits").exists, "its step runs")
        until(lambda: [one for one, _ in events(client, "j1")].count("job.lease_extended.v1") > 1)
        assert not served.service.ledger().due_jobs.run().recorded
        (shop.notes / "go").touch()
        assert [(one.end, one.attempt) for one in working.done()] == [("observing", 1)]


class Server:
    """`decision-ledger serve` in a process, which is killed and started again at its address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = folder / "port"
        self.address = "127.0.0.1:0"
        self.start("--create", "ledger.example/fleet", "--clock", "data")

    def start(self, *more: str) -> None:
        self._ports.unlink(missing_ok=True)
        words = ["--db", str(self._folder / "l.sqlite"), "--port-file", str(self._ports)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ledger", "serve", "--listen", self.address, *words, *more],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LEDGER_SERVICE__EVALUATE": "false"},
        )
        until(self._ports.exists, "it serves")
        self.address = f"127.0.0.1:{self._ports.read_text().strip()}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def own_server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.kill()


def test_a_server_killed_and_started_again_below_a_worker_loses_nothing(tmp_path: Path) -> None:
    with own_server(tmp_path) as server:
        shop = workshop(tmp_path, server.address)
        shop.propose("j1")
        shop.behave(candidate={"python": WAITING})
        working = Working(shop)
        until((shop.notes / "waits").exists, "its step runs")
        server.kill()
        (shop.notes / "go").touch()
        until(lambda: "ledger.waiting" in [event for event, *_ in shop.told], "it waits")
        server.start()
        assert [(one.end, one.attempt) for one in working.done()] == [("observing", 1)]
        assert shop.ran == [f"j1 {task}" for task in TASKS]


def test_two_workers_share_ten_jobs_and_none_is_done_twice(served: Served, tmp_path: Path) -> None:
    models = tuple(f"m{number}" for number in range(10))
    shop = workshop(tmp_path, served.server.address, models=models)
    for number, model in enumerate(models):
        shop.propose(f"j{number}", model)
    both = [Working(shop, name, f"services/{name}") for name in ("worker-1", "worker-2")]
    ends = [[one.job for one in working.done() if one.end == "observing"] for working in both]
    assert sorted(ends[0] + ends[1]) == [f"j{number}" for number in range(10)]
    wanted = [f"j{number} {task}" for number in range(10) for task in TASKS]
    assert sorted(shop.ran) == sorted(wanted)
    report = audited(tmp_path / "ledger.sqlite", cores=1)
    assert report.passed, report.findings
