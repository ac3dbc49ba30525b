"""The file of a running server is removed, its log is cut, and a damaged one is started on.

Through the real server and the real command: what was acknowledged is there or is said to be lost,
and no damage ends in a traceback. Beside it the undamaged file, which must be served.
"""

import os
import random  # noqa: TID251 - damage is drawn with a fixed seed
import shutil
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.cli.main import app
from ledger.client import LedgerClient, LedgerRefusedError
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.service import Service
from tests.faults.test_service_broken_store import NOT_SERVING, SERVING, health_of
from tests.support.forked import ROOT
from tests.support.live_fleet import Observed, prepare
from tests.support.server_process import client, served, until
from tools.quiet import quiet

DAMAGES = {"quick": 100, "slow": 5_000}
PAGE = 4_096
SECONDS = 60.0


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger with some history, closed in good order."""
    folder = tmp_path_factory.mktemp("prepared")
    with served(folder / "log", str(folder / "ledger.sqlite")) as (server, address):
        with client(address) as ledger:
            prepare(ledger)
            ledger.submit(Observed().rows(50))
        assert server.stop() == 0
    return folder


@pytest.fixture
def database(tmp_path: Path, prepared: Path) -> Path:
    """A copy of that ledger's file, with its read models and its key beside it."""
    folder = tmp_path / "copy"
    shutil.copytree(prepared, folder)
    return folder / "ledger.sqlite"


