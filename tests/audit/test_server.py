"""A live server is audited over its API like any other source, and may record the result.

Method: serve a fleet, audit it through the client while it is served, by function and by command;
then let the same server hand out an altered event, and require that it is found.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.cli.main import app
from ledger.client import LedgerClient
from ledger.client.records import Event
from ledger.operations.served_ledger import ServedLedger
from tests.support.live_fleet import ORIGIN, Observed, prepare
from tests.support.served import Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def client(served: Served) -> Iterator[LedgerClient]:
    with LedgerClient(served.server.address, ledger=ORIGIN, actor="users/ana") as client:
        prepare(client)
        observed = Observed()
        for _ in range(4):
            client.submit(observed.rows(25))
            client.get_checkpoint()
        client.evaluate(["m0", "m1"])
        client.make_plan(3_000_000)
        yield client


def audited(client: LedgerClient) -> Report:
    return Audit(ServedLedger(client), "test").run()


def test_a_served_ledger_passes_with_all_its_checkpoints(client: LedgerClient) -> None:
    report = audited(client)
    assert report.passed, report.text()
    applied = {one.rule: one.checked for one in report.rules}
    assert applied["checkpoints"] >= 5
    assert applied["replay.score"] >= 2
    assert applied["replay.plan"] == 1
    assert report.thing == "server"


@pytest.mark.parametrize("change", [{"body": b"{}"}, {"stream": "models/m1"}, {"position": 8}])
def test_what_a_server_alters_is_found(
    client: LedgerClient, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    honest = client.list_events

    def altered(**options: Any) -> Iterator[Event]:  # noqa: ANN401 - as the client takes them
        for event in honest(**options):
            yield replace(event, **change) if event.position == 20 else event

    monkeypatch.setattr(client, "list_events", altered)
    found = audited(client).findings[0]
    assert (found.rule, found.position) == ("chain", 20)


def test_a_server_that_gives_fewer_events_than_it_signed_is_found(
    client: LedgerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = client.list_events

    def fewer(**options: Any) -> Iterator[Event]:  # noqa: ANN401 - as the client takes them
        return (event for event in honest(**options) if event.position <= 30)

    monkeypatch.setattr(client, "list_events", fewer)
    found = audited(client).findings[0]
    assert (found.rule, found.position) == ("chain", 31)


def test_an_audit_goes_on_record_and_the_next_one_checks_it(
    client: LedgerClient, served: Served
) -> None:
    place = ("--server", served.server.address, "--ledger", ORIGIN, "--actor", "users/auditor")
    runner = CliRunner()
    first = runner.invoke(app, ["audit", "run", "--record", "--json", *place])
    assert first.exit_code == 0, first.stderr
    assert "Recorded as audit.completed at position" in first.stderr
    second = runner.invoke(app, ["audit", "run", "--json", *place])
    assert second.exit_code == 0, second.stderr
    rules = {one["rule"]: one["checked"] for one in json.loads(second.stdout)["rules"]}
    assert rules["audits"] == 1


def damaged_copy(served: Served, tmp_path: Path) -> Path:
    """Return a copy of the served database in which the body at position 20 has another salt."""
    copy = tmp_path / "copy.sqlite"
    with (
        closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
        target.execute("DROP TRIGGER events_no_update")
        target.execute("UPDATE events SET salt = zeroblob(16) WHERE position = 20")
        target.commit()
    return copy


def test_what_does_not_hold_goes_on_record_too(
    client: LedgerClient, served: Served, tmp_path: Path
) -> None:
    place = ("--server", served.server.address, "--ledger", ORIGIN, "--actor", "users/auditor")
    copy = str(damaged_copy(served, tmp_path))
    ran = CliRunner().invoke(app, ["audit", "run", copy, "--record", *place])
    assert ran.exit_code == 4, ran.stderr
    assert "broken at position 20: " in ran.stderr
    (event,) = client.list_events(types=["audit.completed.v2"])
    assert event.data["passed"] is False
    assert [one["position"] for one in event.data["findings"]] == [20]


def test_a_failure_that_is_not_recorded_is_a_failure_all_the_same(
    client: LedgerClient, served: Served, tmp_path: Path
) -> None:
    """Method: no server listens where the result should be recorded."""
    nowhere = ("--server", "127.0.0.1:1", "--deadline", "0.5", "--ledger", ORIGIN)
    copy = str(damaged_copy(served, tmp_path))
    ran = CliRunner().invoke(app, ["audit", "run", copy, "--record", *nowhere])
    assert "position 20: the body does not have the header's body hash" in ran.stdout
    assert ran.exit_code == 4
    assert "It could not be recorded: " in ran.stderr
    assert list(client.list_events(types=["audit.completed.v2"])) == []
    whole = str(tmp_path / "ledger.sqlite")
    ran = CliRunner().invoke(app, ["audit", "run", whole, "--record", *nowhere])
    assert ran.exit_code == 3
    assert "Everything that could be checked holds." in ran.stdout


def test_a_server_and_its_database_have_one_transcript_but_for_what_was_read_there(
    client: LedgerClient, tmp_path: Path
) -> None:
    asked = audited(client).transcript
    source = DatabaseSource(str(tmp_path / "ledger.sqlite"))
    try:
        read = Audit(source, "test").run().transcript
    finally:
        source.close()
    assert asked is not None
    assert read is not None
    names = asked.parts.keys() | read.parts.keys()
    differing = {name for name in names if asked.parts.get(name) != read.parts.get(name)}
    rows = {name for name in read.parts if name.startswith("rows.")}
    assert differing == {"source", *rows}, "the events, and all checkpoints, are the same"
