"""A SQLite file is its inode, has one server, and is not brought together with another file's log.

Files are removed, replaced, linked and cut for real, under an open store and before one is opened.
Each refusal has beside it the case that looks alike and must go on: a crash, a restored copy.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.storage import Store, open_store
from ledger.storage.wal_file import HEADER_BYTES
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import (
    database_of,
    held_log,
    hide_index,
    locked_file,
    state_log,
    writer_of,
    writing,
)
from tests.support.locked_files import (
    cut_to_half,
    filled,
    opened,
    refusal,
    run_sql,
    shm,
    swapped,
    wal,
)
from tests.support.server_process import until
from tests.support.stores import ORIGIN, START, VAULT

SECONDS = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An open store with some events."""
    store = opened(path)
    filled(store, 3)
    yield store
    store.close()


LOSSES: dict[str, tuple[Callable[[Path], object], Reason, str]] = {
    "file removed": (Path.unlink, Reason.STORE_UNAVAILABLE, "was removed"),
    "file moved": (
        lambda path: path.rename(path.with_name("elsewhere")),
        Reason.STORE_UNAVAILABLE,
        "was removed",
    ),
    "file replaced": (swapped, Reason.STORE_UNAVAILABLE, "was replaced"),
    "folder moved": (
        lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
        Reason.STORE_UNAVAILABLE,
        "was removed",
    ),
    "log removed": (lambda path: wal(path).unlink(), Reason.STORE_UNAVAILABLE, "was removed"),
    "log replaced": (lambda path: swapped(wal(path)), Reason.STORE_UNAVAILABLE, "was replaced"),
    "log cut": (lambda path: cut_to_half(wal(path)), Reason.CHAIN_BROKEN, "was cut"),
    "log emptied": (lambda path: os.truncate(wal(path), 0), Reason.CHAIN_BROKEN, "was cut"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_is_acknowledged_once_the_file_is_not_the_open_one(
    loss: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "ledger.sqlite"
    store = opened(path)
    filled(store, 3)
    lose, reason, words = LOSSES[loss]
    before = path.read_bytes()
    lose(path)
    for _ in range(2):  # for good
        with pytest.raises(LedgerError) as caught:
            filled(store, 1)
        assert caught.value.reason is reason
        assert words in caught.value.message
    assert store.writer_failure is not None
    store.close()
    if loss.startswith("log"):
        assert path.read_bytes() == before, "what is left of the log was moved into the file"


@pytest.mark.parametrize("loss", ["file removed", "log removed", "log cut"])
def test_an_idle_writer_stops_by_itself_once_the_file_is_not_the_open_one(
    loss: str, store: Store, path: Path
) -> None:
    told: list[str] = []
    store.on_change(lambda: told.append(loss))
    LOSSES[loss][0](path)
    until(lambda: store.writer_failure is not None, "the writer stops", seconds=SECONDS)
    assert told == [loss]


def test_what_only_looks_like_a_loss_stops_no_writer(store: Store, path: Path) -> None:
    for change in (
        path.touch,
        lambda: path.chmod(0o640),
        lambda: shutil.copy(path, path.with_name("copy")),
        lambda: path.with_name("link").symlink_to(path),
        lambda: run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)"),
        lambda: run_sql(path, "PRAGMA wal_checkpoint(PASSIVE)"),
    ):
        change()
        filled(store, 2)
    assert store.writer_failure is None
    assert len(check_ledger(store, ORIGIN)) == 2 + 2 * (3 + 2 * 6)


def test_a_log_that_grows_while_a_reader_looks_is_not_taken_for_one_that_was_cut(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = locked_file(store)
    look, is_writing = os.fstat, threading.Event()

    def commits_meanwhile(descriptor: int) -> os.stat_result:
        found = look(descriptor)
        if threading.current_thread() is threading.main_thread() and not is_writing.is_set():
            is_writing.set()
            filled(store, 3)
        return found

    hide_index(store, monkeypatch)  # it is being written
    monkeypatch.setattr("ledger.storage.locked_file.os.fstat", commits_meanwhile)
    database_of(store).check_held()
    assert is_writing.is_set()
    assert held.is_sound


def test_a_removed_file_can_be_had_back_as_the_refusal_says(store: Store, path: Path) -> None:
    run_sql(path, "PRAGMA wal_checkpoint(PASSIVE)")
    head = filled(store, 2)
    path.unlink()
    with pytest.raises(LedgerError) as caught:
        filled(store, 1)
    command = caught.value.remedy.split("`")[1]
    subprocess.run(command, shell=True, check=True)
    store.close()
    again = opened(path)
    assert len(check_ledger(again, ORIGIN)) >= head
    again.close()


def test_after_a_removal_the_log_is_kept_and_no_start_begins_again(
    store: Store, path: Path
) -> None:
    log = wal(path).read_bytes()
    path.unlink()
    with pytest.raises(LedgerError):
        filled(store, 1)
    store.close()
    assert wal(path).read_bytes().startswith(log)
    for create in (False, True):
        refused = refusal(path, create=create)
        assert refused.reason is Reason.CHAIN_BROKEN
        assert str(wal(path)) in refused.message
        assert not path.exists()


@pytest.mark.parametrize("remains", ["-wal", "-shm", "-journal", ".key", "rows"])
def test_no_file_is_made_where_what_only_comes_with_one_is_left(remains: str, path: Path) -> None:
    rows = path.with_name("rows")
    left = rows if remains == "rows" else path.with_name(path.name + remains)
    left.write_bytes(b"x")
    with pytest.raises(LedgerError, match="There is no database") as caught:
        open_store(str(path), SystemClock(), create=True, companions=[rows])
    assert caught.value.reason is Reason.CHAIN_BROKEN
    assert str(left) in caught.value.message
    left.unlink()
    open_store(str(path), SystemClock(), create=True, companions=[rows]).close()


def test_no_file_is_made_unless_it_is_said(path: Path) -> None:
    refused = refusal(path)
    assert refused.reason is Reason.STORE_UNAVAILABLE
    assert "--create" in refused.remedy
    assert not list(path.parent.iterdir())


def test_another_programs_database_does_not_become_a_ledger(path: Path) -> None:
    run_sql(path, "CREATE TABLE notes (text)")
    before = path.read_bytes()
    for create in (False, True):
        assert "holds no ledger" in refusal(path, create=create).message
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
    assert len(before) <= path.stat().st_size


# ---- one file, one server ------------------------------------------------------------------------


def test_a_deleted_lock_file_lets_no_second_server_in(store: Store, path: Path) -> None:
    for file in path.parent.iterdir():
        if file.name not in {path.name, wal(path).name, shm(path).name}:
            file.unlink()
    code = "import sys; from ledger.clock import SystemClock; from ledger.storage import open_store"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}; open_store(sys.argv[1], SystemClock())", str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert f"already served by process {os.getpid()}" in ran.stderr
    assert f"already served by process {os.getpid()}" in refusal(path).message
    filled(store, 1)


def test_a_symbolic_link_is_another_name_of_the_same_file(store: Store, path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert "already served" in refusal(link).message
    store.close()
    through = open_store(str(link), ManualClock(START), vault=VAULT)
    filled(through, 1)
    assert wal(path).exists()
    assert not wal(link).exists()
    through.close()


def test_a_file_with_two_names_is_not_served(store: Store, path: Path) -> None:
    store.close()
    path.with_name("second").hardlink_to(path)
    for name in (path, path.with_name("second")):
        refused = refusal(name)
        assert refused.reason is Reason.STORE_UNAVAILABLE
        assert "2 names" in refused.message
    path.with_name("second").unlink()
    opened(path).close()


# ---- looked at on every connection ---------------------------------------------------------------


class _NotSyncing(sqlite3.Connection):
    """A connection on which somebody has switched off what makes commits last."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:  # noqa: ANN401 - the driver's
        return super().execute(sql.replace("synchronous=FULL", "synchronous=OFF"), *parameters)


@pytest.mark.parametrize("how", ["as ever", "not durable", "read only"])
def test_each_new_connection_of_the_writer_is_looked_at(
    how: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def _connect(place: str, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - the driver's
        if how == "not durable":
            options["factory"] = _NotSyncing
        return connect(
            place.replace("mode=rw", "mode=ro") if how == "read only" else place, **options
        )

    writer_of(store).pause_for(writing(store).close)
    database_of(store).writer.dispose()
    monkeypatch.setattr(sqlite3, "connect", _connect)
    if how == "as ever":
        filled(store, 1)
        return
    with pytest.raises(LedgerError) as caught:
        filled(store, 1)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert ("synchronous 0" if how == "not durable" else "readonly") in caught.value.message


def test_a_log_that_begins_again_at_a_start_states_its_file_and_not_what_the_old_one_stated(
    tmp_path: Path,
) -> None:
    """Method: all of the log is moved into the file, as at the first commit after a long log."""
    path = tmp_path / "ledger.sqlite"
    store = opened(path)
    filled(store, 3)
    held, log = locked_file(store), held_log(store)
    before = log.salts()
    with database_of(store).writer.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0
        assert held.is_moved()
        held.note_statement(b"")  # a start knows of no statement
        state_log(store, raw)
    assert log.salts() != before
    assert held.due_statement() is None
    header = path.read_bytes()[:HEADER_BYTES]
    assert log.goes_with(header)
    store.close()
