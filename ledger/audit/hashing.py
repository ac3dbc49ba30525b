"""The hash pass over a whole ledger: stretches on every core, joined in order.

Small ledgers are checked in this process, since starting others takes longer than the checking.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final

from ledger.audit.joining import VerifiedPrefix
from ledger.audit.segment import SEGMENT, Segment, check_segment
from ledger.audit.source import Finding, LedgerSource, Opener

ALONE_MAX: Final = 2 * SEGMENT
"""Up to so many events no other process is started."""

Progress = Callable[[int, int], None]
"""Told how many events are done, of how many."""

_opened: list[LedgerSource] = []


def hash_pass(
    source: LedgerSource,
    joined: VerifiedPrefix,
    *,
    cores: int = 0,
    extra: Sequence[int] = (),
    progress: Progress | None = None,
    on_joined: Callable[[VerifiedPrefix], None] | None = None,
) -> list[Finding]:
    """Extend `joined` to the source's size; returns what does not hold up to the first bad event.

    `cores` 0 means all of them. `extra` are sizes at which the root is wanted besides those of kept
    checkpoints. `on_joined` is called after each stretch, in order.
    """
    findings: list[Finding] = []
    for segment in _segments(source, joined.position, cores, extra):
        found = joined.add(segment)
        findings += found
        if progress is not None:
            progress(joined.position, source.size)
        if any(finding.rule == "chain" for finding in found):
            break
        if on_joined is not None:
            on_joined(joined)
    else:
        if all(len(root) for root in joined.whole):
            findings += joined.check_upper_tiles(source)
    return sorted(findings, key=lambda finding: finding.position)


def _bounds(after: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches after a position, each up to the end of a whole one."""
    while after < size:
        end = min((after // SEGMENT + 1) * SEGMENT, size)
        yield after + 1, end
        after = end


def _segments(
    source: LedgerSource, after: int, cores: int, extra: Sequence[int]
) -> Iterator[Segment]:
    """Yield the checked stretches in order."""
    workers = cores or len(os.sched_getaffinity(0))
    bounds = _bounds(after, source.size)
    if workers < 2 or source.opener is None or source.size - after <= ALONE_MAX:
        for first, last in bounds:
            yield check_segment(source, first, last, extra)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_open, initargs=(source.opener,))
    waiting: deque[Future[Segment]] = deque()
    try:
        for first, last in bounds:
            waiting.append(pool.submit(_check, first, last, tuple(extra)))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


def _open(opener: Opener) -> None:
    """Open the source in a worker; who interrupts the audit interrupts the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _opened[:] = [opener()]


def _check(first: int, last: int, extra: tuple[int, ...]) -> Segment:
    return check_segment(_opened[0], first, last, extra)
