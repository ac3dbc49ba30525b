"""`kill -9` during load: no acknowledged event is lost or doubled, and the chain is whole.

A loader appends from four threads and acknowledges over a pipe; after a number of acknowledgements
that differs from round to round it is killed in the middle of its work. Then the store is opened
again, verified as a whole, and every acknowledged request is sent once more: it must be answered
with the positions that were acknowledged.
"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.clock import SystemClock
from ledger.storage import AppendRequest, open_store
from ledger.storage.vault import Vault
from tests.support.check_ledger import check_ledger
from tests.support.stores import ORIGIN

ROOT = Path(__file__).parents[2]
ROUNDS = [10, pytest.param(100, marks=pytest.mark.slow)]
READ = 65_536


@pytest.fixture
def loader() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("kill_loader.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    yield process
    process.communicate()
    assert process.returncode == 0


def run_and_kill(
    loader: subprocess.Popen[str], url: str, fifo: Path, turn: int, acknowledgements: int
) -> list[str]:
    """Let the loader work until it has acknowledged so much, kill it; return what it did."""
    assert loader.stdin is not None
    assert loader.stdout is not None
    os.mkfifo(fifo)
    loader.stdin.write(f"{url} {fifo} {turn}\n")
    loader.stdin.flush()
    child = int(loader.stdout.readline())
    heard = b""
    killed = False
    with fifo.open("rb", buffering=0) as pipe:
        while True:
            if not killed and heard.count(b"\n") >= acknowledgements:
                os.kill(child, signal.SIGKILL)
                killed = True
            chunk = pipe.read(READ)
            if not chunk:
                break
            heard += chunk
    assert loader.stdout.readline() == "killed\n"
    return heard.decode().splitlines()


@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_acknowledged_event_is_lost_or_doubled_by_a_kill(
    rounds: int, database_url: str, loader: subprocess.Popen[str], tmp_path: Path
) -> None:
    acknowledged: dict[str, tuple[int, int]] = {}
    # Round 0 kills during the first start; the others after 1 to 37 answers, in no order.
    moments = itertools.cycle([0, 1, 23, 5, 37, 2, 11, 17, 3, 29])
    for turn in range(rounds):
        for line in run_and_kill(loader, database_url, tmp_path / f"{turn}", turn, next(moments)):
            request_id, first, last = line.split()
            acknowledged[request_id] = (int(first), int(last))
        store = open_store(database_url, SystemClock(), create=True, vault=Vault(bytes(32)))
        if any(info.origin == ORIGIN for info in store.ledgers.all()):
            events = check_ledger(store, ORIGIN)
            for request_id in [key for key in acknowledged if key.startswith(f"{turn}-")]:
                again = AppendRequest(ORIGIN, "users/ada", "Load", (), request_id=request_id)
                result = store.requests.append(again)
                assert result.repeated
                assert (result.first_position, result.last_position) == acknowledged[request_id]
            assert store.events.head(ORIGIN).position == len(events)
        store.close()
    taken = [p for first, last in acknowledged.values() for p in range(first, last + 1)]
    assert len(taken) == len(set(taken))
    assert len(acknowledged) > rounds
