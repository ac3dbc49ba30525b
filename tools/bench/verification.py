"""How fast a whole ledger is checked and its projections made again, on one core."""

import hashlib
import time
from collections.abc import Iterator
from typing import Final

from ledger.chain.link import ChainVerifier, Link, header_bytes
from ledger.clock import SystemClock
from ledger.events.envelope import RecordedEvent
from ledger.events.values import format_time
from projections.host import ProjectionHost
from projections.store import ProjectionStore
from tools.bench import fleet, ingest, ledgers, replay
from tools.bench.rows import Peer, Row, at_least, load_average
from tools.bench.run import Progress, Run, fresh

_PAGE: Final = 5_000


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    size = run.count(replay.LONG, multiple=fleet.BATCH)
    fresh(ledgers.written, run.path(f"ledger-{size}.sqlite"), size)
    limit, memory, _ = fresh(_hash_pass, run, size)
    database, load = fresh(_from_database, run, size)
    reading, load_reading = fresh(_read, run, size)
    bare = Peer("SHA-256 of the same bytes", limit)
    alone = Peer("reading the events alone", reading)
    rows = [
        Row(
            "verification",
            "chain verification, hash pass",
            memory,
            "events/s",
            at_least(150_000),
            bare,
            "events in memory",
            load,
        ),
        Row(
            "verification",
            "chain verification from the database",
            database,
            "events/s",
            at_least(150_000),
            alone,
            f"{size:,} observations read, hashed and linked",
            load,
        ),
    ]
    for name in ingest.PROJECTIONS:
        rate, load = fresh(_rebuild, run, size, name)
        rows.append(
            Row(
                "verification",
                f"rebuild of projection {name}",
                rate,
                "events/s",
                at_least(100_000),
                alone,
                "read, folded, stored and compared",
                max(load, load_reading),
            )
        )
    return rows


def _pages(run: Run, size: int) -> Iterator[list[RecordedEvent]]:
    """Yield a ledger's events in pages."""
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        position = 0
        while page := service.store.events.read(fleet.ORIGIN, after=position, limit=_PAGE):
            position = page[-1].position
            yield page


def _links(page: list[RecordedEvent]) -> Iterator[Link]:
    """Yield events as the chain sees them; those of one commit share their time."""
    recorded_at, text = -1, ""
    for event in page:
        if event.recorded_at != recorded_at:
            recorded_at, text = event.recorded_at, format_time(event.recorded_at)
        yield Link(
            event.position,
            event.stream,
            event.stream_version,
            event.type,
            text,
            event.body_bytes,
            event.salt,
            event.body_hash,
            event.prev_hash,
            event.event_hash,
        )


def _hash_pass(run: Run, size: int) -> tuple[float, float, float]:
    """Return events a second of SHA-256 alone and of the verifier, on events in memory."""
    verifier = ChainVerifier(origin=fleet.ORIGIN, strict=False)
    verifying = hashing = 0.0
    count = 0
    for page in _pages(run, size):
        links = list(_links(page))
        inputs = [_inputs(link) for link in links]
        started = time.perf_counter()
        for body, header in inputs:
            hashlib.sha256(body).digest()
            hashlib.sha256(header).digest()
        between = time.perf_counter()
        for link in links:
            verifier.feed(link)
        verifying += time.perf_counter() - between
        hashing += between - started
        count += len(links)
    return count / hashing, count / verifying, load_average()


def _inputs(link: Link) -> tuple[bytes, bytes]:
    """Return the bytes that the two hashes of an event are taken of."""
    header = header_bytes(
        body_hash=link.body_hash.hex(),
        ledger=fleet.ORIGIN,
        position=link.position,
        prev_hash=link.prev_hash.hex(),
        recorded_at=link.recorded_at,
        stream=link.stream,
        stream_version=link.stream_version,
        type_=link.type,
    )
    return b"\x02" + (link.salt or b"") + (link.body or b""), b"\x00" + header


def _from_database(run: Run, size: int) -> tuple[float, float]:
    """Return events a second read from the database and verified, and the load meanwhile."""
    verifier = ChainVerifier(origin=fleet.ORIGIN, strict=False)
    progress = Progress("verifying", size)
    started = time.perf_counter()
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        for number, link in enumerate(service.store.events.links(fleet.ORIGIN)):
            verifier.feed(link)
            if number % _PAGE == 0:
                progress.reach(number)
    return (verifier.next_position - 1) / (time.perf_counter() - started), load_average()


def _read(run: Run, size: int) -> tuple[float, float]:
    """Return events a second read from the database, and the load meanwhile."""
    started = time.perf_counter()
    count = sum(len(page) for page in _pages(run, size))
    return count / (time.perf_counter() - started), load_average()


def _rebuild(run: Run, size: int, name: str) -> tuple[float, float]:
    """Return events a second of a rebuild beside the projection in use, and the load meanwhile."""
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        store = ProjectionStore(str(run.path("rebuilt.sqlite")))
        host = ProjectionHost(service.store.events, fleet.ORIGIN, store, clock=SystemClock())
        host.start()
        progress = Progress(f"rebuilding {name}", size)

        def is_stopped() -> bool:
            progress.reach(max(status.rebuilt_position or 0 for status in host.status()))
            return False

        result = host.rebuild(name, stop=is_stopped)
        host.close()
        store.close()
        assert result.outcome == "equal", result
        return result.events / result.seconds, load_average()
