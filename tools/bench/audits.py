"""How fast a ledger is audited from its database: hashes on one core and on all, rules apart."""

import os
import time
from contextlib import closing
from typing import Final

from ledger.audit.database import DatabaseSource
from ledger.audit.hashing import hash_pass
from ledger.audit.rule_pass import rule_pass
from ledger.audit.second_reading import FirstReading, SecondReading
from ledger.audit.verified_prefix import VerifiedPrefix
from tools.bench import fleet, ledgers, replay
from tools.bench.rows import Peer, Row, at_least, load_average
from tools.bench.run import Progress, Run, fresh

_PROMISED: Final = 150_000


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    size = run.count(replay.LONG, multiple=fleet.BATCH)
    fresh(ledgers.written, run.path(f"ledger-{size}.sqlite"), size)
    cores = len(os.sched_getaffinity(0))
    reading, _ = fresh(_read, run, size)
    alone, load = fresh(_hash, run, size, 1)
    together, load_together = fresh(_hash, run, size, cores)
    rules, replays, load_rules = fresh(_rules, run, size)
    note = f"{size:,} observations, their bodies and the tree, from SQLite"
    bare = Peer("reading the rows alone", reading)
    return [
        Row(
            "audit",
            "audit, hash pass, one core",
            alone,
            "events/s",
            at_least(_PROMISED),
            bare,
            note,
            load,
        ),
        Row(
            "audit",
            "audit, hash pass, every core, for each",
            together / cores,
            "events/s",
            at_least(_PROMISED),
            Peer("one core alone", alone),
            f"{together:,.0f} in all on {cores}, their start included",
            load_together,
        ),
        Row(
            "audit",
            "audit, rules and replay",
            rules,
            "events/s",
            None,
            Peer("hash pass, one core", alone),
            f"{replays} scores and decisions derived again among them, on one core",
            load_rules,
        ),
    ]


def _source(run: Run, size: int) -> DatabaseSource:
    return DatabaseSource(str(run.path(f"ledger-{size}.sqlite")))


def _read(run: Run, size: int) -> tuple[float, float]:
    """Return rows a second, and the load meanwhile."""
    source = _source(run, size)
    started = time.perf_counter()
    count = sum(1 for _ in source.rows(0, source.size))
    return count / (time.perf_counter() - started), load_average()


def _hash(run: Run, size: int, cores: int) -> tuple[float, float]:
    """Return events a second of the hash pass, and the load meanwhile."""
    source, progress = _source(run, size), Progress("hashing", size)
    joined = VerifiedPrefix()
    started = time.perf_counter()
    found = hash_pass(source, joined, cores=cores, progress=lambda done, _: progress.reach(done))
    seconds = time.perf_counter() - started
    assert not found, found[0]
    return joined.position / seconds, load_average()


def _rules(run: Run, size: int) -> tuple[float, int, float]:
    """Return events a second of the rules, how much was replayed, and the load meanwhile."""
    source, progress = _source(run, size), Progress("applying rules", size)
    joined = VerifiedPrefix()
    with closing(FirstReading(joined)) as first:
        assert not hash_pass(source, joined, cores=1, on_joined=lambda _, new: first.take(new))
        started = time.perf_counter()
        again = SecondReading(source, first)
        ruled = rule_pass(again, joined, lambda done, _: progress.reach(done))
        seconds = time.perf_counter() - started
    assert not ruled.findings, ruled.findings[0]
    replays = ruled.checked["replay.score"] + ruled.checked["replay.decision"]
    return joined.position / seconds, replays, load_average()
