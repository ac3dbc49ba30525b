"""A SQLite file is its inode, has one server, and is not brought together with another file's log.

Files are removed, replaced, linked and cut for real, under an open store and before one is opened.
Each refusal has beside it the case that looks alike and must go on: a crash, a restored copy.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.clock import ManualClock, SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, CreateLedger, NewEvent, SqlStore, open_store
from tests.support.check_ledger import check_ledger
from tests.support.server_process import until
from tests.support.stores import ORIGIN, START, VAULT

SECONDS = 30.0
_CRASHING = """
import os, sys
from tests.storage.test_held_file import filled, opened
from pathlib import Path
store = opened(Path(sys.argv[1]))
filled(store, int(sys.argv[2]))
os._exit(9)  # as a kill does: nothing is closed
"""


def opened(path: Path) -> SqlStore:
    """Open a store at a path, begun if need be."""
    store = open_store(str(path), ManualClock(START), vault=VAULT, create=True)
    if not store.ledgers():
        store.create_ledger(CreateLedger(ORIGIN, "wall", 300, "users/ada"))
    return store


def filled(store: SqlStore, requests: int) -> int:
    """Append so many requests of two events; return the head."""
    body = encode_body(actor="users/ada", data={"text": "x" * 500})
    two = [NewEvent("models/a", "model.updated.v1", body)] * 2
    for _ in range(requests):
        store.append(AppendRequest(ORIGIN, "users/ada", "Test", two))
    return store.head(ORIGIN).position


def crashed(path: Path, requests: int) -> None:
    """Append in a process that ends without closing anything."""
    command = [sys.executable, "-c", _CRASHING, str(path), str(requests)]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True)
    assert ran.returncode == 9, ran.stderr


def refusal(path: Path, *, create: bool = False, read_only: bool = False) -> LedgerError:
    """Return why a path is not opened."""
    with pytest.raises(LedgerError) as caught:
        open_store(str(path), SystemClock(), vault=VAULT, create=create, read_only=read_only)
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    """An open store with some events."""
    store = opened(path)
    filled(store, 3)
    yield store
    store.close()


def wal(path: Path) -> Path:
    """Return the log of a database."""
    return path.with_name(path.name + "-wal")


def shm(path: Path) -> Path:
    """Return the index of its log."""
    return path.with_name(path.name + "-shm")


def _swapped(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


LOSSES: dict[str, tuple[Callable[[Path], object], Reason, str]] = {
    "file removed": (Path.unlink, Reason.STORE_UNAVAILABLE, "was removed"),
    "file moved": (
        lambda path: path.rename(path.with_name("elsewhere")),
        Reason.STORE_UNAVAILABLE,
        "was removed",
    ),
    "file replaced": (_swapped, Reason.STORE_UNAVAILABLE, "was replaced"),
    "folder moved": (
        lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
        Reason.STORE_UNAVAILABLE,
        "was removed",
    ),
    "log removed": (lambda path: wal(path).unlink(), Reason.STORE_UNAVAILABLE, "was removed"),
    "log replaced": (lambda path: _swapped(wal(path)), Reason.STORE_UNAVAILABLE, "was replaced"),
    "log cut": (lambda path: _cut(wal(path)), Reason.CHAIN_BROKEN, "was cut"),
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
    lose(path)
    for _ in range(2):  # for good
        with pytest.raises(LedgerError) as caught:
            filled(store, 1)
        assert caught.value.reason is reason
        assert words in caught.value.message
    assert store.writer_failure is not None
    store.close()


@pytest.mark.parametrize("loss", ["file removed", "log removed", "log cut"])
def test_an_idle_writer_stops_by_itself_once_the_file_is_not_the_open_one(
    loss: str, store: SqlStore, path: Path
) -> None:
    told: list[str] = []
    store.on_change(lambda: told.append(loss))
    LOSSES[loss][0](path)
    until(lambda: store.writer_failure is not None, "the writer stops", seconds=SECONDS)
    assert told == [loss]


def test_what_only_looks_like_a_loss_stops_nobody(store: SqlStore, path: Path) -> None:
    for change in (
        path.touch,
        lambda: path.chmod(0o640),
        lambda: shutil.copy(path, path.with_name("copy")),
        lambda: path.with_name("link").symlink_to(path),
        lambda: _run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)"),
        lambda: _run_sql(path, "PRAGMA wal_checkpoint(PASSIVE)"),
    ):
        change()
        filled(store, 2)
    assert store.writer_failure is None
    assert len(check_ledger(store, ORIGIN)) == 2 + 2 * (3 + 2 * 6)


def _run_sql(path: Path, statement: str) -> None:
    """Run a statement in a process of its own, as the `sqlite3` shell does."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()"
    subprocess.run([sys.executable, "-c", code, str(path), statement], check=True)


def test_a_removed_file_can_be_had_back_as_the_refusal_says(store: SqlStore, path: Path) -> None:
    _run_sql(path, "PRAGMA wal_checkpoint(PASSIVE)")
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


