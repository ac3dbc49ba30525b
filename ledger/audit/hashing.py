"""The hash pass over a whole ledger: stretches on every core, joined in order.

Small ledgers are checked in this process, since starting others takes longer than the checking.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Final

from ledger.audit.segment import SEGMENT, Segment, check_segment
from ledger.audit.source import Finding, LedgerSource, Opener
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.events.horizons import HorizonFacts, Horizons
from ledger.worker_process import WorkerProcess

ALONE_MAX: Final = 2 * SEGMENT
"""Up to so many events no other process is started."""

Progress = Callable[[int, int], None]
"""Told how many events are done, of how many."""

_opened: list[LedgerSource] = []
"""The source that a process of its own has opened."""


def hash_pass(
    source: LedgerSource,
    joined: VerifiedPrefix,
    *,
    cores: int = 0,
    extra: Sequence[int] = (),
    horizons: Horizons | None = None,
    progress: Progress | None = None,
    on_joined: Callable[[VerifiedPrefix, bytes], None] | None = None,
) -> list[Finding]:
    """Extend `joined` to the source's size; returns what does not hold up to the first bad event.

    `cores` 0 means all of them. `extra` are sizes at which the root is wanted besides those of kept
    checkpoints. `horizons` are held to what is hashed, where they are given. `on_joined` is called
    after each stretch, in order, with its hashes.
    """
    findings: list[Finding] = []
    is_judging = horizons is not None
    for segment in _segments(source, joined.position, cores, extra, has_horizons=is_judging):
        found = joined.add(segment)
        if horizons is not None:
            findings += _broken(horizons, segment.concerned)
        findings += found
        if progress is not None:
            progress(joined.position, source.size)
        if any(finding.rule == "chain" for finding in found):
            break
        if on_joined is not None:
            on_joined(joined, segment.leaves)
    else:
        if all(len(root) for root in joined.whole):
            findings += joined.check_upper_tiles(source)
    return sorted(findings, key=lambda finding: finding.position)


def _broken(horizons: Horizons, concerned: Sequence[HorizonFacts]) -> Iterator[Finding]:
    """Yield what should have known what came before it, or was begun by another than can be."""
    for facts in concerned:
        if (what := horizons.take(facts)) is not None:
            rule = "triggers" if what == facts.trigger_fault else "horizons.unbroken"
            yield Finding(rule, facts.position, what)


def _bounds(after: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches after a position, each up to the end of a whole one."""
    while after < size:
        end = min((after // SEGMENT + 1) * SEGMENT, size)
        yield after + 1, end
        after = end


def _segments(
    source: LedgerSource, after: int, cores: int, extra: Sequence[int], *, has_horizons: bool
) -> Iterator[Segment]:
    """Yield the checked stretches in order."""
    workers = cores or len(os.sched_getaffinity(0))
    bounds = _bounds(after, source.size)
    if workers < 2 or source.opener is None or source.size - after <= ALONE_MAX:
        for first, last in bounds:
            yield check_segment(source, first, last, extra, has_horizons=has_horizons)
        return
    processes = [WorkerProcess() for _ in range(workers)]
    idle: SimpleQueue[WorkerProcess] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def ask(first: int, last: int) -> Segment:
        process = idle.get()
        try:
            there = partial(_check_there, has_horizons=has_horizons)
            return process.call(there, source.opener, first, last, tuple(extra))
        finally:
            idle.put(process)

    threads = ThreadPoolExecutor(workers, "audit")
    waiting: deque[Future[Segment]] = deque()
    try:
        for first, last in bounds:
            waiting.append(threads.submit(ask, first, last))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for process in processes:
            process.close()
        threads.shutdown()


def _check_there(
    opener: Opener, first: int, last: int, extra: tuple[int, ...], *, has_horizons: bool
) -> Segment:
    """Check a stretch in a process of its own, which opens the source once."""
    if not _opened:
        _opened.append(opener())
    return check_segment(_opened[0], first, last, extra, has_horizons=has_horizons)
