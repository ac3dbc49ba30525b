"""The environment of a step that states none is what its worker knows of it, and no more."""

import os
import platform
import sys
from pathlib import Path

from ledger.environment import interpreter_record
from ledger.events.environment import environment_fault
from ledger.worker.surroundings import known_environment

OWN = str(Path(sys.executable).parent)
CODE = {"code_commit": None, "code_changed": False, "code_sha256": "ab" * 32}


def test_the_workers_own_interpreter_is_told_with_its_packages() -> None:
    path = os.pathsep.join([OWN, os.defpath])
    found = known_environment(["python", "-m", "retrain"], path, CODE)
    assert found is not None
    assert environment_fault(found) == ""
    assert found.code_sha256 == "ab" * 32
    assert found.interpreter == f"{platform.python_implementation()} {platform.python_version()}"
    known = interpreter_record()
    assert (found.packages, found.packages_sha256) == (known["packages"], known["packages_sha256"])
    assert found.packages > 10
    assert (found.snapshots, found.seed, found.shuffle_sha256) == ([], None, None)


def test_another_program_is_told_by_its_name_without_packages(tmp_path: Path) -> None:
    other = tmp_path / "python"  # of another environment, so with other packages
    other.symlink_to(Path(sys.executable).resolve())
    for argv in (["./retrain.sh", "all"], [str(other), "-m", "retrain"]):
        found = known_environment(argv, OWN, CODE)
        assert found is not None
        assert environment_fault(found) == ""
        assert found.interpreter == Path(argv[0]).name
        assert (found.packages, found.packages_sha256) == (0, None)


def test_work_that_is_done_elsewhere_is_not_told_as_done_here() -> None:
    argv = ["python", "-m", "ledger.worker.pipeline", "https://pipelines.example.com/retrain"]
    assert known_environment(argv, OWN, CODE) is None
