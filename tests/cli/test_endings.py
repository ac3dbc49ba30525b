"""How commands end where nothing can be done: in JSON if asked for, with one exit code each.

Method: lines that cannot be read, servers and settings that are not there, a pipe closed early.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from tests.cli.conftest import Run
from tests.support.served import Served


def test_failures_are_json_too_where_that_was_asked_for(cli: Run) -> None:
    ran = cli("model", "show", "nowhere", "--json")
    assert ran.out == ""
    error = json.loads(ran.err)["error"]
    assert (error["exit_code"], error["reason"]) == (1, "MODEL_UNKNOWN")
    assert error["remedy"]


@pytest.mark.parametrize(
    ("line", "said", "remedy"),
    [
        (["bogus"], "No such command 'bogus'", "decision-ledger --help"),
        (["policy", "show"], "Missing: POLICY.", "decision-ledger policy show --help"),
        (["policy"], "No command was named after `policy`", "decision-ledger policy --help"),
        ([], "command", "decision-ledger --help"),
        (["log", "tail", "--bogus"], "No such option", "decision-ledger log tail --help"),
        (["log", "tail", "-n", "x"], "Invalid value for", "decision-ledger log tail --help"),
        (["why", "fares", "--deadline", "x"], "Invalid value for '--deadline'", "--help"),
        (["why", "fares", "--actor", "Root"], "actor: 'Root' is not the name of a caller", ""),
        (["plan", "make", "--budget", "much"], "'much' is not an amount", "250"),
    ],
)
def test_misuse_is_json_too_where_that_was_asked_for(
    run: Run, line: list[str], said: str, remedy: str
) -> None:
    for words in (["--json", *line], [*line, "--json"]):
        ran = run(*words)
        assert (ran.code, ran.out) == (Exit.MISUSE, "")
        error = json.loads(ran.err)["error"]
        assert sorted(error) == ["exit_code", "message", "reason", "remedy"]
        assert (error["exit_code"], error["reason"]) == (2, "")
        assert said in error["message"]
        assert remedy in error["remedy"]


def test_misuse_without_json_shows_how_the_command_is_used(run: Run) -> None:
    ran = run("policy", "show", "--bogus")
    assert ran.code == Exit.MISUSE
    assert ran.err.startswith("Usage:")
    assert run("policy", "show", "--", "--json", "x").err.startswith("Usage:")  # an argument there


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_closes_the_pipe_early_is_no_failure_to_talk_of(
    served: Served, form: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = ["log", "tail", "-n", "3000", *form, "--server", served.server.address]
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "ledger", *line],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (Exit.UNREAD, "")


def test_no_server_there_ends_with_3(run: Run) -> None:
    ran = run("priorities", "--server", "127.0.0.1:1")
    assert ran.code == Exit.UNREACHABLE
    assert "127.0.0.1:1" in ran.err


def test_a_stray_setting_ends_with_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_SERVER__ADRESS", "x")
    ran = run("priorities")
    assert ran.code == Exit.MISUSE
    assert "LEDGER_SERVER__ADDRESS" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        ("log", "prove", "2", "--out", "{file}/x"),
        ("log", "prove", "2", "--out", "{folder}"),
        ("log", "prove", "2", "--out", "{folder}/none/x"),
        ("log", "publish", "{file}"),
        ("log", "checkpoint", "--output", "{folder}"),
        ("export", "create", "{file}/x"),
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_misuse_and_named(
    cli: Run, tmp_path: Path, line: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    ran = cli(*(w.format(file=tmp_path / "file", folder=tmp_path / "folder") for w in line))
    assert ran.code == Exit.MISUSE, ran.err
    assert str(tmp_path) in ran.err
    assert "should not happen" not in ran.err


def test_what_should_not_happen_is_a_sentence_and_a_file_never_a_traceback(
    cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the moon is \x1b[31mfull")

    monkeypatch.setattr("ledger.client.LedgerClient.get_model", broken)
    ran = cli("model", "show", "fares")
    assert ran.code == Exit.DEFECT
    assert "Traceback" not in ran.err
    assert r"RuntimeError: the moon is \x1b[31mfull." in ran.err
    kept = tmp_path / "state" / "decision-ledger" / "defect.txt"
    assert str(kept) in ran.err
    assert "raise RuntimeError" in kept.read_text()
