"""What the database refuses, what a failed commit leaves, and who may open a file."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason
from ledger.events.values import TIME_LIMIT
from ledger.storage import AppendRequest, Store, open_store
from ledger.storage.notifications import CommitNotifications, CommitWatcher
from tests.support.audits import damage
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of
from tests.support.server_process import until
from tests.support.stores import ORIGIN, START, VAULT, asking, begun, edit, note

ROOT = Path(__file__).parents[2]


def named(request_id: str | None = None, count: int = 1) -> AppendRequest:
    return asking(*[note(request_id=request_id)] * count, request_id=request_id)


@pytest.mark.parametrize(
    "table", ["events", "requests", "checkpoints", "cosignatures", "tiles", "signing_keys"]
)
@pytest.mark.parametrize("statement", ["UPDATE {} SET ledger_id = 9", "DELETE FROM {}"])
def test_edits_of_what_was_recorded_are_refused(store: Store, table: str, statement: str) -> None:
    store.requests.append(named("r-1"))
    assert store.proofs.save_checkpoint(ORIGIN, 3, "note", after=0)
    assert store.proofs.add_cosignature(ORIGIN, 3, "witness", b"1234", "line")
    with (
        pytest.raises(DBAPIError, match="append-only"),
        database_of(store).writer.begin() as connection,
    ):
        connection.execute(text(statement.format(table)))
    check_ledger(store, ORIGIN)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "table", ["events", "requests", "checkpoints", "cosignatures", "tiles", "signing_keys"]
)
def test_postgres_refuses_to_empty_a_table_of_what_was_recorded(
    postgres_url: str, clock: ManualClock, table: str
) -> None:
    store = open_store(postgres_url, clock, vault=VAULT, create=True)
    with (
        pytest.raises(DBAPIError, match="append-only"),
        database_of(store).writer.begin() as connection,
    ):
        connection.execute(text(f"TRUNCATE {table}"))
    store.close()


@pytest.mark.parametrize("fail_at", range(1, 11))
def test_a_statement_that_fails_leaves_nothing_half_written(
    database_url: str, clock: ManualClock, fail_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails the k-th thing the writer asks of the database, commit included, for every k."""
    store = begun(database_url, clock)
    store.requests.append(named("before"))
    asked = 0
    armed = True

    def _count(*_args: object) -> None:
        nonlocal asked
        asked += armed
        if armed and asked == fail_at:
            raise OSError("the disk is gone")

    insert = database_of(store).insert_events

    def _insert(connection: Connection, values: Sequence[Any]) -> None:
        insert(connection, values)
        _count()

    monkeypatch.setattr(database_of(store), "insert_events", _insert)
    for name in ("before_cursor_execute", "commit"):
        event.listen(database_of(store).writer, name, _count)
    refusal = store.requests.submit(named("torn", count=3)).exception()
    if asked >= fail_at:
        assert isinstance(refusal, LedgerError)
        assert refusal.reason is Reason.STORE_UNAVAILABLE
        with pytest.raises(LedgerError):  # stopped for good
            store.requests.append(named("after"))
        assert store.writer_failure is not None
        assert len(check_ledger(store, ORIGIN)) == 3
    else:
        assert refusal is None  # the sweep has passed the last statement
    armed = False
    store.close()
    again = open_store(database_url, clock, vault=VAULT, create=True)
    assert again.requests.append(named("torn", count=3)).last_position == 6
    assert damage(database_url) == []
    again.close()


