"""The development script does its set-up once, touches nothing of others, and hides no failure.

Method: call its functions with the programs it would start replaced by recorders; the installation
itself is proved by every clean run in CI.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import dev


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an environment that does not exist yet."""
    folder = tmp_path / "venv"
    monkeypatch.setattr(dev, "VENV", folder)
    return folder


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the list of commands that would have run; each claims to have gone well."""
    ran: list[list[str]] = []

    def record(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(list(command))
        if "venv" in command:
            Path(command[-1]).mkdir()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", record)
    return ran


def test_set_up_happens_once(venv: Path, commands: list[list[str]]) -> None:
    dev.prepare("demo")
    installed = list(commands)
    dev.prepare("demo")
    assert commands == installed


def test_setting_up_says_what_it_does_and_roughly_how_long_it_takes(
    venv: Path, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    dev.prepare("demo")
    first, *steps, last = capsys.readouterr().err.splitlines()
    assert "roughly half a minute" in first
    assert str(venv) in first
    assert [step.split()[0] for step in steps] == ["making", *["installing"] * 3]
    assert all("packages by hash" in step for step in steps[1:3])
    assert last.startswith("set up in ")
    dev.prepare("demo")
    assert capsys.readouterr().err == ""


def test_everything_but_the_project_is_installed_by_hash_and_before_it(
    venv: Path, commands: list[list[str]]
) -> None:
    dev.prepare("dev")
    _, *pinned, project = commands
    assert pinned
    assert all("--require-hashes" in command and "-r" in command for command in pinned)
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(project)


def test_the_larger_set_serves_the_demo_but_not_the_other_way_round(
    venv: Path, commands: list[list[str]]
) -> None:
    dev.prepare("demo")
    assert not dev.is_ready("dev")
    dev.prepare("dev")
    (venv / "installed-demo").unlink()
    assert dev.is_ready("demo")


def test_a_changed_pin_installs_again(
    venv: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.prepare("demo")
    fingerprint = dev.fingerprint
    monkeypatch.setattr(dev, "fingerprint", lambda packages: fingerprint(packages) + "changed")
    assert not dev.is_ready("demo")


def test_another_python_makes_the_environment_again(venv: Path, commands: list[list[str]]) -> None:
    dev.prepare("demo")
    (venv / "made-by").write_text("an older Python")
    (venv / "leftover").touch()
    dev.make_environment()
    assert not (venv / "leftover").exists()


def test_a_folder_of_somebody_else_is_left_alone(venv: Path, commands: list[list[str]]) -> None:
    venv.mkdir()
    (venv / "thesis.txt").write_text("years of work")
    with pytest.raises(dev.SetupError, match="name another folder"):
        dev.prepare("demo")
    assert [path.name for path in venv.iterdir()] == ["thesis.txt"]
    assert commands == []


def test_a_failed_installation_is_tried_again_next_time(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path(dev.VENV).mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, int("pip" in command))

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(dev.SetupError, match="run this again"):
        dev.prepare("demo")
    assert not dev.is_ready("demo")


def test_a_failed_step_stops_no_other_and_fails_the_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "prepare", lambda packages: None)
    monkeypatch.setattr(dev, "run", lambda *command: 3 if command == ("bad",) else 0)
    steps = dev.run_steps(
        lambda: [("first", ("good",)), ("second", ("bad",)), ("third", ("good",))]
    )
    assert steps([]) == 1
    printed = capsys.readouterr().out
    assert "third: ok" in printed
    assert printed.splitlines()[-1] == "check: FAILED: second"


def test_check_runs_every_kind_of_proof() -> None:
    programs = {tuple(command)[:2] for _, command in dev.check_steps()}
    assert {
        ("ruff", "check"),
        ("ruff", "format"),
        ("mypy", "--strict"),
        ("lint-imports", "--no-logo"),
        ("buf", "lint"),
        ("buf", "format"),
        ("buf", "breaking"),
    } <= programs
    assert ("python", "-m", "tools.proto", "--check") in {
        tuple(step) for _, step in dev.check_steps()
    }


def test_slow_tests_are_chosen_by_their_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def record(*command: str) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(dev, "prepare", lambda packages: None)
    monkeypatch.setattr(dev, "run", record)
    dev.test(["--slow", "tests/faults"])
    (command,) = ran
    chosen = command[command.index("pytest") + 1 :]
    assert chosen[chosen.index("-m") + 1] == "slow"
    assert chosen[-1] == "tests/faults"


@pytest.mark.parametrize(("cores", "expected"), [(1, "1"), (2, "3"), (64, "8"), (None, "1")])
@pytest.mark.parametrize("suite", [[], ["--slow"]], ids=["quick", "slow"])
def test_tests_run_on_all_cores_and_name_the_slowest(
    suite: list[str], cores: int | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    ran: list[tuple[str, ...]] = []

    def record(*command: str) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(dev, "prepare", lambda packages: None)
    monkeypatch.setattr(dev, "run", record)
    dev.test([*suite, "-n", "0", "tests/chain"])
    (command,) = ran
    workers = [command[at + 1] for at, word in enumerate(command) if word == "-n"]
    assert workers == [expected, "0"]  # what the caller says comes later, and counts
    assert "--durations=10" in command


@pytest.mark.parametrize(
    ("variables", "place"), [({}, None), ({"PYTHONDONTWRITEBYTECODE": "1"}, "compiled")]
)
def test_what_python_compiles_is_kept_with_the_environment_where_it_may_not_lie_beside_the_sources(
    variables: dict[str, str], place: str | None, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments: list[dict[str, str]] = []

    def record(
        command: Sequence[str], env: dict[str, str], **_: object
    ) -> subprocess.CompletedProcess[str]:
        environments.append(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", record)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert dev.run("python") == 0
    (found,) = environments
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found.get("PYTHONPYCACHEPREFIX") == (str(venv / place) if place else None)


@pytest.mark.parametrize("name", ["vectors", "demo", "bench", "serve"])
def test_paths_mean_what_they_mean_where_the_caller_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def record(*_: str, folder: Path = dev.ROOT) -> int:
        folders.append(folder)
        return 0

    monkeypatch.setattr(dev, "prepare", lambda _: None)
    monkeypatch.setattr(dev, "run", record)
    monkeypatch.chdir(tmp_path)
    assert dev.COMMANDS[name](["some.file"]) == 0
    assert folders == [tmp_path]