def test_after_a_removal_the_log_is_kept_and_no_start_begins_anew(
    store: SqlStore, path: Path
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
    _run_sql(path, "CREATE TABLE notes (text)")
    before = path.read_bytes()
    for create in (False, True):
        assert "holds no ledger" in refusal(path, create=create).message
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
    assert len(before) <= path.stat().st_size


# ---- one file, one server ------------------------------------------------------------------------


def test_a_deleted_lock_file_lets_no_second_server_in(store: SqlStore, path: Path) -> None:
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


def test_a_symbolic_link_is_another_name_of_the_same_file(store: SqlStore, path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert "already served" in refusal(link).message
    store.close()
    through = open_store(str(link), ManualClock(START), vault=VAULT)
    filled(through, 1)
    assert wal(path).exists()
    assert not wal(link).exists()
    through.close()


def test_a_file_with_two_names_is_not_served(store: SqlStore, path: Path) -> None:
    store.close()
    path.with_name("second").hardlink_to(path)
    for name in (path, path.with_name("second")):
        refused = refusal(name)
        assert refused.reason is Reason.STORE_UNAVAILABLE
        assert "2 names" in refused.message
    path.with_name("second").unlink()
    opened(path).close()


# ---- a log and its file --------------------------------------------------------------------------


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """A copy of a ledger that went on after it, was stopped, and then crashed with a log."""
    store = opened(path)
    filled(store, 20)
    copy = tmp_path / "backup.sqlite"
    _backed_up(path, copy)
    filled(store, 20)
    store.close()
    crashed(path, 5)
    assert wal(path).stat().st_size
    return copy


def _backed_up(path: Path, copy: Path) -> None:
    """Copy a database as `sqlite3 FILE ".backup COPY"` does; its log stays as it is."""
    code = (
        "import os, sqlite3, sys; source, target = map(sqlite3.connect, sys.argv[1:]);"
        "source.backup(target); target.close(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(copy)], check=True)


PLACED: dict[str, Callable[[Path, Path], object]] = {
    "copied over": shutil.copyfile,
    "moved into place": lambda copy, path: shutil.copy(shutil.copy(copy, f"{path}.new"), path),
}


@pytest.mark.parametrize("placed", PLACED)
def test_an_old_log_beside_a_restored_copy_is_refused_and_the_copy_untouched(
    placed: str, backup: Path, path: Path
) -> None:
    PLACED[placed](backup, path)
    log = wal(path).read_bytes()
    for read_only in (False, True):
        refused = refusal(path, read_only=read_only)
        assert refused.reason is Reason.CHAIN_BROKEN
        assert "was written for another file" in refused.message
        assert wal(path).name in refused.remedy
    assert path.read_bytes() == backup.read_bytes()
    assert wal(path).read_bytes() == log
    wal(path).unlink()
    shm(path).unlink()
    again = opened(path)
    assert len(check_ledger(again, ORIGIN)) == 42
    again.close()


def test_without_its_own_check_sqlite_would_apply_the_old_log(backup: Path, path: Path) -> None:
    """The control: what the refusal above keeps from happening."""
    shutil.copyfile(backup, path)
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    assert path.read_bytes() != backup.read_bytes()


def test_a_copy_made_while_the_same_log_was_written_is_told_from_the_file(path: Path) -> None:
    store = opened(path)
    filled(store, 5)
    store.close()
    copy = path.with_name("backup")
    crashed(path, 5)
    _backed_up(path, copy)
    shutil.copyfile(copy, path)
    assert "written for another file" in refusal(path).message


@pytest.mark.parametrize("checkpoint", ["", "PASSIVE", "FULL"])
def test_a_crash_recovers_by_itself(checkpoint: str, path: Path) -> None:
    for requests in (30, 0, 1):  # the log of each start begins on the file that the one before left
        crashed(path, requests)
        if checkpoint:
            _keeping_log(path, f"PRAGMA wal_checkpoint({checkpoint})")
    store = opened(path)
    assert len(check_ledger(store, ORIGIN)) == 2 + 2 * 31
    store.close()


def _keeping_log(path: Path, statement: str) -> None:
    """Run a statement in a process that then crashes, so that the log stays."""
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute(sys.argv[2]).fetchall(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), statement], check=True)


def test_a_crash_of_a_release_before_this_one_recovers_by_itself(path: Path) -> None:
    opened(path).close()
    _keeping_log(path, "PRAGMA user_version = 0")
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA application_id = 0")
    raw.close()
    _keeping_log(path, "CREATE TABLE other (a)")  # a log that states nothing
    opened(path).close()


# ---- a log that is not whole ---------------------------------------------------------------------


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SHORTENED: dict[str, Callable[[Path], object]] = {
    "cut to half": lambda path: _cut(wal(path)),
    "flipped in the middle": lambda path: _flipped(wal(path)),
    "begun with noise": lambda path: wal(path).write_bytes(b"\xa5" * wal(path).stat().st_size),
    "removed": lambda path: wal(path).unlink(),
}


@pytest.mark.parametrize("how", SHORTENED)
def test_a_log_that_lost_what_was_committed_is_not_served(how: str, path: Path) -> None:
    crashed(path, 30)
    SHORTENED[how](path)
    before = path.read_bytes()
    left = wal(path).read_bytes() if wal(path).exists() else b""
    refused = refusal(path)
    assert refused.reason is Reason.CHAIN_BROKEN
    assert wal(path).name in refused.message
    assert path.read_bytes() == before, "evidence stays as it was"
    assert (wal(path).read_bytes() if wal(path).exists() else b"") == left


def test_a_torn_end_that_was_never_committed_is_no_loss(path: Path) -> None:
    crashed(path, 30)
    with wal(path).open("ab") as log:
        log.write(b"\xa5" * 10_000)
    store = opened(path)
    assert len(check_ledger(store, ORIGIN)) == 62
    store.close()


def test_a_log_that_was_emptied_into_its_file_is_no_loss(path: Path) -> None:
    crashed(path, 30)
    _keeping_log(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    store = opened(path)
    assert len(check_ledger(store, ORIGIN)) == 62
    store.close()