def test_a_second_server_is_kept_away_from_a_served_file(
    sqlite_url: str, clock: ManualClock
) -> None:
    store = open_store(sqlite_url, clock, vault=VAULT, create=True)
    code = (
        "import sys; from ledger.clock import SystemClock; from ledger.storage import open_store\n"
        "open_store(sys.argv[1], SystemClock(), create=True)"
    )
    second = subprocess.run(
        [sys.executable, "-c", code, sqlite_url],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert second.returncode != 0
    assert "already served by process" in second.stderr
    assert "STORE_UNAVAILABLE" in second.stderr
    store.close()
    open_store(sqlite_url, clock, vault=VAULT, create=True).close()


def test_a_reader_beside_the_server_sees_commits_and_hears_of_them(
    sqlite_url: str, clock: ManualClock
) -> None:
    store = begun(sqlite_url, clock)
    beside = open_store(sqlite_url, clock, read_only=True, vault=VAULT)
    assert len(check_ledger(beside, ORIGIN)) == 2
    store.requests.append(named())
    until(lambda: beside.commits.newest(ORIGIN) == 3, "the commit is heard of")
    assert len(check_ledger(beside, ORIGIN)) == 3
    with pytest.raises(LedgerError) as caught:
        beside.requests.append(named())
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    beside.close()
    store.close()


def test_a_watcher_goes_on_beside_heads_that_are_not_numbers() -> None:
    connection = Mock()
    connection.execute().all.return_value = [("a", None), ("b", "x"), (None, 1), ("c", 5)]
    database = MagicMock()
    database.reading().__enter__.return_value = connection
    closed = threading.Event()
    database.wait_for_announcement.side_effect = lambda _: closed.wait()
    database.interrupt.side_effect = closed.set
    news = CommitNotifications()
    watcher = CommitWatcher(database, news)
    until(lambda: news.newest("c") == 5, "the commit behind them is heard of")
    watcher.close()


def test_a_database_of_a_newer_release_is_not_touched(
    database_url: str, clock: ManualClock
) -> None:
    store = open_store(database_url, clock, vault=VAULT, create=True)
    edit(store, "UPDATE schema_version SET version = 99")
    store.close()
    for read_only in (False, True):
        with pytest.raises(LedgerError, match="99") as caught:
            open_store(database_url, clock, read_only=read_only, vault=VAULT)
        assert caught.value.reason is Reason.STORE_UNAVAILABLE


@pytest.mark.parametrize(
    "url", ["mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "not a url://"]
)
def test_a_url_of_another_kind_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        open_store(url, ManualClock(START), vault=VAULT, create=True)
    assert caught.value.reason is Reason.FIELD_INVALID


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and long enough to be sure of that " * 20)
    for read_only in (False, True):
        with pytest.raises(LedgerError) as caught:
            open_store(str(path), ManualClock(START), read_only=read_only)
        assert caught.value.reason is Reason.CHAIN_BROKEN
    assert path.read_text().startswith("not a database")


def test_an_edited_row_is_found_and_its_position_named(sqlite_url: str, clock: ManualClock) -> None:
    store = begun(sqlite_url, clock)
    store.requests.append(named(count=5))
    assert damage(sqlite_url) == []
    edit(store, "UPDATE events SET body = replace(body, 'x', 'y') WHERE position = 6")
    assert [(one.rule, one.position) for one in damage(sqlite_url)] == [("chain", 6)]
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "recorded_at = -1",
        f"recorded_at = {TIME_LIMIT}",
        "observed_at = -1",
        f"observed_at = {TIME_LIMIT}",
        "recorded_at = 'noon'",
        "type = x'00'",
    ],
)
def test_a_row_that_is_no_event_is_damage_by_every_way_of_reading_it(
    sqlite_url: str, clock: ManualClock, change: str
) -> None:
    store = begun(sqlite_url, clock)
    store.requests.append(named(count=5))
    edit(store, f"UPDATE events SET {change} WHERE position = 6")
    ways: list[Callable[[], object]] = [
        lambda: store.events.event(ORIGIN, 6),
        lambda: store.events.read(ORIGIN, after=5, limit=1),
    ]
    for way in ways:
        with pytest.raises(LedgerError) as caught:
            way()
        assert caught.value.reason is Reason.CHAIN_BROKEN
        assert caught.value.metadata["position"] == "6"
    store.close()
