"""Stored rows are hashed again before a tree over them is signed, here or in a process of its own.

What was appended is not believed because it is stored: header and body of each row are hashed as
they stand, linked, and put into the tree that was signed before. The result is compared with the
stored head by the signer.

`python -m ledger.storage.rehash` is the process: its standard input begins with a line that names
the database (no argument: it may hold a password), then takes one line for each batch,
`ORIGIN FIRST LAST PREV_HASH TREE`, hashes in hex, TREE being `CompactRange.to_bytes` of all events
before FIRST. It answers each with `ok EVENT_HASH TREE`, `broken POSITION WHY` or `failed WHY`, and
ends with its input, so also when its parent dies.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from ledger.chain.link import hash_page
from ledger.chain.merkle import CompactRange
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.storage.database import open_database, unavailable
from ledger.storage.events import Events, timed
from ledger.storage.sealed_keys import SealedKeys
from ledger.storage.view import View

INLINE_EVENTS_MAX: Final = 2_000  # above: cheaper to ask the other process than to hash here
NICENESS: Final = 5  # the process gives way to the server that appends meanwhile
_ROOT: Final = Path(__file__).resolve().parents[2]
_PARTS: Final = len(("origin", "first", "last", "prev_hash", "tree"))


class Rehashed(NamedTuple):
    """Where hashing led: the last event's hash, and the tree over everything up to it."""

    event_hash: bytes
    tree: CompactRange


def rehash(
    recorded: Events, ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange
) -> Rehashed:
    """Hash the rows from `first` to `last` again, after the event with `prev_hash`.

    `tree` is that of all events before `first`; it is left as it is. CHAIN_BROKEN names the first
    row that is not what its hash says, is not linked, or is missing; STORE_UNAVAILABLE where the
    database does not give them.
    """
    assert tree.size == first - 1
    grown, at = tree.copy(), first
    for page in recorded.rows_raw(ledger, after=first - 1, until=last):
        leaves = hash_page(timed(page), ledger, at, prev_hash)
        grown.extend(leaves)
        at, prev_hash = at + len(leaves), leaves[-1]
    if at != last + 1:
        raise chain_broken(at, f"it is missing; events up to {last} were appended")
    return Rehashed(prev_hash, grown)


Rehash = Callable[[str, int, int, bytes, CompactRange], Rehashed]
"""Takes a ledger, first and last position, the hash before the first, and the tree before it."""


class RehashProcess:
    """Hashes in a process of its own, so that it takes no time from the one that appends.

    The process starts with the first batch; after a death the next batch starts another. Safe
    between threads, which wait for each other.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def rehash(
        self, ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange
    ) -> Rehashed:
        """Hash a batch as the function `rehash` does; STORE_UNAVAILABLE if the process failed."""
        question = f"{ledger} {first} {last} {prev_hash.hex()} {tree.to_bytes().hex()}\n"
        with self._lock:
            answer = self._ask(question)
        kind, _, rest = answer.rstrip("\n").partition(" ")
        if kind == "broken":
            position, _, why = rest.partition(" ")
            raise chain_broken(int(position), why)
        if kind != "ok":
            raise _failed(rest or "it has ended")
        event_hash, grown = rest.split(" ")
        return Rehashed(bytes.fromhex(event_hash), CompactRange.from_bytes(bytes.fromhex(grown)))

    def close(self) -> None:
        """End the process; one that hashes is not waited for."""
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._forget()

    def _ask(self, question: str) -> str:
        """Return the answer to a line; empty if the process died over it."""
        process = self._process
        if process is None or process.poll() is not None:
            self._forget()
            process = self._process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(question)
            process.stdin.flush()
            return process.stdout.readline()
        except OSError:
            return ""

    def _start(self) -> "subprocess.Popen[str]":
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "ledger.storage.rehash"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
                errors="backslashreplace",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # an interrupt of the terminal is the server's to hear
            )
            assert process.stdin is not None
            process.stdin.write(f"{self._url}\n")
        except OSError as error:
            raise _failed(str(error)) from error
        return process

    def _forget(self) -> None:
        """Take leave of a process that is over."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what it was still to be told
                continue
        process.wait()


def rehasher(recorded: Events, process: RehashProcess | None = None) -> Rehash:
    """Return what hashes events again; all of them here where there is no process to ask."""

    def again(ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange) -> Rehashed:
        if process is None or last - first < INLINE_EVENTS_MAX:
            return rehash(recorded, ledger, first, last, prev_hash, tree)
        return process.rehash(ledger, first, last, prev_hash, tree)

    return again


def _failed(why: str) -> LedgerError:
    return unavailable(
        f"The process that hashes events before they are signed failed: {why}.",
        remedy="It is started again with the next checkpoint; see the log if this goes on.",
    )


def serve(lines: TextIO, out: TextIO) -> None:
    """Answer batches until the input ends."""
    url = lines.readline().rstrip("\n")
    if not url:
        return
    database = open_database(url, read_only=True)
    try:
        recorded = Events(View(database))
        is_known = False
        for line in lines:
            try:
                if not is_known:
                    database.prepare(SealedKeys(None, None, SystemClock(), read_only=True))
                    is_known = True
                answer = _answer(recorded, line)
            except LedgerError as error:
                answer = _one_line(f"failed {error}")
            out.write(f"{answer}\n")
            out.flush()
    finally:
        database.close()


def _answer(recorded: Events, line: str) -> str:
    """Return the answer to one line."""
    parts = line.split()
    if len(parts) != _PARTS:
        return "failed the line is not ORIGIN FIRST LAST PREV_HASH TREE"
    origin, first, last, prev_hash, tree = parts
    try:
        before = CompactRange.from_bytes(bytes.fromhex(tree))
        done = rehash(recorded, origin, int(first), int(last), bytes.fromhex(prev_hash), before)
    except LedgerError as error:
        if error.reason is Reason.CHAIN_BROKEN:
            return _one_line(f"broken {error.metadata['position']} {error.metadata['why']}")
        return _one_line(f"failed {error}")
    return f"ok {done.event_hash.hex()} {done.tree.to_bytes().hex()}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    os.nice(NICENESS)
    serve(sys.stdin, sys.stdout)
