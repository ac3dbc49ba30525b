"""`decision-ledger audit run` says what was found, in prose, as JSON and as an exit code.

Method: run the command line in this process on ledgers on paper, honest and damaged, with the
options that a person has.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.audit import connection
from ledger.audit import database as sources
from ledger.chain.keys import SecretKey
from ledger.cli.main import app
from ledger.errors import LedgerError
from tests.audit.paper import Paper
from tests.audit.test_forgeries import foreign
from tests.audit.test_sources import bundled, published

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    import os

    for name in list(os.environ):
        if name.startswith("LEDGER_"):
            monkeypatch.delenv(name)

    def run_it(*args: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["audit", "run", *map(str, args)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run_it


@pytest.fixture
def database(paper: Paper, tmp_path: Path) -> Path:
    return paper.write(tmp_path / "ledger.db")


def test_an_honest_ledger_ends_with_zero_and_says_what_was_checked(
    run: Run, database: Path, paper: Paper
) -> None:
    code, out, _ = run(database, "--vkey", paper.key.verifier_key)
    assert code == 0
    assert "replay.decision" in out
    assert "Everything that could be checked holds." in out
    assert "first use" not in out


def test_a_damaged_ledger_ends_with_four_and_names_the_first_bad_position(
    run: Run, database: Path
) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE events SET salt = zeroblob(16) WHERE position = 20")
    connection.close()
    code, out, err = run(database)
    assert code == 4
    assert "position 20: the body does not have the header's body hash" in out
    assert "broken at position 20: " in err


@pytest.mark.parametrize("fault", ["another origin", "no ledger at all"])
def test_a_database_that_is_not_audited_is_not_kept_open(
    database: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    closed: list[bool] = []

    def watched(place: str, *, is_held: bool) -> connection.Connection:
        opened = connection.connect(place, is_held=is_held)
        return replace(opened, close=lambda: closed.append(opened.close() is None))

    monkeypatch.setattr(sources, "connect", watched)
    if fault == "no ledger at all":
        database.write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError):
        sources.DatabaseSource(str(database), "ledger.example.com/another")
    assert closed == [True]


def test_json_has_the_findings_and_the_rules(run: Run, paper: Paper, tmp_path: Path) -> None:
    paper.at(foreign(paper)).is_gone = True
    code, out, err = run(paper.write(tmp_path / "ledger.db"), "--json")
    document = json.loads(out)
    assert code == 4
    assert document["passed"] is False
    assert document["first_bad_position"] == 73
    assert [one["rule"] for one in document["findings"]] == ["bodies.present"]
    assert json.loads(err.splitlines()[-1])["error"]["exit_code"] == 4


def test_bundles_and_tiles_are_told_from_databases(run: Run, paper: Paper, tmp_path: Path) -> None:
    key = ("--vkey", paper.key.verifier_key, "--json")
    for place, kind in (
        (bundled(paper, tmp_path / "bundle"), "bundle"),
        (published(paper, tmp_path / "log"), "tiles"),
        (paper.write(tmp_path / "ledger.db"), "database"),
    ):
        code, out, err = run(place, *key)
        assert code == 0, err
        assert json.loads(out)["thing"] == kind


def test_state_and_quick_go_on_from_before(run: Run, paper: Paper, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert run(paper.write(tmp_path / "ledger.db"), "--state", state)[0] == 0
    foreign(paper)
    code, out, _ = run(paper.write(tmp_path / "ledger.db"), "--state", state, "--quick", "--json")
    document = json.loads(out)
    assert (code, document["is_quick"], document["size"]) == (0, True, 73)
    del paper.events[60:]
    paper.checkpoint_sizes = [60]
    code, out, _ = run(paper.write(tmp_path / "ledger.db"), "--state", state)
    assert code == 4
    assert "73 events were verified before" in out


def test_a_policy_file_is_asked(run: Run, database: Path, paper: Paper, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {paper.key.verifier_key}\nquorum none\n")
    assert run(database, "--witness-policy", policy)[0] == 0
    other = SecretKey(paper.origin, bytes(32)).verifier_key
    policy.write_text(f"log {other}\nquorum none\n")
    assert run(database, "--witness-policy", policy)[0] == 4


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--vkey", "x"), 2),
        (("--witness-policy", "missing"), 2),
        (("--state", "."), 2),
    ],
)
def test_misuse_is_told_with_what_to_do(
    run: Run, database: Path, options: tuple[str, ...], code: int
) -> None:
    found, _, err = run(database, *options)
    assert found == code
    assert err


def test_a_source_that_is_not_there_is_misuse(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "missing.db")[0] == 2
