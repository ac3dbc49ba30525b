"""A shell completes commands, options and ids, and hears of no failure.

Method: ask the program as the shells' own scripts do, beside a server and without one.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.cli.completion import VARIABLE
from tests.cli.conftest import Run
from tests.support.served import ORIGIN, Served, serving
from tests.support.trial import ANA, known_by, served_by, trial

PROGRAM = "import sys; sys.argv[0] = 'decision-ledger'; from ledger.cli.main import run; run()"


def asked(shell: str, line: str) -> str:
    """Return what the program answers a shell for a line that ends where the cursor is."""
    words = line.split(" ")
    stated = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        VARIABLE: f"complete_{shell}",
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **stated},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    return ran.stdout


def test_commands_and_options_are_completed() -> None:
    assert asked("bash", "decision-ledger pol").split() == ["policy"]
    assert asked("bash", "decision-ledger policy ac").split() == ["activate"]
    assert asked("bash", "decision-ledger model deploy --trained").split() == ["--trained-through"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_ids_come_from_the_server_that_the_line_names(served: Served, shell: str) -> None:
    at = f"decision-ledger --server {served.server.address}"
    assert "fares" in asked(shell, f"{at} model show f")
    if shell == "bash":  # where the ids come from is no matter of the shell
        assert "log-loss" in asked(shell, f"{at} signal define l")
        assert "default" in asked(shell, f"{at} policy show d")
        assert "fares" in asked(shell, f"{at} evaluate hotels fa")


def test_ids_come_over_tls_with_the_certificate_that_the_line_names(tmp_path: Path) -> None:
    made = trial()
    known = known_by(made, ANA)
    flags = " ".join(f"--{name.replace('_', '-')} {file}" for name, file in known.items())
    settings = served_by(made, client_ca=made.ca)
    with serving(tmp_path, security=known, **settings) as served:
        served.create()
        line = f"decision-ledger --server {served.server.address} {{}} --ledger l"
        assert ORIGIN in asked("bash", line.format(flags))
        assert ORIGIN not in asked("bash", line.format(f"--tls-ca {made.ca}"))


def test_without_a_server_nothing_is_completed_and_nothing_is_said() -> None:
    assert asked("bash", "decision-ledger --server 127.0.0.1:1 model show f").strip() == ""
    assert asked("bash", "decision-ledger --config nowhere.toml model show f").strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_for_it(run: Run, shell: str) -> None:
    printed = run("completion", shell).out
    assert f"{VARIABLE}=complete_{shell}" in printed
    assert "decision-ledger" in printed


def test_another_shell_is_misuse(run: Run) -> None:
    assert run("completion", "csh").code == 2


def test_bash_takes_the_script() -> None:
    check = 'eval "$1" && complete -p decision-ledger'
    script = subprocess.run(
        [sys.executable, "-m", "ledger", "completion", "bash"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ran = subprocess.run(
        ["bash", "-c", check, "bash", script], capture_output=True, text=True, check=False
    )
    assert "_decision_ledger_completion" in ran.stdout
