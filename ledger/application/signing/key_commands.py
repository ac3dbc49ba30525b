"""Rotating and revoking the keys of a ledger.

The key that takes over was committed by its digest when the one before it came, so a thief of
the signing key of today cannot name the one of tomorrow. Each rotation draws and commits the next.
"""

from collections.abc import Sequence
from typing import Final

from ledger.application.commands import Caller, Written, answered_before
from ledger.application.signing.keyring import Keyring, no_key
from ledger.application.signing.proofs import KeyRecord, Keys, KeyState, KeyWritten
from ledger.chain.key_history import KeyHistory, KeySpan, vkey_digest
from ledger.chain.keys import SigningKey
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.base import EventData
from ledger.events.envelope import encode_body
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.limits import TEXT_CHARS_MAX
from ledger.storage.store import AppendRequest, Guard, LedgerInfo, NewEvent, Store

OVERLAP_DEFAULT: Final = 1_000
OVERLAP_MAX: Final = 1_000_000_000
STREAM: Final = "ledger"

_KEY_TYPES: Final = frozenset({KeyRotated.TYPE, KeyCommitted.TYPE, KeyRevoked.TYPE})
_SERVICE: Final = "system/keys"


class KeyCommands:
    """Changes which keys sign for one ledger. Safe between threads and servers."""

    def __init__(self, store: Store, info: LedgerInfo, keyring: Keyring) -> None:
        self._store = store
        self._info = info
        self._keyring = keyring

    def keys(self) -> Keys:
        """Return every key of the ledger and the digest of the next."""
        history = self._keyring.history()
        head = self._store.head(self._info.origin).position
        records = tuple(self._record(span, head) for span in history.spans)
        return Keys(records, bytes.fromhex(history.next_key_digest or ""))

    def commit_first(self) -> None:
        """Commit the next key of a ledger that was begun before next keys were committed."""
        history = self._keyring.history()
        key = self._keyring.uncommitted(history)
        if key is None:
            return
        committed = KeyCommitted(next_key_digest=vkey_digest(str(key.verifier_key)))
        try:
            self._append(Caller(_SERVICE), "CommitKey", [committed], guards=[self._guard()])
        except LedgerError as error:
            if error.reason is not Reason.VERSION_CONFLICT:  # else another server has done it
                raise

    def rotate(self, caller: Caller, overlap: int = OVERLAP_DEFAULT) -> KeyWritten:
        """Let the committed key take over; both sign the next `overlap` sizes.

        VERSION_CONFLICT while an earlier rotation's overlap lasts, or when keys change meanwhile.
        """
        if not 0 <= overlap <= OVERLAP_MAX:
            raise invalid_field("overlap", f"must be from 0 to {OVERLAP_MAX}")
        answered = answered_before(self._store, self._info, caller, "RotateKey")
        if answered is not None:
            return self._rotated(answered)
        guard = self._guard()
        history = self._keyring.history()
        head = self._store.head(self._info.origin).position
        active = history.valid_at(head + 1)
        if not history.spans:
            raise no_key(self._info.origin)
        if len(active) > 1:
            raise LedgerError(
                Reason.VERSION_CONFLICT,
                "Two keys sign at present: the overlap of an earlier rotation has not ended.",
                remedy="Rotate again once it has, or revoke the key that should end now.",
                metadata={"active_keys": str(len(active))},
            )
        events, next_key = self._take_over(caller, history, overlap)
        result = self._append(
            caller, "RotateKey", events, guards=[guard], keys=[next_key], is_request=True
        )
        self._keyring.forget()
        return self._rotated(result)

    def revoke(self, caller: Caller, vkey: str, from_position: int, reason: str) -> KeyWritten:
        """Declare that what a key signed counts for nothing from a size on.

        If no other key signs, the committed one takes over at once. KEY_UNKNOWN where the ledger
        has no such key, or revoked it from there already.
        """
        if not 1 <= len(reason) <= TEXT_CHARS_MAX:
            raise invalid_field("reason", f"must have 1 to {TEXT_CHARS_MAX} characters")
        answered = answered_before(self._store, self._info, caller, "RevokeKey")
        if answered is not None:
            return KeyWritten(answered, self._of(vkey))
        guard = self._guard()
        history = self._keyring.history()
        head = self._store.head(self._info.origin).position
        spans = [span for span in history.spans if span.vkey == vkey]
        if not spans or any(
            span.revoked_from is not None and span.revoked_from <= from_position for span in spans
        ):
            raise _unknown(vkey, from_position)
        if not 1 <= from_position <= head + 1:
            raise invalid_field("from_position", f"must be from 1 to {head + 1}, the next position")
        revoked = KeyRevoked(vkey=vkey, from_position=from_position, reason=reason)
        events: list[EventData | _TakeOver] = []
        keys: list[SigningKey] = []
        if spans[-1] is history.spans[-1]:  # first: at no size is the ledger without a key
            events, next_key = self._take_over(caller, history, 0)
            keys.append(next_key)
        result = self._append(
            caller, "RevokeKey", [*events, revoked], guards=[guard], keys=keys, is_request=True
        )
        self._keyring.forget()
        return KeyWritten(result, self._of(vkey))

    # ---- writing -----------------------------------------------------------------------------

    def _take_over(
        self, caller: Caller, history: KeyHistory, overlap: int
    ) -> "tuple[list[EventData | _TakeOver], SigningKey]":
        """Return the events by which the committed key takes over, and the key after it."""
        key = self._keyring.committed(history)
        next_key = self._store.draw_key(self._info.origin)
        committed = KeyCommitted(next_key_digest=vkey_digest(str(next_key.verifier_key)))
        return [_TakeOver(caller, str(key.verifier_key), overlap), committed], next_key

    def _append(
        self,
        caller: Caller,
        method: str,
        events: "Sequence[EventData | _TakeOver]",
        *,
        guards: Sequence[Guard],
        keys: Sequence[SigningKey] = (),
        is_request: bool = False,
    ) -> Written:
        new = [
            NewEvent(STREAM, KeyRotated.TYPE, event.body)
            if isinstance(event, _TakeOver)
            else NewEvent(
                STREAM,
                event.TYPE,
                encode_body(actor=caller.actor, data=event.to_data(), request_id=caller.request_id),
            )
            for event in events
        ]
        request = AppendRequest(
            ledger=self._info.origin,
            actor=caller.actor,
            method=method,
            events=new,
            request_id=caller.request_id if is_request else None,
            digest=caller.digest,
            guards=guards,
            deadline_monotonic=caller.deadline_monotonic,
            keys=keys,
        )
        return Written.of(self._store.append(request))

    def _guard(self) -> Guard:
        """Return the guard against a change of keys after those that are read next."""
        newest = self._store.latest(
            self._info.origin,
            STREAM,
            _KEY_TYPES,
            at_or_before=self._store.head(self._info.origin).position,
        )
        return Guard(STREAM, _KEY_TYPES, after_position=newest.position if newest else 0)

    # ---- answering ---------------------------------------------------------------------------

    def _rotated(self, written: Written) -> KeyWritten:
        """Return the key that a rotation brought in."""
        history = self._keyring.history()
        span = next(span for span in history.spans if span.position == written.first_position)
        return KeyWritten(written, self._of(span.vkey))

    def _of(self, vkey: str) -> KeyRecord:
        found = [record for record in self.keys().records if record.vkey == vkey]
        if not found:
            raise _unknown(vkey, 0)
        return found[-1]

    def _record(self, span: KeySpan, head: int) -> KeyRecord:
        assert span.position is not None, "a key came in by an event"
        event = self._store.event(self._info.origin, span.position)
        assert event is not None, "a key came in by an event"
        state: KeyState = "active"
        if span.revoked_from is not None:
            state = "revoked"
        elif span.until_position is not None and span.until_position <= head:
            state = "retired"
        return KeyRecord(
            span.vkey,
            span.from_position,
            span.until_position,
            state,
            span.position,
            event.recorded_at,
            span.revoked_from,
            span.reason or "",
        )


class _TakeOver:
    """A rotation whose positions are known only when it is appended: the new key signs from it."""

    def __init__(self, caller: Caller, vkey: str, overlap: int) -> None:
        self._caller = caller
        self._vkey = vkey
        self._overlap = overlap

    def body(self, first_position: int) -> bytes:
        """Return the body at the request's first position, which is this event's own."""
        rotated = KeyRotated(
            from_position=first_position,
            previous_until_position=first_position + self._overlap - 1,
            vkey=self._vkey,
        )
        return encode_body(
            actor=self._caller.actor, data=rotated.to_data(), request_id=self._caller.request_id
        )


def _unknown(vkey: str, from_position: int) -> LedgerError:
    return LedgerError(
        Reason.KEY_UNKNOWN,
        f"The ledger has no key {vkey[:300]!r} that counts from size {from_position} on.",
        remedy="List the keys.",
        metadata={"verifier_key": vkey[:300], "from_position": str(from_position)},
    )
