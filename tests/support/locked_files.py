"""SQLite files for tests of what becomes of them: filled, crashed, swapped, cut, copied."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.storage import Store, open_store
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN, START, VAULT, asking, begun, note

_CRASHING = """
import os, sys
from tests.support.clocks import ManualClock
from tests.support.locked_files import filled
from tests.support.stores import START, begun
store = begun(sys.argv[1], ManualClock(START))
filled(store, int(sys.argv[2]))
os._exit(9)  # as a kill does: nothing is closed
"""


def opened(path: Path) -> Store:
    """Open a store at a path, begun if need be."""
    return begun(str(path), ManualClock(START))


def filled(store: Store, requests: int) -> int:
    """Append so many requests of two events; return the head."""
    for _ in range(requests):
        store.requests.append(asking(*[note(words="x" * 500)] * 2))
    return store.events.head(ORIGIN).position


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


def wal(path: Path) -> Path:
    """Return the log of a database."""
    return path.with_name(path.name + "-wal")


def shm(path: Path) -> Path:
    """Return the index of its log."""
    return path.with_name(path.name + "-shm")


def swapped(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def cut_to_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def run_sql(path: Path, statement: str) -> None:
    """Run a statement in a process of its own, as the `sqlite3` shell does."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()"
    subprocess.run([sys.executable, "-c", code, str(path), statement], check=True)


def backed_up(path: Path, copy: Path) -> None:
    """Copy a database as `sqlite3 FILE ".backup COPY"` does; its log stays as it is."""
    code = (
        "import os, sqlite3, sys; source, target = map(sqlite3.connect, sys.argv[1:]);"
        "source.backup(target); target.close(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(copy)], check=True)


def run_sql_and_crash(path: Path, statement: str) -> None:
    """Run a statement in a process that then crashes, so that the log stays."""
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute(sys.argv[2]).fetchall(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), statement], check=True)