def start(database: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run `serve` on a database that it must refuse, until it ends."""
    command = [sys.executable, "-m", "ledger", "serve", "--db", str(database), *more]
    return subprocess.run(
        [*command, "--listen", "127.0.0.1:0"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
    )


def doctor(database: Path, address: str) -> str:
    """Return what `doctor` finds beside a server."""
    command = [sys.executable, "-m", "ledger", "doctor", "--db", str(database)]
    ran = subprocess.run(
        [*command, "--server", address],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
    )
    return ran.stdout


def submit_until_refused(ledger: LedgerClient, stop: threading.Event) -> tuple[int, str]:
    """Submit until the server refuses; return how many it acknowledged, and why it ended."""
    observed, count = Observed(), 0
    while not stop.is_set():
        try:
            ledger.submit(observed.rows(1))
        except LedgerRefusedError as error:
            return count, error.message
        count += 1
    return count, ""


def test_a_file_removed_under_a_server_stops_it_and_is_not_begun_again(
    database: Path, tmp_path: Path
) -> None:
    stop, ended = threading.Event(), list[tuple[int, str]]()
    with served(tmp_path / "log", str(database)) as (server, address):
        with client(address) as ledger, client(address) as watching:
            ledger.submit(Observed().rows(1))
            assert health_of(address) == SERVING
            writing = threading.Thread(
                target=lambda: ended.append(submit_until_refused(ledger, stop))
            )
            writing.start()
            before = watching.get_ledger().head_position
            until(
                lambda: watching.get_ledger().head_position > before + 20, "some", seconds=SECONDS
            )
            database.unlink()
            writing.join(SECONDS)
            stop.set()
            assert ended, "the server went on acknowledging"
            assert ended[0][0] > 0
            assert "was removed under the server" in ended[0][1]
            until(lambda: health_of(address) == NOT_SERVING, "health", seconds=SECONDS)
            assert "but records nothing any more" in doctor(database, address)
        assert server.stop() == 0
    assert database.with_name("ledger.sqlite-wal").stat().st_size, "the log is kept"
    for more in ([], ["--create", "example.com/fares"]):
        ran = start(database, *more)
        assert ran.returncode == 4
        assert "ledger.sqlite-wal" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert not database.exists()


def test_a_plain_start_makes_no_file_and_says_how_to_begin(tmp_path: Path) -> None:
    ran = start(tmp_path / "new" / "ledger.sqlite")
    assert ran.returncode == 1
    assert "serve --create" in ran.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("left", ["ledger.sqlite.key", "ledger.projections.sqlite"])
def test_key_or_read_models_without_their_database_are_not_begun_again(
    left: str, database: Path
) -> None:
    for file in list(database.parent.iterdir()):
        if file.name != left:
            file.unlink()
    ran = start(database, "--create", "example.com/fares")
    assert ran.returncode == 4
    assert left in ran.stderr
    assert [file.name for file in database.parent.iterdir()] == [left]


def crash(database: Path, log: Path) -> None:
    """Submit to a server, wait for its read models, and kill it."""
    with served(log, str(database)) as (server, address), client(address) as ledger:
        observed = Observed()
        for _ in range(20):
            head = ledger.submit(observed.rows(5)).position
        ledger.list_priorities(min_position=head)
        until(
            lambda: ledger.get_projection("signals", min_position=head).stored_position >= head,
            "the read models are stored",
            seconds=SECONDS,
        )
        server.kill()


def test_a_log_that_lost_its_end_is_told_by_the_read_models_where_nothing_else_does(
    database: Path, tmp_path: Path
) -> None:
    crash(database, tmp_path / "log")
    wal = database.with_name("ledger.sqlite-wal")
    whole = wal.read_bytes()
    database.with_name("ledger.sqlite-shm").unlink()  # which would tell it first
    os.truncate(wal, len(whole) // 2)
    cut = wal.read_bytes()
    with pytest.raises(LedgerError, match="lost its end") as caught:
        Service(quiet(str(database))).start()
    assert caught.value.reason is Reason.LEDGER_BEHIND
    assert whole.startswith(cut)


def test_a_restored_copy_older_than_its_read_models_is_served(
    database: Path, prepared: Path, tmp_path: Path
) -> None:
    crash(database, tmp_path / "log")
    for suffix in ("-wal", "-shm"):
        database.with_name(f"ledger.sqlite{suffix}").unlink()
    shutil.copy(prepared / "ledger.sqlite", database)
    with served(tmp_path / "log", str(database)) as (_, address), client(address) as ledger:
        head = ledger.submit(Observed().rows(1)).position
        assert ledger.list_priorities(min_position=head).priorities


# ---- damage --------------------------------------------------------------------------------------


def flipped(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.choice([1, 1, 4, 40])):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def truncated(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data))])


def page_of_noise(data: bytearray, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) // PAGE) * PAGE
    return bytes(data[:at]) + draw.randbytes(PAGE) + bytes(data[at + PAGE :])


def page_of_zeros(data: bytearray, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) // PAGE) * PAGE
    return bytes(data[:at]) + bytes(PAGE) + bytes(data[at + PAGE :])


def header_changed(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.choice([1, 3])):
        data[draw.randrange(100)] = draw.randrange(256)
    return bytes(data)


DAMAGE: list[Callable[[bytearray, random.Random], bytes]] = [
    flipped,
    truncated,
    page_of_noise,
    page_of_zeros,
    header_changed,
]


@pytest.mark.parametrize("count", ["quick", pytest.param("slow", marks=pytest.mark.slow)])
@pytest.mark.parametrize("damage", DAMAGE)
def test_whatever_is_damaged_a_start_ends_in_words(
    damage: Callable[[bytearray, random.Random], bytes],
    count: str,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fell: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", fell.append)
    data, draw, ends = database.read_bytes(), random.Random(7), Counter[str]()
    for _ in range(DAMAGES[count] // len(DAMAGE)):
        for file in database.parent.glob("ledger.*-*"):
            file.unlink()
        database.write_bytes(damage(bytearray(data), draw))
        try:
            with Service(quiet(str(database)), SystemClock()):
                ends["served"] += 1
        except LedgerError as error:
            ends[error.reason if error.remedy else "no remedy"] += 1
    assert not fell, fell[0].exc_value
    assert ends[Reason.CHAIN_BROKEN] > 0
    assert not ends["no remedy"]
    database.write_bytes(data)
    for file in database.parent.glob("ledger.*-*"):
        file.unlink()
    Service(quiet(str(database)), SystemClock()).stop()  # the control


ENDED: dict[str, Callable[[bytes], bytes]] = {
    "random bytes": lambda data: random.Random(1).randbytes(len(data)),
    "zero length": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "text": lambda data: b"not a database, and long enough to be sure of that " * 20,
    "first page": lambda data: data[:100] + bytes(PAGE - 100) + data[PAGE:],
}


@pytest.mark.parametrize("how", ENDED)
def test_a_damaged_file_ends_serve_with_4_and_what_to_do(how: str, database: Path) -> None:
    damaged = ENDED[how](database.read_bytes())
    database.write_bytes(damaged)
    for more in ([], ["--create", "example.com/fares"]):
        line = ["serve", "--db", str(database), *more, "--listen", "127.0.0.1:0"]
        ran = CliRunner().invoke(app, line)
        assert isinstance(ran.exception, SystemExit), ran.exception
        assert ran.exit_code == 4, ran.stderr
        assert "CHAIN_BROKEN" in ran.stderr
        assert "restore" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert database.read_bytes() == damaged


# ---- rights --------------------------------------------------------------------------------------


def test_only_the_owner_may_read_what_a_server_keeps(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = tmp_path / "made" / "deep" / "ledger.sqlite"
        with served(tmp_path / "log", str(database)) as (server, address):
            with client(address) as ledger:
                prepare(ledger)
                ledger.submit(Observed().rows(10))
                export = ledger.create_export(kind="stream", stream="models/m0")
                until(
                    lambda: ledger.get_export(export.name).state == "READY",
                    "the export is written",
                    seconds=SECONDS,
                )
            kept = sorted((tmp_path / "made").rglob("*"))
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in kept}
            server.kill()
    finally:
        os.umask(before)
    names = {path.name for path in kept}
    assert {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite.key"} <= names
    assert "ledger.projections.sqlite-wal" in names
    assert any(path.name.startswith("events") for path in kept), "the export"
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"
