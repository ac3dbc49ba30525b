"""A log is applied to the file that it was written for, whole or not at all.

Copies are put beside old logs, logs are cut and damaged. Each refusal has beside it the case that
looks alike and must go on: a crash, a restored copy.
"""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import Reason
from tests.support.check_ledger import check_ledger
from tests.support.locked_files import (
    backed_up,
    crashed,
    cut_to_half,
    filled,
    opened,
    refusal,
    run_sql_and_crash,
    shm,
    wal,
)
from tests.support.stores import ORIGIN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """A copy of a ledger that went on after it, was stopped, and then crashed with a log."""
    store = opened(path)
    filled(store, 20)
    copy = tmp_path / "backup.sqlite"
    backed_up(path, copy)
    filled(store, 20)
    store.close()
    crashed(path, 5)
    assert wal(path).stat().st_size
    return copy


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
    backed_up(path, copy)
    shutil.copyfile(copy, path)
    assert "written for another file" in refusal(path).message


@pytest.mark.parametrize("checkpoint", ["", "PASSIVE", "FULL"])
def test_a_crash_recovers_by_itself(checkpoint: str, path: Path) -> None:
    for requests in (30, 0, 1):  # the log of each start begins on the file that the one before left
        crashed(path, requests)
        if checkpoint:
            run_sql_and_crash(path, f"PRAGMA wal_checkpoint({checkpoint})")
    store = opened(path)
    assert len(check_ledger(store, ORIGIN)) == 2 + 2 * 31
    store.close()


def test_a_crash_of_a_release_before_this_one_recovers_by_itself(path: Path) -> None:
    opened(path).close()
    run_sql_and_crash(path, "PRAGMA user_version = 0")
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA application_id = 0")
    raw.close()
    run_sql_and_crash(path, "CREATE TABLE other (a)")  # a log that states nothing
    opened(path).close()


# ---- a log that is not whole ---------------------------------------------------------------------


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SHORTENED: dict[str, Callable[[Path], object]] = {
    "cut to half": lambda path: cut_to_half(wal(path)),
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
    run_sql_and_crash(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    store = opened(path)
    assert len(check_ledger(store, ORIGIN)) == 62
    store.close()


def test_a_torn_beginning_of_a_log_accuses_no_file(path: Path) -> None:
    store = opened(path)
    filled(store, 5)
    store.close()
    crashed(path, 0)
    shm(path).unlink()
    log = bytearray(wal(path).read_bytes())
    frames = range(32, len(log), 24 + 4096)
    (first, *_) = (at for at in frames if log[at : at + 4] == b"\0\0\0\1")
    log[first + 24 + 68 : first + 24 + 72] = b"torn"  # where the log says which file it goes with
    wal(path).write_bytes(log[: first + 24 + 4096])
    store = opened(path)
    assert len(check_ledger(store, ORIGIN)) == 12
    store.close()
