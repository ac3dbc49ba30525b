"""The peers of the ledger: they get the same bodies in the same batches, on the same disk.

`raw`      SQLite and SHA-256 in one loop: durable, chained and nothing else; no ledger can pass
           it on this machine, interpreter and database.
`library`  the SQLite recorder that comes with `eventsourcing`: durable and ordered, no hashes, no
           validation, no network.
`umadb`    an event store written in Rust, over gRPC on loopback with its own client: durable and
           ordered, no hashes, no validation.

Each function runs in a process of its own and returns events per second.
"""

import hashlib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import umadb
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from ledger.application.commands import model_stream
from ledger.chain.link import GENESIS, header_bytes
from ledger.events.fast import observed_body, observed_body_parts
from ledger.events.signals import SignalObserved
from ledger.events.values import format_time
from tools.bench import fleet

_START_SECONDS: Final = 20.0
_SALT: Final = bytes(16)


def bodies(count: int, size: int) -> Iterator[list[tuple[str, bytes]]]:
    """Yield batches of (stream, body): the bytes that the ledger would store."""
    parts = observed_body_parts(fleet.MONITOR, "run-1")
    for rows in fleet.batches(count, fleet.MINUTE, size):
        yield [
            (
                model_stream(model),
                observed_body(parts, version, format_time(at), samples, signal, str(value)),
            )
            for model, signal, version, value, at, samples in rows
        ]


def raw(folder: Path, count: int, size: int) -> float:
    """Return events a second of a loop that hashes, inserts and commits."""
    connection = sqlite3.connect(folder / f"raw-{size}.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT, version INTEGER,"
        " type TEXT, body BLOB, salt BLOB, body_hash BLOB, prev_hash BLOB, event_hash BLOB)"
    )
    work = list(bodies(count, size))
    previous: bytes = GENESIS
    versions: Counter[str] = Counter()
    position = 0
    started = time.perf_counter()
    for batch in work:
        rows = []
        recorded_at = format_time(fleet.START)
        for stream, body in batch:
            position += 1
            versions[stream] += 1
            body_hash = hashlib.sha256(b"\x02" + _SALT + body).digest()
            header = header_bytes(
                body_hash=body_hash.hex(),
                ledger=fleet.ORIGIN,
                position=position,
                prev_hash=previous.hex(),
                recorded_at=recorded_at,
                stream=stream,
                stream_version=versions[stream],
                type_=SignalObserved.TYPE,
            )
            hash_ = hashlib.sha256(b"\x00" + header).digest()
            row = (position, stream, versions[stream], SignalObserved.TYPE, body, _SALT)
            rows.append((*row, body_hash, previous, hash_))
            previous = hash_
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?)", rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return count / seconds


def library(folder: Path, count: int, size: int) -> float:
    """Return events a second of the recorder of `eventsourcing`, called directly."""
    store = SQLiteDatastore(str(folder / f"library-{size}.sqlite"), originator_id_type="text")
    recorder = SQLiteApplicationRecorder(store)
    recorder.create_table()
    versions: Counter[str] = Counter()
    work = []
    for batch in bodies(count, size):
        stored = []
        for stream, body in batch:
            versions[stream] += 1
            stored.append(StoredEvent(stream, versions[stream], SignalObserved.TYPE, body))
        work.append(stored)
    started = time.perf_counter()
    for stored in work:
        recorder.insert_events(stored)
    seconds = time.perf_counter() - started
    store.close()
    return count / seconds


def rust(folder: Path, count: int, size: int, callers: int) -> float:
    """Return events a second of umadb with this many callers, each with one append under way."""
    work = [
        [umadb.Event(SignalObserved.TYPE, body, tags=[stream]) for stream, body in batch]
        for batch in bodies(count, size)
    ]
    with _umadb_server(folder / f"umadb-{size}") as url:
        shares = [work[number::callers] for number in range(callers)]
        threads = [threading.Thread(target=_append_all, args=(url, share)) for share in shares]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        head = umadb.Client(url).head()
    assert head == count, f"umadb holds {head} events of {count}"
    return count / seconds


def _append_all(url: str, work: Sequence[list[umadb.Event]]) -> None:
    client = umadb.Client(url)
    for events in work:
        client.append(events)


@contextmanager
def _umadb_server(database: Path) -> Iterator[str]:
    """Run umadb's server in a process of its own; yields where it listens."""
    database.mkdir()
    address = f"127.0.0.1:{free_port()}"
    program = "from umadb.umadb_server_cli import main; main()"
    command = [sys.executable, "-c", program, "--listen", address, "--db-path", str(database)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(address, server)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port of loopback on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    host, _, port = address.partition(":")
    deadline = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("umadb did not start")
