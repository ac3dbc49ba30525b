"""Seals: events that fix how far every stream has come, so that an export of one can be complete.

A seal is as of a position before its own. It costs a pass over the streams' newest events, and
holds none of them in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.chain.seal import seal_record, seal_root
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import StreamsSealed
from ledger.events.registry import HOUSEKEEPING_TYPES, typed
from ledger.storage.records import AppendResult, Guard, LedgerInfo, StreamHead
from ledger.storage.store import Store

_TRIES: Final = 20  # each time another server sealed first
_PAGE: Final = 500
_TYPES: Final = frozenset({StreamsSealed.TYPE})


@dataclass(frozen=True, slots=True)
class RecordedSeal:
    """A seal over all streams as they were at position `as_of`; `written` says where it is."""

    written: AppendResult
    as_of: int
    root: bytes
    streams: int


class Seals:
    """Seals the streams of one ledger. Safe between threads and servers."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self.scheduled = 0
        """How many it has made on schedule."""

    def seal(self, caller: Caller) -> RecordedSeal:
        """Seal every stream as of the head; the newest seal if it covers all but itself."""
        written = self._appender.append(
            caller,
            StreamsSealed.METHOD,
            lambda: self._proposal(self.newest()),
            tries=_TRIES,
            refusal=lambda _: LedgerError(
                Reason.VERSION_CONFLICT,
                f"Others sealed {_TRIES} times while this seal was being made.",
                remedy="Use the newest seal, or seal again later.",
            ),
        )
        return self._answer(written)

    def seal_if_new(self, caller: Caller, after: RecordedEvent | None) -> bool:
        """Seal on schedule: if something was recorded since, and no other server sealed."""
        if not self._has_news(after):
            return False
        try:
            self._appender.append(caller, StreamsSealed.METHOD, lambda: self._proposal(after))
        except LedgerError as error:
            if error.reason is not Reason.VERSION_CONFLICT:
                raise
            return False
        self.scheduled += 1
        return True

    def newest(self) -> RecordedEvent | None:
        """Return the newest seal's event, or None."""
        return self._newest(self._store.events.head(self._info.origin).position)

    def created_at(self) -> int:
        """Return when the ledger began."""
        first = self._store.events.event(self._info.origin, 1)
        return first.recorded_at if first is not None else 0

    def _newest(self, at_or_before: int) -> RecordedEvent | None:
        origin, stream = self._info.origin, StreamsSealed.STREAM
        return self._store.events.latest(origin, stream, _TYPES, at_or_before=at_or_before)

    def _proposal(self, newest: RecordedEvent | None) -> Proposal:
        """Return a seal after the newest; nothing where that covers all but itself."""
        as_of = self._store.events.head(self._info.origin).position
        is_sealed = (
            newest is not None
            and newest.position == as_of
            and (typed(newest, StreamsSealed).as_of == as_of - 1)
        )
        after = newest.position if newest else 0
        return Proposal(
            () if is_sealed else [Addition.of(self._sealed(as_of))],
            guards=[Guard(StreamsSealed.STREAM, _TYPES, after_position=after)],
        )

    def _sealed(self, as_of: int) -> StreamsSealed:
        streams = 0

        def records() -> Iterator[bytes]:
            nonlocal streams
            for head in self._store.proofs.stream_heads(self._info.origin, as_of):
                streams += 1
                yield record_of(head)

        root = seal_root(records()).hex()
        return StreamsSealed(as_of=as_of, root=root, streams=streams)

    def _answer(self, written: AppendResult) -> RecordedSeal:
        """Return the seal that an append wrote or found."""
        event = self._newest(written.last_position)
        assert event is not None, "an answered request was answered with a seal"
        sealed = typed(event, StreamsSealed)
        if written.first_position != written.last_position:  # nothing new: what was there answers
            at, recorded_at = event.position, event.recorded_at
            written = AppendResult(at, at, recorded_at, event.event_hash, written.repeated)
        return RecordedSeal(written, sealed.as_of, bytes.fromhex(sealed.root), sealed.streams)

    def _has_news(self, newest: RecordedEvent | None) -> bool:
        """Return whether anything but housekeeping came after the newest seal.

        A schedule that sealed what it recorded itself would never rest.
        """
        position = typed(newest, StreamsSealed).as_of if newest is not None else 0
        while page := self._store.events.read(self._info.origin, after=position, limit=_PAGE):
            if any(event.type not in HOUSEKEEPING_TYPES for event in page):
                return True
            position = page[-1].position
        return False


def record_of(head: StreamHead) -> bytes:
    """Return what a seal is made of for one stream."""
    return seal_record(
        event_hash=head.event_hash.hex(), stream=head.stream, stream_version=head.stream_version
    )
