"""Adapters do with the real MLflow and the real Airflow what their pages promise.

Method: both run in an environment of their own, as at a user's, with the client's packages alone
(`tools/dev.py adapters`); the ledger is a server on loopback here. Where their packages cannot be
had, the tests say so and are left out.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.client import LedgerClient
from ledger.v1 import ledger_pb2
from tests.support.live_fleet import START
from tests.support.made_elsewhere import missing
from tests.support.served import Served, serving
from tests.support.worked import ANA, BOB, WORKER, Workshop, workshop

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
AT = (START + timedelta(hours=2)).isoformat()
THROUGH = START.isoformat()
NAMED = "models/fares/jobs/j1"
STEPS = ("data_integrity", "candidate", "training", "deployment", "observation")
ALIKE = {"in_service_at": AT, "trained_through": THROUGH, "baseline_loss": "0.41"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def beside() -> Path:
    """Return the Python that has the platforms beside it, made once below this environment."""
    folder = Path(sys.prefix) / "adapters"
    command = [sys.executable, "tools/dev.py", "adapters", "check"]
    named = os.environ | {"DECISION_LEDGER_VENV": str(folder), "AIRFLOW_HOME": str(folder)}
    with (Path(sys.prefix) / "adapters.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes of pytest one makes it
        ran = subprocess.run(
            command, cwd=ROOT, env=named, check=False, capture_output=True, text=True
        )
    if ran.returncode:
        missing(f"MLflow and Airflow cannot be installed here: {ran.stderr[-300:]}")
    return folder / "bin" / "python"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


@pytest.fixture
def shop(served: Served, tmp_path: Path) -> Workshop:
    return workshop(tmp_path / "shop", served.server.address)


def run(
    python: Path, program: Path, words: Sequence[str], folder: Path, **named: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program beside the platforms, with nothing of this environment."""
    command = [str(python), str(program), *words]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ran = subprocess.run(
        command, cwd=folder, env=kept | named, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-4_000:]
    return ran


# ---- MLflow --------------------------------------------------------------------------------------


def registry(
    python: Path, served: Served, folder: Path, *calls: dict[str, Any]
) -> tuple[list[Any], dict[str, dict[str, str]]]:
    """Carry out calls beside a registry; return what each gave, and the tags of all versions."""
    folder.mkdir(exist_ok=True)
    words = [
        served.server.address,
        str(folder),
        json.dumps([{"actor": ANA} | one for one in calls]),
    ]
    answer = json.loads(
        run(python, HERE / "registry_program.py", words, folder).stdout.splitlines()[-1]
    )
    return answer["found"], answer["tags"]


def register(name: str = "fares", **tags: str) -> dict[str, Any]:
    return {"method": "register", "name": name, "tags": tags}


def decide(client: LedgerClient) -> str:
    """Have the ledger decide that `fares` is retrained; return the decision's name."""
    client.submit([("fares", "log-loss", 0.9, START + timedelta(hours=1), "v1", 1_000)])
    return client.evaluate(["fares"]).evaluated[0].decision.name


def test_a_registered_version_becomes_a_deployment_and_its_tags_say_by_which_decision(
    beside: Path, served: Served, shop: Workshop, tmp_path: Path
) -> None:
    with shop.client() as client:
        decision = decide(client)
        run_id = client.get_decision(decision).decision.run_id
    deploy = {"method": "deploy", "model": "fares", "version": "1", **ALIKE}
    other = register("prices", team="pricing")
    later = (START + timedelta(hours=3)).isoformat()
    by_name = deploy | {"registered": "prices", "version": "2", "in_service_at": later}
    calls = [register(), deploy, deploy, other, other, by_name]
    found, tags = registry(beside, served, tmp_path / "mlflow", *calls)
    _, first, again, *_, second = found
    assert first == again, "a call that is made again is answered as the first time"
    with shop.client() as client:
        model = client.get_model("fares")
        event = next(client.list_events(after_position=first["position"] - 1))
        origin = client.get_ledger().origin
    assert model.version_in_service == "2"
    assert event.data["model_version"] == "1"
    assert tags["fares/1"] == first["tags"] == {
        "decision_ledger.ledger": origin,
        "decision_ledger.run": run_id,
        "decision_ledger.decision": decision,
        "decision_ledger.position": str(event.position),
        "decision_ledger.event_hash": event.event_hash.hex(),
    }  # fmt: skip
    assert tags["prices/2"] == {"team": "pricing", **second["tags"]}
    assert tags["prices/1"] == {"team": "pricing"}


