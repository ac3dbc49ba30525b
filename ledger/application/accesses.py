"""Reads of every ledger that is served: noted at no cost to them, and recorded now and then.

No read waits for what is recorded, or fails by it: what cannot be recorded is kept within the
bounds of `reads`. Events whose recording was not answered may be on record: they are looked for
there, and sent once more if they are missing.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from ledger.application.appender import Appender
from ledger.application.commands import Caller
from ledger.application.periodic_task import PeriodicTask, try_each
from ledger.application.reads import Reading, Reads
from ledger.application.workers import Workers
from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.events.access import AccessRecorded, ReadsCounted
from ledger.setting_sections import AccessSettings
from ledger.storage.store import Store

CALLER: Final = Caller("system/access")
_METHOD: Final = "AccessRecorded"
_TRIES: Final = 20  # each time another server recorded first
_LOOK_SECONDS: Final = 15.0
_ACCESSES_PER_APPEND: Final = 100
_log: Final = structlog.get_logger("ledger.accesses")


@dataclass(slots=True)
class RecordedReads:
    """How many reads were recorded as counts, and how many accesses one by one."""

    reads: int = 0
    accesses: int = 0


@dataclass(slots=True)
class _Kept:
    """The reads of one ledger, and since when they are counted."""

    reads: Reads
    counted_since: float


@dataclass(slots=True)
class _Sent:
    """Events that are to be recorded behind a position, and may be on record there."""

    events: list[ReadsCounted | AccessRecorded]
    after: int


class Accesses:
    """Notes reads and records them. Safe between threads.

    `served` returns the origins of the ledgers that take such events; it is called for each read.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: AccessSettings,
        served: Callable[[], Collection[str]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._served = served
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._sent: dict[str, _Sent] = {}
        self._recorded: dict[str, RecordedReads] = {}
        self._round: PeriodicTask | None = None
        self.seconds: Final = settings.seconds
        """How often counts are recorded; 0 for never."""
        self.kinds: Final = sorted(set(settings.recorded))
        """The kinds of accesses that are recorded."""
        if self.seconds or self.kinds:
            pause = min(self.seconds or _LOOK_SECONDS, _LOOK_SECONDS)
            self._round = PeriodicTask("record reads", self.record, pause, clock)

    def start(self, workers: Workers) -> None:
        """Begin to record."""
        if self._round is not None:
            self._round.start(workers)

    def stop(self) -> None:
        """Record what is left, and end."""
        if self._round is None:
            return
        self._round.stop()
        self._round = None
        try:
            self.record(is_last=True)
        except LedgerError as error:
            _log.error("accesses.lost", why=error.message)

    def note(self, origin: str, reading: Reading) -> None:
        """Note what a call was answered, on the ledger that it is about."""
        if self._round is None or origin not in self._served():
            return
        with self._lock:
            kept = self._kept.get(origin)
            if kept is None:
                reads = Reads(self._clock, self.kinds, is_counting=self.seconds > 0)
                kept = self._kept[origin] = _Kept(reads, self._clock.elapsed_seconds())
            kept.reads.note(reading)

    def recorded(self, origin: str) -> RecordedReads:
        """Return what it has recorded on a ledger."""
        return self._recorded.get(origin, RecordedReads())

    def record(self, *, is_last: bool = False) -> None:
        """Append what is due to each ledger; what cannot be appended is kept."""
        with self._lock:
            for kept in self._kept.values():
                kept.reads.close(is_last=is_last)
            origins = list(self._kept)
        try_each(origins, partial(self._record, is_last=is_last))

    def _record(self, origin: str, *, is_last: bool) -> None:
        """Record what was sent before and not answered, then what is due since."""
        self._settle(origin)
        while True:
            after = self._store.events.head(origin).position
            events = self._taken(origin, is_last=is_last)
            if not events:
                return
            self._sent[origin] = _Sent(events, after)
            self._settle(origin)

    def _taken(self, origin: str, *, is_last: bool) -> list[ReadsCounted | AccessRecorded]:
        """Take what is due, as far as it fits one append."""
        elapsed = self._clock.elapsed_seconds()
        with self._lock:
            kept = self._kept[origin]
            taken: list[ReadsCounted | AccessRecorded] = []
            taken += kept.reads.accesses(_ACCESSES_PER_APPEND)
            if is_last or elapsed - kept.counted_since >= self.seconds:
                kept.counted_since = elapsed
                counted = kept.reads.counted()
                if counted is not None:
                    taken.append(counted)
        return taken

    def _settle(self, origin: str) -> None:
        """See to it that what was sent is on record, once."""
        sent = self._sent.get(origin)
        if sent is None:
            return
        appender = Appender(self._store, origin)
        appender.append_once(CALLER, _METHOD, sent.events, sent.after, tries=_TRIES)
        del self._sent[origin]
        recorded = self._recorded.setdefault(origin, RecordedReads())
        for event in sent.events:
            if isinstance(event, ReadsCounted):
                recorded.reads += event.total
            else:
                recorded.accesses += 1
