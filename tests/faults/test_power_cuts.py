"""The power fails between two syncs: whatever part of what was written reached the disk, all that
was acknowledged is there, and the start needs no help.

A store's file and log are copied at each point at which everything is synced. Between two such
points any part of the 512-byte sectors that were written may be on the disk; states are drawn from
them, laid out and opened. Commits, checkpoints, and logs that begin again over an old one are among
the writes. The control: a disk that says it has synced and has not is found to have lost events.
"""

import random  # noqa: TID251 - always from a seed
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.errors import LedgerError
from ledger.storage import Store, open_store
from tests.support.check_ledger import check_ledger
from tests.support.locked_files import filled, opened, run_sql, shm, wal
from tests.support.stores import ORIGIN, VAULT

SECTOR = 512
STATES = {"quick": 120, "slow": 1_000}


@dataclass(frozen=True, slots=True)
class Synced:
    """What is on the disk for certain at a moment, and up to where it was acknowledged."""

    file: bytes
    log: bytes
    index: bytes
    head: int


def snapshot(store: Store, path: Path) -> Synced:
    """Copy what was synced; the index never is, so it may be of any earlier moment."""
    return Synced(
        path.read_bytes(),
        wal(path).read_bytes(),
        shm(path).read_bytes(),
        store.events.head(ORIGIN).position,
    )


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> list[Synced]:
    """The moments of a store that appends, moves its log into its file, and begins it again."""
    path = tmp_path_factory.mktemp("powered") / "ledger.sqlite"
    store = opened(path)
    found = [snapshot(store, path)]
    for turn in range(30):
        filled(store, 1 + turn % 4)
        found.append(snapshot(store, path))
        if turn % 5 == 4:
            kind = "TRUNCATE" if turn % 10 == 9 else "PASSIVE"
            run_sql(path, f"PRAGMA wal_checkpoint({kind})")
            found.append(snapshot(store, path))
    store.close()
    return found


def torn(before: bytes, after: bytes, draw: random.Random, *, whole_first: bool) -> bytes:
    """Return the one with some of the sectors in which the other differs."""
    size = draw.choice([len(before), len(after), draw.randint(*sorted((len(before), len(after))))])
    found = bytearray(before[:size].ljust(size, b"\x00"))
    share = draw.random()
    for at in range(0, size, SECTOR):
        if draw.random() < share or (whole_first and at == 0):
            found[at : at + SECTOR] = after[at : at + SECTOR].ljust(
                len(found[at : at + SECTOR]), b"\x00"
            )
    return bytes(found)


def lay_out(folder: Path, state: Synced, *, with_index: bool) -> Path:
    """Put a state on the disk, in a folder that holds nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "ledger.sqlite"
    path.write_bytes(state.file)
    wal(path).write_bytes(state.log)
    if with_index:
        shm(path).write_bytes(state.index)
    return path


def head_of(path: Path) -> int:
    """Start on a state, append, verify everything; return the head as it was found."""
    from ledger.clock import SystemClock

    store = open_store(str(path), SystemClock(), vault=VAULT)
    try:
        found = store.events.head(ORIGIN).position
        assert filled(store, 1) == found + 2
        assert len(check_ledger(store, ORIGIN)) == found + 2
    finally:
        store.close()
    return found


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("count", ["quick", pytest.param("slow", marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_by_a_power_cut_and_every_start_is_by_itself(
    count: str, history: list[Synced], tmp_path: Path
) -> None:
    draw = random.Random(11)
    for number in range(STATES[count]):
        at = draw.randrange(len(history) - 1)
        before, after = history[at], history[at + 1]
        if before.head == after.head:  # a checkpoint: the file is written, then the log may go
            file = torn(before.file, after.file, draw, whole_first=False)
            state = Synced(file, before.log, b"", before.head)
        else:
            # SQLite syncs the header of a log that begins again before it writes the rest.
            begins = before.log[:32] != after.log[:32]
            log = torn(before.log, after.log, draw, whole_first=begins)
            state = Synced(before.file, log, b"", before.head)
        stale = history[draw.randint(0, at)].index
        state = Synced(state.file, state.log, stale, before.head)
        path = lay_out(tmp_path / "state", state, with_index=draw.random() < 0.5)
        found = head_of(path)
        assert before.head <= found <= after.head, f"state {number} after moment {at}"


def test_a_disk_that_lies_about_syncs_is_found_to_have_lost_events(
    history: list[Synced], tmp_path: Path
) -> None:
    draw, lost, told = random.Random(12), 0, 0
    for _ in range(60):
        at = draw.randrange(3, len(history))
        true, kept = history[at], history[draw.randrange(at - 2, at)]
        lied = Synced(kept.file, true.log[: len(kept.log) // 2], true.index, true.head)
        path = lay_out(tmp_path / "state", lied, with_index=draw.random() < 0.5)
        try:
            lost += head_of(path) < true.head
        except LedgerError as error:
            told += bool(error.remedy)
    assert lost > 0, "without the index only what is outside knows"
    assert told > 0, "with it the start says so"
