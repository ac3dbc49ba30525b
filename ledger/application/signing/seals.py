"""Seals: events that fix how far every stream has come, so that an export of one can be complete.

A seal is as of a position before its own. It costs a pass over the streams' newest events, and
holds none of them in memory.
"""

from typing import Final

from ledger.application.commands import Caller, Written, answered_before
from ledger.application.signing.proofs import Seal
from ledger.chain.merkle import leaf_hash, root_of
from ledger.chain.seal import seal_record
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.proving import AuditCompleted, ExportIssued, RequestsRefused, StreamsSealed
from ledger.events.registry import typed
from ledger.storage.store import AppendRequest, Guard, LedgerInfo, NewEvent, Store

METHOD: Final = "SealStreams"
STREAM: Final = "ledger"

_ATTEMPTS: Final = 20  # each time somebody else sealed first
_PAGE: Final = 500
# What the service records about itself: a schedule that sealed only this would never rest.
_HOUSEKEEPING: Final = frozenset(
    {StreamsSealed.TYPE, RequestsRefused.TYPE, AuditCompleted.TYPE, ExportIssued.TYPE}
)
_TYPES: Final = frozenset({StreamsSealed.TYPE})


class Seals:
    """Seals the streams of one ledger. Safe between threads and servers."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info

    def seal(self, caller: Caller) -> Seal:
        """Seal every stream as of the head; the newest seal if it covers all but itself."""
        answered = answered_before(self._store, self._info, caller, METHOD)
        if answered is not None:
            return self._answer(answered)
        for _ in range(_ATTEMPTS):
            try:
                return self._answer(self._seal(caller, self.newest()))
            except LedgerError as error:
                if error.reason is not Reason.VERSION_CONFLICT:
                    raise
        raise LedgerError(
            Reason.VERSION_CONFLICT,
            f"Others sealed {_ATTEMPTS} times while this seal was being made.",
            remedy="Use the newest seal, or seal again later.",
        )

    def seal_if_new(self, caller: Caller, after: RecordedEvent | None) -> bool:
        """Seal on schedule: if something was recorded since, and no other server sealed."""
        if not self._has_news(after):
            return False
        try:
            self._seal(caller, after)
        except LedgerError as error:
            if error.reason is not Reason.VERSION_CONFLICT:
                raise
            return False
        return True

    def newest(self) -> RecordedEvent | None:
        """Return the newest seal's event, or None."""
        head = self._store.head(self._info.origin).position
        return self._store.latest(self._info.origin, STREAM, _TYPES, at_or_before=head)

    def created_at(self) -> int:
        """Return when the ledger began."""
        first = self._store.event(self._info.origin, 1)
        return first.recorded_at if first is not None else 0

    def _seal(self, caller: Caller, newest: RecordedEvent | None) -> Written:
        """Append a seal after the newest; VERSION_CONFLICT if that is no longer the newest."""
        as_of = self._store.head(self._info.origin).position
        events: list[NewEvent] = []
        covers = newest is not None and newest.position == as_of
        if not covers or typed(newest, StreamsSealed).as_of != as_of - 1:  # type: ignore[arg-type]
            events.append(self._event(caller, as_of))
        request = AppendRequest(
            ledger=self._info.origin,
            actor=caller.actor,
            method=METHOD,
            events=events,  # none: the request is answered, and remembered, all the same
            request_id=caller.request_id,
            digest=caller.digest,
            guards=[Guard(STREAM, _TYPES, after_position=newest.position if newest else 0)],
            deadline_monotonic=caller.deadline_monotonic,
        )
        return Written.of(self._store.append(request))

    def _event(self, caller: Caller, as_of: int) -> NewEvent:
        count = 0

        def counted() -> int:
            nonlocal count
            count += 1
            return count

        root = root_of(
            leaf_hash(
                seal_record(
                    event_hash=head.event_hash.hex(),
                    stream=head.stream,
                    stream_version=head.stream_version,
                )
            )
            for head in self._store.stream_heads(self._info.origin, as_of)
            if counted()
        )
        sealed = StreamsSealed(as_of=as_of, root=root.hex(), streams=count)
        body = encode_body(actor=caller.actor, data=sealed.to_data(), request_id=caller.request_id)
        return NewEvent(STREAM, StreamsSealed.TYPE, body)

    def _answer(self, written: Written) -> Seal:
        """Return the seal that an append wrote or found."""
        event = self._store.latest(self._info.origin, STREAM, _TYPES, at_or_before=written.position)
        assert event is not None, "an answered request was answered with a seal"
        sealed = typed(event, StreamsSealed)
        is_new = written.first_position == written.position
        if not is_new:
            written = Written(
                event.position,
                event.position,
                event.event_hash,
                event.recorded_at,
                repeated=written.repeated,
            )
        return Seal(written, sealed.as_of, bytes.fromhex(sealed.root), sealed.streams)

    def _has_news(self, newest: RecordedEvent | None) -> bool:
        """Return whether anything but the service's own housekeeping came after the newest seal."""
        position = typed(newest, StreamsSealed).as_of if newest is not None else 0
        while page := self._store.read(self._info.origin, after=position, limit=_PAGE):
            if any(event.type not in _HOUSEKEEPING for event in page):
                return True
            position = page[-1].position
        return False