def test_a_job_deploys_a_registered_version_and_is_named_by_its_tags(
    beside: Path, served: Served, shop: Workshop, tmp_path: Path
) -> None:
    with shop.client() as client:
        decision = decide(client)
    shop.propose("j1")
    token = passed(shop)
    deploy = {
        "actor": WORKER, "method": "deploy_for_job", "job": NAMED, "token": token, "version": "2",
        **ALIKE,
    }  # fmt: skip
    stale = deploy | {"token": token + 1}
    found, tags = registry(beside, served, tmp_path / "m", register(), register(), stale, deploy)
    assert "LEASE_LOST" in found[2]["error"]
    assert tags["fares/1"] == {}, "it is not in service"
    with shop.client() as client:
        judged = client.get_job(NAMED)
    assert judged.job.deployment is not None
    assert judged.job.deployment.model_version == "2"
    assert judged.reports[-1].links == ("models:/fares/2",)
    assert tags["fares/2"]["decision_ledger.job"] == NAMED
    assert tags["fares/2"]["decision_ledger.run"] == judged.job.run_id
    assert tags["fares/2"]["decision_ledger.decision"] == decision


def passed(shop: Workshop) -> int:
    """Take j1 through the gates before its deployment; return the token of its lease."""
    from ledger.client.jobs import JobEnvironment, ReportedEvidence

    with shop.client(WORKER) as client:
        lease = client.lease_job(NAMED).job.lease
        assert lease is not None
        token = lease.token
        client.report_gate(NAMED, token, "data_integrity", ReportedEvidence({"missing": 1}))
        compared = ReportedEvidence(
            champion={"loss": 9}, candidate={"loss": 4}, samples={"rows": 5}
        )
        client.report_gate(NAMED, token, "candidate", compared)
        ran_in = JobEnvironment("ab" * 32, interpreter="CPython 3.11.7", platform="Linux")
        client.record_environment(NAMED, token, "training", ran_in)
        client.report_gate(NAMED, token, "training", ReportedEvidence({"loss": 1}))
    return token


# ---- Airflow -------------------------------------------------------------------------------------


def variables(folder: Path) -> dict[str, str]:
    """Return what Airflow is told of a home."""
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
    }


