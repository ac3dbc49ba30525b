"""How long an inclusion proof takes, and that it hardly grows with the tree.

The large tree has leaves only: its tiles are written without events, but for those that are asked
about. Both trees answer through the ledger's own method: event, checkpoint and tiles of one moment,
the proof made from them and checked.
"""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.merkle import CompactRange, memory_reader, prove_inclusion
from ledger.chain.tiles import RightEdge
from ledger.clock import SystemClock
from ledger.storage import CreateLedger, open_store
from ledger.storage.schema import events, heads
from ledger.storage.tile_rows import write_tiles
from tools.bench import fleet, ledgers, replay
from tools.bench.rows import Peer, Row, at_most, load_average, median, percentile
from tools.bench.run import Progress, Run, fresh, say

LARGE: Final = 10_000_000
_ROUNDS: Final = 2
_SAMPLES: Final = 1_000
_WARM_UP: Final = 100
_CHUNK: Final = 65_536


class Proved(NamedTuple):
    """Milliseconds that each proof took, and the load meanwhile."""

    samples: list[float]
    load: float


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    small = run.count(replay.LONG, multiple=fleet.BATCH)
    large = run.count(LARGE, multiple=fleet.BATCH)
    fresh(ledgers.written, run.path(f"ledger-{small}.sqlite"), small)
    size = fresh(_signed, run, small)
    fresh(_grown, run.path(f"tree-{large}.sqlite"), large)
    turns: dict[tuple[str, int], list[Proved]] = {
        (f"ledger-{small}.sqlite", size): [],
        (f"tree-{large}.sqlite", large): [],
    }
    for turn in range(_ROUNDS):
        for (name, leaves), found in turns.items():
            say(f"proving in {leaves:,} leaves, round {turn + 1} of {_ROUNDS}")
            found.append(fresh(_prove, run.path(name), leaves))
    in_small, in_large = map(_together, turns.values())
    memory = Peer("the same from leaves in memory", fresh(_in_memory, small))
    beside = Peer(f"the same in {size:,} events", median(in_small.samples))
    note = f"{len(in_small.samples)} proofs each, of events all over the ledger"
    growth = median(in_large.samples) / median(in_small.samples)
    return [
        Row(
            "proofs",
            "inclusion proof, p50",
            percentile(in_small.samples, 50),
            "ms",
            at_most(2),
            memory,
            f"{size:,} events; {note}",
            in_small.load,
        ),
        Row(
            "proofs",
            "inclusion proof in a tree without bodies, p50",
            percentile(in_large.samples, 50),
            "ms",
            None,
            beside,
            f"{large:,} leaves",
            in_large.load,
        ),
        Row(
            "proofs",
            "inclusion proof p50, large tree against small",
            growth,
            "×",
            at_most(1.3),
            None,
            f"{large:,} leaves against {size:,}",
            max(in_small.load, in_large.load),
        ),
    ]


def _together(rounds: list[Proved]) -> Proved:
    return Proved(
        [sample for one in rounds for sample in one.samples], max(one.load for one in rounds)
    )


def _positions(size: int) -> list[int]:
    """Return positions all over a ledger, the same in every run."""
    numbers = (hashlib.sha256(f"position {n}".encode()).digest() for n in range(_SAMPLES))
    return [int.from_bytes(number[:8], "big") % size + 1 for number in numbers]


def _signed(run: Run, small: int) -> int:
    """Sign the head of the ledger with events; return its size."""
    with fleet.still(str(run.path(f"ledger-{small}.sqlite"))) as service:
        return service.ledger().attestation.checkpoints.sign().size


def _grown(path: Path, size: int) -> None:
    """Write a ledger of which there is only the tree, its head, and the events asked about."""
    store = open_store(str(path), SystemClock(), create=True)
    info = store.ledgers.create(CreateLedger(fleet.ORIGIN, "data", 300, "users/ana"))
    first = [event.event_hash for event in store.events.read(info.origin)]
    wanted = {*_positions(size)} - {1, 2}
    edge = RightEdge.load(
        CompactRange.from_bytes(store.events.head(info.origin).tree),
        lambda places: store.proofs.tiles(info.origin, places),
    )
    rows: list[dict[str, Any]] = []
    progress = Progress(f"growing {path.name}", size)
    with store._database.writer.begin() as connection:  # noqa: SLF001 - no append does this
        for leaves in _leaves(len(first), size):
            at = edge.size
            rows += [
                _header_only(info.ledger_id, position, leaves[position - at - 1])
                for position in range(at + 1, at + len(leaves) + 1)
                if position in wanted
            ]
            write_tiles(connection, info.ledger_id, edge.extend(leaves))
            progress.reach(edge.size)
        connection.execute(events.insert(), rows)
        connection.execute(heads.update().values(position=size, tree=edge.tree.to_bytes()))
    store.keys.adopt(info.origin, store.events.head(info.origin))
    key = store.keys.opened(info.origin)[info.vkey]
    note = sign(CheckpointBody(info.origin, size, edge.root()), [key]).decode()
    assert store.proofs.save_checkpoint(info.origin, size, note, after=0)
    store.close()


def _leaves(start: int, end: int) -> Iterator[list[bytes]]:
    """Yield leaf hashes from index `start` on, many at a time."""
    for at in range(start, end, _CHUNK):
        numbers = range(at, min(at + _CHUNK, end))
        yield [hashlib.sha256(number.to_bytes(8, "big")).digest() for number in numbers]


def _header_only(ledger_id: int, position: int, leaf: bytes) -> dict[str, Any]:
    """Return the row of an event of which only the place and the hash matter."""
    return {
        "ledger_id": ledger_id,
        "position": position,
        "stream": "bench/leaves",
        "stream_version": position,
        "type": "leaf.counted.v1",
        "recorded_at": 0,
        "body_hash": bytes(32),
        "prev_hash": bytes(32),
        "event_hash": leaf,
    }


def _prove(path: Path, size: int) -> Proved:
    """Prove events all over a ledger in the tree of a size, each with a watch in hand."""
    with fleet.still(str(path)) as service:
        ledger = service.ledger()
        positions = _positions(size)
        for position in positions[:_WARM_UP]:
            ledger.attestation.prover.inclusion(position, size)
        samples = []
        for position in positions:
            started = time.perf_counter()
            proof = ledger.attestation.prover.inclusion(position, size)
            samples.append((time.perf_counter() - started) * 1000)
            assert proof.position == position
        return Proved(samples, load_average())


def _in_memory(size: int) -> float:
    """Return the median milliseconds of a proof when every hash is in memory."""
    read = memory_reader([leaf for leaves in _leaves(0, size) for leaf in leaves])
    samples = []
    for position in _positions(size):
        started = time.perf_counter()
        prove_inclusion(position - 1, size, read)
        samples.append((time.perf_counter() - started) * 1000)
    return median(samples)
