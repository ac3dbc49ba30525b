"""After a power cut at any moment a ledger opens, verifies, and holds every acknowledged request.

Method: record the writes and syncs of a loaded store by a library that is loaded before libc, and
build from them over a thousand states that a disk may be left in: cut anywhere, unsynced writes
missing, reordered or torn at sectors. Each is opened by the product and checked as a whole. A disk
whose syncs do nothing must be found out by the same check.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.storage import AppendRequest, CreateLedger, open_store
from ledger.storage.vault import Vault
from tests.support.check_ledger import check_ledger
from tests.support.hooks import database_of
from tests.support.power_cut import ACKNOWLEDGED, State, read_record, states
from tests.support.stores import ORIGIN

ROOT = Path(__file__).parents[2]
FILE = "ledger.sqlite"
STATES_MIN = 1_000
MOMENTS = 320  # how many states they give depends on how requests met in a commit
LYING_MOMENTS = 12
WORKERS = 2


class Recorded:
    """A ledger before its load, and the record of the load."""

    def __init__(self, folder: Path) -> None:
        self.watched = folder / "watched"
        self.base = folder / "base"
        self.record = folder / "record"
        self.watched.mkdir()
        store = open_store(
            str(self.watched / FILE), SystemClock(), vault=Vault(bytes(32)), create=True
        )
        store.ledgers.create(CreateLedger(ORIGIN, "wall", 300, "users/ada"))
        store.close()
        self.base.mkdir()
        shutil.copy(self.watched / FILE, self.base)
        assert not (self.watched / f"{FILE}-wal").exists()

    def load(self, library: Path) -> None:
        """Run the loader with its writes recorded."""
        subprocess.run(
            [
                *(sys.executable, str(Path(__file__).with_name("power_loader.py"))),
                *(str(self.watched / FILE), str(self.watched / ACKNOWLEDGED)),
            ],
            check=True,
            cwd=ROOT,
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "LD_PRELOAD": str(library),
                "POWER_CUT_FOLDER": str(self.watched),
                "POWER_CUT_RECORD": str(self.record),
            },
        )

    def files(self) -> dict[str, bytes]:
        """Return the database's files before the load."""
        return {FILE: (self.base / FILE).read_bytes()}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A loaded store whose writes were recorded; needs a C compiler."""
    folder = tmp_path_factory.mktemp("power")
    library = folder / "power_cut.so"
    source = ROOT / "tests" / "support" / "power_cut.c"
    subprocess.run(
        [
            "cc",
            "-Wall",
            "-Werror",
            "-shared",
            "-fPIC",
            "-O1",
            "-o",
            str(library),
            str(source),
            "-ldl",
            "-lpthread",
        ],
        check=True,
    )
    made = Recorded(folder)
    made.load(library)
    return made


def judged(state: State, folder: Path) -> str:
    """Open what a power cut left and check all of it; return what is wrong, or nothing."""
    folder.mkdir()
    for name, content in state.files.items():
        (folder / name).write_bytes(content)
    try:
        store = open_store(str(folder / FILE), SystemClock(), vault=Vault(bytes(32)))
        try:
            with database_of(store).reading() as connection:
                found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if found != "ok":
                return f"{state.label}: {found}"
            count = len(check_ledger(store, ORIGIN))
            lines = [line.split() for line in state.acknowledged.decode().splitlines()]
            for request_id, first, last in lines:
                if int(last) > count:
                    return f"{state.label}: {request_id} at {first} is lost"
            for request_id, first, last in lines[-10:]:
                again = AppendRequest(ORIGIN, "users/ada", "Load", (), request_id=request_id)
                done = store.requests.append(again)
                assert done.repeated
                assert (done.first_position, done.last_position) == (int(first), int(last))
        finally:
            store.close()
    except (LedgerError, AssertionError) as error:
        return f"{state.label}: {type(error).__name__}: {error}"
    finally:
        shutil.rmtree(folder)
    return ""


def judge_share(
    recorded: Recorded, folder: Path, share: int, count: int, *, is_lying: bool
) -> tuple[int, list[str]]:
    """Judge every so many-th state; return how many there were, and what is wrong."""
    found, number = [], 0
    records = read_record(recorded.record)
    for at, state in enumerate(states(recorded.files(), records, count, is_lying=is_lying)):
        if at % WORKERS == share:
            number += 1
            found.append(judged(state, folder / f"{share}-{at}"))
    return number, [problem for problem in found if problem]


def judge(recorded: Recorded, folder: Path, count: int, *, is_lying: bool) -> tuple[int, list[str]]:
    """Judge all states, in several processes."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        shares = [
            pool.submit(judge_share, recorded, folder, share, count, is_lying=is_lying)
            for share in range(WORKERS)
        ]
        done = [share.result() for share in shares]
    return sum(number for number, _ in done), [what for _, found in done for what in found]


@pytest.mark.slow
def test_no_power_cut_loses_what_was_acknowledged(recorded: Recorded, tmp_path: Path) -> None:
    number, problems = judge(recorded, tmp_path, MOMENTS, is_lying=False)
    assert problems == []
    assert number >= STATES_MIN


@pytest.mark.slow
def test_a_disk_whose_syncs_do_nothing_is_found_out(recorded: Recorded, tmp_path: Path) -> None:
    number, problems = judge(recorded, tmp_path, LYING_MOMENTS, is_lying=True)
    assert len(problems) > number // 3
    assert (
        len([problem for problem in problems if problem.endswith("is lost")]) > LYING_MOMENTS // 2
    )


@pytest.mark.slow
def test_the_record_shows_commits_and_the_log_folded_back(recorded: Recorded) -> None:
    records = read_record(recorded.record)
    ended = [record.name for record in records if record.op == "E"]
    assert ended.count(f"{FILE}-wal") >= 60
    assert ended.count(FILE) >= 6  # folded back in passing and when closing
    assert any(record.op == "U" for record in records)
    assert sum(record.name == ACKNOWLEDGED for record in records) == 4 * 14 * 3
