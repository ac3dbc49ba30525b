"""A job is run again from its record: the same results are the same, each other one is named.

Method: jobs that a worker took to their observation, whose steps then do something else.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import environment
from ledger.environment import code_record, digest_of, environment_record, snapshot
from ledger.events.environment import EnvironmentPart, environment_fault
from tests.cli.conftest import Run, against
from tests.support.served import Served, serving
from tests.support.worked import ANA, Workshop, workshop


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


@pytest.fixture
def shop(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    made = workshop(tmp_path, served.server.address)
    made.propose("j1")
    assert [one.end for one in made.work()] == ["observing"]
    return made


@pytest.fixture
def cli(served: Served) -> Run:
    return against(served)


def line(shop: Workshop, work: str = "again") -> tuple[str, ...]:
    return (
        "job", "reproduce", "j1", "--recipes", str(shop.recipes), "--work", str(shop.folder / work),
    )  # fmt: skip


def test_the_environment_of_a_training_is_recorded_and_shown(
    served: Served, shop: Workshop, cli: Run
) -> None:
    with served.client(actor=ANA) as client:
        reports = {one.gate.lower(): one for one in client.get_job("models/fares/jobs/j1").reports}
    stated = reports["candidate"].environment
    assert stated is not None, "the step states none, and the worker says what it knows"
    assert (stated.snapshots, stated.seed, stated.schema_version) == ((), None, "")
    found = reports["training"].environment
    assert found is not None
    assert found.code_sha256 == digest_of(shop.recipes / "weekly")
    assert [(one.name, one.rows) for one in found.snapshots] == [("rows", 100)]
    assert (found.seed, found.schema_version, found.packages > 10) == (7, "3", True)
    same = ("code_sha256", "interpreter", "platform", "packages", "packages_sha256")
    assert [getattr(stated, name) for name in same] == [getattr(found, name) for name in same]
    shown = cli("job", "show", "j1").out
    assert "ran in" in shown
    assert "training: CPython 3" in shown
    assert f"files {found.code_sha256[:12]}" in shown


def test_a_job_that_is_run_again_gives_the_same(shop: Workshop, cli: Run) -> None:
    ran = cli(*line(shop), "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["is_same"], ran.json["differences"]) == (True, [])
    assert ran.json["gates"] == ["data_integrity", "candidate", "training"]
    assert (shop.folder / "again" / "jobs" / "j1" / "attempt-1" / "files" / "model.bin").exists()
    assert shop.ran[5:] == ["j1 data_integrity", "j1 candidate", "j1 training"]
    told = shop.folder / "again" / "jobs" / "j1" / "attempt-1" / "candidate.step.json"
    assert json.loads(told.read_text())["serving"] == "v1", "as when it ran"
    again = cli(*line(shop))
    assert (again.code, "was run again in" in again.err) == (2, True)


def test_each_difference_is_a_field_and_an_exit_code(shop: Workshop, cli: Run) -> None:
    step = shop.recipes / "weekly" / "step.py"
    step.write_text(step.read_text().replace("weights of ", "weights for ").replace("90", "91"))
    ran = cli(*line(shop), "--json")
    assert ran.code == 4
    fields = {one["field"]: (one["recorded"], one["now"]) for one in ran.json["differences"]}
    assert fields["candidate.champion.loss"] == ("90", "91")
    assert "training.artifacts.model" in fields
    gates = ("data_integrity", "candidate", "training")
    codes = {f"{gate}.environment.code_sha256" for gate in gates}
    assert codes | {"training.environment.snapshots.rows"} < set(fields)
    assert len(fields) == 6
    shown = cli(*line(shop, "more"))
    assert "results differ." in shown.out
    assert "candidate.champion.loss" in shown.out


def test_another_environment_with_the_same_results_is_told_and_no_difference_of_results(
    shop: Workshop, cli: Run
) -> None:
    (shop.recipes / "weekly" / "more.txt").write_text("nothing reads it")
    ran = cli(*line(shop), "--json")
    assert ran.code == 0
    assert [one["field"] for one in ran.json["differences"]] == [
        f"{gate}.environment.code_sha256" for gate in ("data_integrity", "candidate", "training")
    ]


def test_what_cannot_be_run_again_is_said(shop: Workshop, cli: Run) -> None:
    shop.behave(candidate={"python": "sys.exit(3)"})
    ran = cli(*line(shop))
    assert (ran.code, "The step of candidate: It ended with exit code 3." in ran.err) == (1, True)
    (shop.recipes / "weekly").rename(shop.recipes / "other")
    ran = cli(*line(shop, "more"))
    assert (ran.code, "There is no folder" in ran.err) == (2, True)


def test_an_environment_is_collected_in_one_call_and_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(environment.STEP_VARIABLE, raising=False)
    (tmp_path / "rows.csv").write_text("1\n2\n")
    data = [snapshot("b", tmp_path / "rows.csv", 2), snapshot("a", tmp_path / "rows.csv", 2)]
    found = environment_record(data=data, seed=2**64, shuffle=[2, 0, 1], code=tmp_path)
    part = EnvironmentPart.model_validate(found)
    assert environment_fault(part) == ""
    assert [one.name for one in part.snapshots] == ["a", "b"]
    assert part.seed == str(2**64)
    other = environment_record(shuffle=[2, 0, 11], code=tmp_path)
    assert other["shuffle_sha256"] not in {None, part.shuffle_sha256}
    assert (
        environment_record(shuffle=[20, 11], code=tmp_path)["shuffle_sha256"]
        != (environment_record(shuffle=[2, 0, 11], code=tmp_path)["shuffle_sha256"])
    )


def test_a_folder_is_known_by_names_and_bytes_and_by_its_commit(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        ran = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *words], capture_output=True, text=True, check=True
        )
        return ran.stdout.strip()

    (tmp_path / "a").write_text("1")
    before = digest_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest_of(tmp_path) != before
    plain = code_record(tmp_path)
    assert plain["code_commit"] in {None, code_record(Path(__file__).parent)["code_commit"]}
    git("init", "-q")
    git("add", "b")
    git("commit", "-qm", "x")
    found = code_record(tmp_path)
    assert (found["code_commit"], found["code_changed"]) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "b").write_text("2")
    assert code_record(tmp_path)["code_changed"]
    assert code_record(tmp_path)["code_sha256"] != found["code_sha256"]
