"""Every command and every option says what it is for, and the tree imports nothing heavy.

Method: walk the commands that typer has built.
"""

import subprocess
import sys
from typing import Any

import pytest

from ledger.cli.exits import Exit
from ledger.cli.session import GLOBAL_OPTIONS, hoisted
from tests.cli.conftest import Run
from tools import reference

COMMANDS: dict[str, Any] = dict(reference.commands())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    command = COMMANDS[name]
    assert reference.first_sentence(command).endswith(".")
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_shows_its_help(name: str, run: Run) -> None:
    ran = run(*name.split(), "--help")
    assert ran.code == 0
    assert "--server" in ran.out


def test_help_documents_every_exit_code(run: Run) -> None:
    shown = run("--help").out
    assert all(f"{code.value}: " in shown for code in Exit)


def test_no_option_of_a_command_hides_a_shared_one() -> None:
    taken = {
        (name, option)
        for name, command in COMMANDS.items()
        for parameter in command.params
        for option in parameter.opts
        if option in GLOBAL_OPTIONS
    }
    assert taken == set()


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (["log", "tail", "--json"], ["--json", "log", "tail"]),
        (["why", "--server", "a:1", "m"], ["--server", "a:1", "why", "m"]),
        (["why", "m", "--server=a:1"], ["--server=a:1", "why", "m"]),
        (["why", "--", "--json"], ["why", "--", "--json"]),
        (["why", "m", "--server"], ["--server", "why", "m"]),
    ],
)
def test_shared_options_may_stand_anywhere(given: list[str], parsed: list[str]) -> None:
    assert hoisted(given) == parsed


def test_misuse_ends_with_2(run: Run) -> None:
    assert run("nonsense").code == Exit.MISUSE
    assert run("log", "tail", "--nonsense").code == Exit.MISUSE
    assert run("model", "register", "fares").code == Exit.MISUSE


def test_help_loads_neither_grpc_nor_sqlalchemy() -> None:
    program = (
        "import sys; from ledger.cli import main; "
        "print([m for m in ('grpc', 'sqlalchemy', 'pydantic', 'rich') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert shown.strip() == "[]"


def test_version_is_printed(run: Run) -> None:
    from ledger import __version__

    assert run("--version").out.strip() == __version__


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        (("signal", "define"), "SIGNAL, --kind, --unit, --direction, --meaning"),
        (("signal", "define", "x", "--kind", "drift"), "--unit, --direction, --meaning"),
        (("policy", "draft", "main"), "FILE, --rationale"),
        (("erase", "--positions", "3"), "--ground, --authority"),
        (("model", "register"), "MODEL, --owner, --unit-value, --cost"),
        (("model", "register", "x", "--cost-micros", "0"), "--owner, --unit-value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_all_that_is_missing_of_a_line_is_named_at_once(
    run: Run, line: tuple[str, ...], missing: str
) -> None:
    ran = run(*line)
    assert ran.code == 2
    command = " ".join(word for word in line[:2] if not word.startswith("-"))
    assert f"Missing: {missing}. See `decision-ledger {command} --help`." in ran.err