@pytest.fixture(scope="session")
def database(beside: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of Airflow in which nothing has run."""
    folder = tmp_path_factory.mktemp("airflow")
    command = [str(beside.with_name("airflow")), "db", "migrate"]
    subprocess.run(command, env=os.environ | variables(folder), check=True, capture_output=True)
    return folder / "airflow.db"


@pytest.fixture
def airflow(beside: Path, database: Path, served: Served, tmp_path: Path) -> "Airflow":
    return Airflow(beside, database, served, tmp_path / "airflow")


class Airflow:
    """A home of Airflow with a database, in which the DAG is run."""

    def __init__(self, python: Path, database: Path, served: Served, folder: Path) -> None:
        self._program = folder / "dags" / "dag_program.py"
        self._program.parent.mkdir(parents=True)
        shutil.copy(HERE / "dag_program.py", self._program)
        self._python = python
        self._folder = folder
        host, _, port = served.server.address.rpartition(":")
        connection = {"conn_type": "generic", "host": host, "port": int(port), "login": WORKER}
        self._variables = variables(folder) | {
            "AIRFLOW_CONN_DECISION_LEDGER": json.dumps(connection)
        }
        shutil.copy(database, folder / "airflow.db")

    def run(self, *steps: str, **wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - as the program has it
        """Run the DAG with these steps, or with `steps` and what each reports otherwise."""
        wanted = {"steps": {step: {} for step in steps}} | wanted
        named = self._variables | {"WANTED": json.dumps(wanted)}
        run(self._python, self._program, (), self._folder, **named)
        answer: dict[str, Any] = json.loads((self._folder / "answer.json").read_text())
        return answer


def test_a_dag_takes_a_job_through_its_gates_into_service(airflow: Airflow, shop: Workshop) -> None:
    shop.propose("j1")
    ran = airflow.run(*STEPS)
    assert ran["state"] == "success", ran
    assert {name: told[0] for name, told in ran["tasks"].items()} == dict.fromkeys(
        ("job", *STEPS), "success"
    )
    assert ran["tasks"]["candidate"][1]["is_passed"] is True
    assert "candidate[" in ran["tasks"]["candidate"][1]["criteria"][0]
    assert ran["tasks"]["observation"][1] == {
        "step": "observation", "is_passed": None, "criteria": [], "state": "observing",
    }  # fmt: skip
    assert [one["task"] for one in ran["orders"]] == list(STEPS)
    assert {one["serving"] for one in ran["orders"][:4]} == {"v1"}
    with shop.client() as client:
        judged = client.get_job(NAMED)
    assert ran["tasks"]["job"][1] == {"job": NAMED, "token": 1, "run": judged.job.run_id}
    assert judged.job.lease is None
    assert judged.job.deployment is not None
    assert judged.job.deployment.model_version == "of-airflow"
    assert {one.executor for one in judged.reports} == {WORKER}
    training = next(one for one in judged.reports if one.gate == "TRAINING")
    assert list(training.artifacts) == ["model"]
    assert training.environment is not None
    assert training.environment.seed == 7
    assert judged.job.cost_micros == 5_000_000, "each step's cost is added to the job's"


@pytest.mark.parametrize(("skips", "state"), [(False, "failed"), (True, "skipped")])
def test_a_gate_that_is_not_passed_ends_the_dag(
    airflow: Airflow, shop: Workshop, *, skips: bool, state: str
) -> None:
    shop.propose("j1")
    steps = {"data_integrity": {}, "candidate": {"candidate": {"loss": 95}}, "training": {}}
    ran = airflow.run(steps=steps, skips=skips)
    after = "skipped" if skips else "upstream_failed"
    states = {name: told[0] for name, told in ran["tasks"].items()}
    assert states == {
        "job": "success", "data_integrity": "success", "candidate": state, "training": after,
    }  # fmt: skip
    assert [one["task"] for one in ran["orders"]] == ["data_integrity", "candidate"]
    with shop.client() as client:
        assert client.get_job(NAMED).job.outcome == "FAILED"


def test_a_report_in_no_form_and_a_step_out_of_turn_are_told_and_record_nothing(
    airflow: Airflow, shop: Workshop
) -> None:
    shop.propose("j1")
    ran = airflow.run(steps={"data_integrity": {"metrics": {"missing": 0.5}}})
    assert ran["tasks"]["data_integrity"][0] == "failed"
    with shop.client() as client:
        assert client.get_job(NAMED).reports == ()
        client.cancel_job(NAMED, "again")
    shop.propose("j2")
    ran = airflow.run("candidate")
    assert ran["tasks"]["candidate"][0] == "failed"
    with shop.client() as client:
        assert client.get_job("models/fares/jobs/j2").reports == ()


def test_a_sensor_that_finds_no_job_of_its_recipe_takes_none(
    airflow: Airflow, shop: Workshop
) -> None:
    with shop.client() as client:
        drafted = client.draft_recipe("other", client.get_recipe("weekly", 1).document, "because")
    with shop.client(BOB) as client:
        client.approve_recipe("other", 1, drafted.version.digest)
    with shop.client() as client:
        made = client.propose_job("fares", "other", reason="It got worse.", job_id="j1")
    with shop.client(BOB) as client:
        client.approve_job(made.job.name, made.job.evidence_position)
    ran = airflow.run("data_integrity", timeout=2)
    assert ran["tasks"]["job"][0] == "failed"
    with shop.client() as client:
        assert client.get_job(NAMED).job.state == "READY"


def test_a_version_is_put_back_by_the_same_operator(airflow: Airflow, shop: Workshop) -> None:
    shop.propose("j1")
    assert airflow.run(*STEPS[:4])["state"] == "success"
    with shop.client() as client:
        client.cancel_job(NAMED, "it is worse for people")
    ran = airflow.run("roll_back", state="rolling_back")
    assert ran["state"] == "success", ran
    assert ran["orders"][-1]["put_back"] == "v1"
    with shop.client() as client:
        judged = client.get_job(NAMED)
        assert judged.job.outcome == "ROLLED_BACK"
        assert client.get_model("fares").version_in_service == "v1"


def test_a_step_that_works_for_longer_than_a_lease_keeps_its_job(
    beside: Path, database: Path, tmp_path: Path
) -> None:
    with serving(tmp_path) as served:
        served.create(clock=ledger_pb2.LEDGER_CLOCK_WALL)
        shop = workshop(tmp_path / "shop", served.server.address, lease="5s")
        airflow = Airflow(beside, database, served, tmp_path / "airflow")
        shop.propose("j1")
        ran = airflow.run(steps={"data_integrity": {"seconds": 8}})
        assert ran["state"] == "success", ran
        with shop.client() as client:
            types = [one.type for one in client.list_events(streams=["jobs/j1"])]
            assert client.get_job(NAMED).job.gates_passed == 1
    worked = types[: types.index("gate.reported.v1")]
    assert "job.lease_extended.v1" in worked
    assert "job.lease_expired.v1" not in worked
