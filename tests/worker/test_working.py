"""A worker takes jobs through their gates by running steps, and no fault of a step stops it.

Method: a real server, a recipe whose steps are real processes, and a worker in this process.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.client import Model
from ledger.events.values import SECOND
from ledger.worker import attending
from ledger.worker.state import HeldJob, StateFile, WorkerError
from tests.support.clocks import TurnedClock
from tests.support.live_fleet import START
from tests.support.served import Served, serving
from tests.support.worked import BOB, RECIPE, WORKER, Workshop, workshop


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


@pytest.fixture
def shop(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return workshop(tmp_path, served.server.address, models=("fares", "hotels"))


def reports(served: Served, job: str) -> list[dict[str, Any]]:
    """Return the reports on gates of a job, as recorded."""
    with served.client(actor="users/ana") as client:
        found = [one for one in client.list_events() if one.stream == f"jobs/{job}"]
        return [json.loads(one.body)["data"] for one in found if one.type == "gate.reported.v1"]


def test_a_job_goes_through_its_gates_to_its_observation(served: Served, shop: Workshop) -> None:
    shop.propose("j1")
    [worked] = shop.work()
    assert (worked.job, worked.end, worked.attempt) == ("j1", "observing", 1)
    tasks = ["data_integrity", "candidate", "training", "deployment", "observation"]
    assert shop.ran == [f"j1 {task}" for task in tasks]
    recorded = reports(served, "j1")
    assert [one["gate"] for one in recorded] == tasks
    assert recorded[1]["champion"] == {"loss": 90}
    assert [one["cost_micros"] for one in recorded] == [f"{n}000000" for n in range(1, 6)]
    digest = hashlib.sha256(b"weights of fares").hexdigest()
    assert recorded[2]["artifacts"] == [{"name": "model", "sha256": digest}]
    log = (shop.files("j1") / "training.log").read_bytes()
    assert log == b"The step of training\n"
    assert recorded[2]["log_sha256"] == hashlib.sha256(log).hexdigest()
    with served.client() as client:
        assert client.get_model("fares").version_in_service == "v2-j1"
    told = json.loads((shop.files("j1") / "candidate.step.json").read_text())
    assert (told["serving"], told["parameters"]) == ("v1", {"rows": "100"})
    assert told["asked"]["candidate"] == ["loss"]


def test_a_job_deploys_the_first_version_of_a_model(served: Served, shop: Workshop) -> None:
    new = Model("new", "team-new", 2_000_000, cost_micros=50_000_000)
    with served.client(actor="users/ana") as client:
        client.register_model(new)
    shop.propose("j1", "new")
    [worked] = shop.work()
    assert (worked.end, shop.ran.count("j1 deployment")) == ("observing", 1)
    with served.client() as client:
        [version] = client.get_model("new").deployments
        newest = client.get_model("fares").deployments[-1]
    assert (version.model_version, version.in_service_at) == ("v2-j1", newest.in_service_at)


def test_a_gate_that_is_not_passed_is_the_last_thing_that_costs(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.behave(candidate={"report": {"candidate": {"loss": 95}}})
    [worked] = shop.work()
    assert (worked.end, worked.reason) == ("failed", "The gate candidate was not passed.")
    assert shop.ran == ["j1 data_integrity", "j1 candidate"]


def test_a_version_that_does_not_hold_is_put_back_by_a_worker(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.behave(observation={"report": {"metrics": {"loss": 500}}})
    assert [one.end for one in shop.work()] == ["observing"]
    with shop.client() as client:
        later = START + timedelta(days=1)
        client.submit([("fares", "log-loss", 0.5, later, "v2-j1", 10)])
        turn = served.service.ledger().due_jobs.run()
        assert turn.recorded
    [worked] = shop.work("other", "services/worker-2")
    assert worked.end == "rolled_back"
    told = json.loads((shop.files("j1", name="other") / "roll_back.step.json").read_text())
    assert told["put_back"] == "v1"
    with served.client() as client:
        assert client.get_model("fares").version_in_service == "v1"
    assert shop.work() == []  # the one that had observed it forgets it
    with StateFile(shop.folder / "work" / "one") as state:
        assert state.now.observed == {}


@pytest.mark.parametrize("when", ["before it is leased", "while it is leased"])
def test_a_worker_runs_no_step_to_put_back_what_serves_no_more(
    served: Served, shop: Workshop, when: str
) -> None:
    shop.propose("j1")
    assert [one.end for one in shop.work()] == ["observing"]
    with shop.client() as client:
        client.cancel_job("models/fares/jobs/j1", "It does worse.")
    if when == "while it is leased":  # by a worker that was told to end, and is started again
        shop.behave(roll_back={"python": "raise SystemExit(3)"})
        with StateFile(shop.folder / "work" / "other") as state, shop.client(WORKER) as client:
            given = client.lease_job("models/fares/jobs/j1")
            assert given.job.lease is not None
            held = HeldJob(
                name=given.job.name, request_id="r", token=given.job.lease.token,
                attempt=given.job.attempt,
            )  # fmt: skip
            state.keep(held=held)
    with shop.client() as client:
        client.record_deployment(
            "fares", "v3", in_service_at=START + timedelta(minutes=1), trained_through=START,
            baseline_loss="0.3",
        )  # fmt: skip
    ends = [(one.end, one.reason) for one in shop.work("other")]
    left = [("lapsed", "v3 serves in the place of its version already.")]
    assert ends == (left if when == "while it is leased" else [])
    assert "j1 roll_back" not in shop.ran
    assert served.service.ledger().due_jobs.run().recorded == 1
    with shop.client() as client:
        job = client.get_job("models/fares/jobs/j1").job
        assert job.outcome == "LAPSED"
        assert client.get_model("fares").version_in_service == "v3"


FAULTS = {
    "exits": ("sys.exit(3)", "It ended with exit code 3."),
    "raises": ("raise ValueError('no rows')", "It ended with exit code 1."),
    "dies": ("os.kill(os.getpid(), 9)", "It was ended by signal 9."),
    "hangs": ("import time; time.sleep(600)", "It took longer than its recipe allows"),
    "will not end": (
        "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)",
        "It took longer than its recipe allows",
    ),
    "takes memory": ("bytearray(2 ** 31)", "It ended with exit code 1."),
    "says nothing": ("sys.exit(0)", "It wrote no report."),
    "writes garbage": (
        "pathlib.Path(os.environ['DECISION_LEDGER_REPORT']).write_bytes(b'\\xff{'); sys.exit(0)",
        "Its report is no JSON",
    ),
    "writes a folder": (
        "pathlib.Path(os.environ['DECISION_LEDGER_REPORT']).mkdir(); sys.exit(0)",
        "Its report cannot be read: it is not a plain file.",
    ),
    "nests": (
        "pathlib.Path(os.environ['DECISION_LEDGER_REPORT']).write_text('[' * 90000); sys.exit(0)",
        "Its report is no JSON",
    ),
    "writes without end": (
        "pathlib.Path(os.environ['DECISION_LEDGER_REPORT']).write_text('1' * 2000000);sys.exit(0)",
        "Its report cannot be read: it has more than 1048576 bytes.",
    ),
    "prints without end": ("[print('x' * 1000) for _ in range(10 ** 9)]", "It printed more than"),
}
REPORTS = {
    "shares are no whole numbers": ({"metrics": {"missing": 0.5}}, "not of the form step/1"),
    "an unknown member": ({"verdict": "passed"}, "not of the form step/1: verdict"),
    "another form": ({"format": "step/9"}, "not of the form step/1: format"),
    "a metric too few": ({"metrics": {}}, "The ledger does not take the report"),
    "a metric too many": ({"metrics": {"missing": 1, "x": 1}}, "The ledger does not take"),
    "a file elsewhere": ({"artifacts": {"m": "../keeper.lock"}}, "outside of its folder"),
    "a file that is not": ({"artifacts": {"m": "model.bin"}}, "cannot be read"),
    "a folder": ({"artifacts": {"m": "."}}, "cannot be read: it is not a plain file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_with_a_fault_is_told_and_the_next_job_is_done(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setattr(attending, "LOG_BYTES_MAX", 1_000_000)
    monkeypatch.setattr("ledger.worker.running.GRACE_SECONDS", 0.2)
    models = ("fares", "hotels")
    time = "2s" if fault in {"hangs", "will not end"} else "10m"
    shop = workshop(tmp_path, served.server.address, models=models, time=time)
    program, why = FAULTS[fault]
    shop.propose("j1")
    shop.propose("j2", "hotels")
    shop.behave(data_integrity={"python": f"if told['job'] == 'j1':\n    {program}"})
    failed, done = shop.work()
    assert (failed.job, failed.end, done.end) == ("j1", "step_failed", "observing")
    assert why in failed.reason
    assert "j1 candidate" not in shop.ran
    if fault == "raises":
        [facts] = [facts for event, _, facts in shop.told if event == "step.failed"]
        assert facts["last_lines"][-1] == "ValueError: no rows"
    if fault == "takes memory":
        [facts] = [facts for event, _, facts in shop.told if event == "step.failed"]
        assert facts["last_lines"][-1] == "MemoryError"


def test_a_job_whose_step_failed_is_another_worker_s_at_once_and_not_the_same_one_s(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.behave(candidate={"python": "print('no rows'); sys.exit(3)"})
    [failed] = shop.work()
    assert (failed.end, failed.attempt) == ("step_failed", 1)
    with served.client() as client:
        assert [(job.state, job.attempt) for job in client.list_jobs()] == [("READY", 2)]
        [why] = [x.data["reason"] for x in client.list_events() if x.type == "job.given_up.v1"]
        [log] = shop.folder.rglob("attempt-1/candidate.log")
        assert hashlib.sha256(log.read_bytes()).hexdigest() in why
    shop.behave()
    [worked] = shop.work("other", "services/worker-2")
    assert (worked.end, worked.attempt) == ("observing", 2)


def test_a_step_that_failed_tells_what_it_has_spent(served: Served, shop: Workshop) -> None:
    shop.propose("j1")
    told = "pathlib.Path(os.environ['DECISION_LEDGER_REPORT']).write_text"
    shop.behave(candidate={"python": told + "('{\"cost_micros\": 1500000}'); sys.exit(3)"})
    [failed] = shop.work()
    assert failed.end == "step_failed"
    with served.client() as client:
        [job] = client.list_jobs()
        before = sum(one.gate == "DATA_INTEGRITY" for one in client.get_job(job.name).reports)
        assert before == 1
        assert job.cost_micros >= 1_500_000
        spent = job.cost_micros
    shop.behave(candidate={"report": {"metrics": {"nothing": 1}, "cost_micros": 2}})
    [refused] = shop.work("other", "services/worker-2")
    assert refused.end == "step_failed"
    with served.client() as client:
        [job] = client.list_jobs()
        assert job.cost_micros == spent + 2


def test_a_machine_on_which_all_steps_fail_leaves_the_other_attempts_to_others(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.behave(data_integrity={"python": "sys.exit(3)"})
    clock = TurnedClock()
    with shop.client(WORKER) as client:
        worker = shop.worker(client, clock=clock)
        assert [one.attempt for one in worker.run()] == [1]
        clock.advance(3_599 * SECOND)
        assert [one.attempt for one in worker.run()] == [1]
        clock.advance(SECOND)
        assert [one.attempt for one in worker.run()] == [1, 2]
        clock.advance(3_600 * SECOND)
        assert [one.attempt for one in worker.run()] == [1, 2, 3]
    with served.client() as client:
        [job] = client.list_jobs()
        assert job.outcome == "FAILED"
        assert "services/worker-1 gave up attempt 3, because: The step of data_inte" in job.reason


def test_a_return_whose_step_failed_is_tried_again_once_its_lease_is_over(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    assert [one.end for one in shop.work()] == ["observing"]
    with shop.client(BOB) as client:
        client.cancel_job("models/fares/jobs/j1", "It does worse.")
    shop.behave(roll_back={"python": "sys.exit(3)"})
    assert [one.end for one in shop.work("other")] == ["step_failed"]
    with served.client() as client:
        [job] = client.list_jobs()
        assert (job.state, job.lease is None) == ("LEASED", False)


@pytest.mark.parametrize("fault", REPORTS)
def test_a_report_that_cannot_be_is_not_sent_or_not_taken(shop: Workshop, fault: str) -> None:
    report, why = REPORTS[fault]
    shop.propose("j1")
    shop.behave(data_integrity={"report": report})
    [worked] = shop.work()
    assert worked.end == "step_failed"
    assert why in worked.reason
    assert shop.ran == ["j1 data_integrity"]


def test_a_program_that_is_not_there_is_a_failed_step(shop: Workshop) -> None:
    (shop.recipes / "weekly" / "python").write_text("no program")
    shop.propose("j1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.worker.running.environment_of", lambda *_: {"PATH": ""})
        [worked] = shop.work()
    assert worked.end == "step_failed"
    assert "Its program cannot be started: " in worked.reason


def test_a_step_sees_of_the_environment_what_its_recipe_names(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("LEDGER_CLIENT__TOKEN", "y")
    shop.propose("j1")
    dump = "(notes / 'environment').write_text(json.dumps(dict(os.environ)))"
    shop.behave(data_integrity={"python": dump})
    shop.work()
    seen = json.loads((shop.notes / "environment").read_text())
    assert seen.keys() - {"LC_CTYPE"} == {
        "PATH", "HOME", "LANG", "PYTHONHASHSEED", "NOTES",
        "DECISION_LEDGER_STEP", "DECISION_LEDGER_REPORT",
    }  # fmt: skip


@pytest.mark.parametrize("variable", ["LEDGER_CLIENT__TOKEN", "NOT_SET"])
def test_a_recipe_that_asks_for_what_it_cannot_have_is_left_to_others(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("LEDGER_CLIENT__TOKEN", "y")
    text = RECIPE.replace("[NOTES]", f"[NOTES, {variable}]")
    text = text.replace("TIME", "10m").replace("MEMORY", "1 GiB").replace("LEASE", "1h")
    with shop.client() as client:
        drafted = client.draft_recipe("weekly", text, "because")
    with shop.client("users/bob") as client:
        client.approve_recipe("weekly", 2, drafted.version.digest)
    shop.propose("j1")
    assert shop.work() == []
    [said] = [sentence for event, sentence, _ in shop.told if event == "recipe.left"]
    assert "weekly version 2 are left to other workers: it needs variables" in said
    assert variable in said


def test_a_recipe_without_a_folder_here_is_left_to_others(shop: Workshop) -> None:
    shop.propose("j1")
    (shop.recipes / "weekly").rename(shop.recipes / "monthly")
    assert shop.work() == []
    assert shop.ran == []


def test_what_a_step_leaves_running_ends_with_it(shop: Workshop) -> None:
    shop.propose("j1")
    leave = (
        "import subprocess; child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "(notes / 'left').write_text(str(child.pid))"
    )
    shop.behave(data_integrity={"python": leave})
    shop.work()
    pid = (shop.notes / "left").read_text()
    assert not Path(f"/proc/{pid}").exists()


def test_a_folder_has_one_worker_at_a_time(shop: Workshop) -> None:
    with (
        StateFile(shop.folder / "work" / "one"),
        pytest.raises(WorkerError, match="Another worker works in"),
    ):
        shop.work()


def test_a_state_that_is_none_is_named(shop: Workshop) -> None:
    place = shop.folder / "work" / "one"
    place.mkdir(parents=True)
    (place / "state.json").write_text("{")
    with pytest.raises(WorkerError, match="is not the state of a worker"):
        shop.work()


def test_a_worker_that_takes_over_deploys_no_file_but_that_which_passed(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.behave(deployment={"python": "sys.exit(1)"})
    assert [one.end for one in shop.work()] == ["step_failed"]
    other = "pathlib.Path('other.bin').write_text('x')"
    shop.behave(training={"python": other, "report": {"artifacts": {"model": "other.bin"}}})
    [worked] = shop.work("other", "services/worker-2")
    assert worked.end == "step_failed"
    assert "the files of training are not those that passed it" in worked.reason
    assert shop.ran[-1] == "j1 training"


def test_a_worker_that_takes_over_makes_the_files_of_passed_gates_again(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.behave(deployment={"python": "sys.exit(1)"})
    assert [one.end for one in shop.work()] == ["step_failed"]
    shop.behave()
    [worked] = shop.work("other", "services/worker-2")
    assert (worked.end, worked.attempt) == ("observing", 2)
    tasks = ["data_integrity", "candidate", "training", "deployment"]
    assert shop.ran == [f"j1 {task}" for task in [*tasks, *tasks, "observation"]]
    assert [one["gate"] for one in reports(served, "j1")] == [*tasks, "observation"]
