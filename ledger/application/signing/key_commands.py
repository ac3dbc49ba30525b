"""Rotating and revoking the keys of a ledger.

The key that takes over was committed by its digest when the one before it came, so a thief of
the signing key of today cannot name the one of tomorrow. Each rotation draws and commits the next.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.keyring import Keyring, no_key
from ledger.chain.key_history import KeyHistory, KeySpan, vkey_digest
from ledger.chain.keys import SecretKey
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.limits import TEXT_CHARS_MAX
from ledger.storage.records import AppendResult, Guard, LedgerInfo, Place
from ledger.storage.store import Store

OVERLAP_DEFAULT: Final = 1_000
OVERLAP_MAX: Final = 1_000_000_000

_KEY_TYPES: Final = frozenset({KeyRotated.TYPE, KeyCommitted.TYPE, KeyRevoked.TYPE})
_SERVICE: Final = "system/keys"


KeyState = Literal["active", "retired", "revoked"]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key that signs, or has signed, checkpoints; `recorded_at` is of the event that named it."""

    span: KeySpan
    state: KeyState
    recorded_at: int


@dataclass(frozen=True, slots=True)
class KeyList:
    """Every key by its first position, and the digest of the next; b"" where none is committed."""

    records: tuple[KeyRecord, ...]
    next_key_digest: bytes


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Where the events of a rotation or revocation stand, and the key that they are about."""

    written: AppendResult
    key: KeyRecord


class KeyCommands:
    """Changes which keys sign for one ledger. Safe between threads and servers."""

    def __init__(
        self, store: Store, info: LedgerInfo, keyring: Keyring, checkpoints: Checkpoints
    ) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._keyring = keyring
        self._checkpoints = checkpoints

    def keys(self) -> KeyList:
        """Return every key of the ledger and the digest of the next."""
        history = self._keyring.history()
        head = self._store.events.head(self._info.origin).position
        records = tuple(self._record(span, head) for span in history.spans)
        return KeyList(records, bytes.fromhex(history.next_key_digest or ""))

    def commit_first(self) -> None:
        """Commit the next key of a ledger that was begun before next keys were committed."""
        history = self._keyring.history()
        key = self._keyring.uncommitted(history)
        if key is None:
            return
        committed = KeyCommitted(next_key_digest=vkey_digest(str(key.verifier_key)))
        proposal = Proposal([Addition.of(committed)], [self._guard()])
        try:
            self._appender.append(Caller(_SERVICE), "CommitKey", lambda: proposal)
        except LedgerError as error:
            if error.reason is not Reason.VERSION_CONFLICT:  # else another server has done it
                raise

    def rotate(self, caller: Caller, overlap: int = OVERLAP_DEFAULT) -> KeyChange:
        """Let the committed key take over; both sign the next `overlap` sizes.

        VERSION_CONFLICT while an earlier rotation's overlap lasts, or when keys change meanwhile.
        """
        if not 0 <= overlap <= OVERLAP_MAX:
            raise invalid_field("overlap", f"must be from 0 to {OVERLAP_MAX}")

        def decide() -> Proposal:
            guard = self._guard()
            history = self._keyring.history()
            head = self._store.events.head(self._info.origin).position
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
            additions, next_key = self._take_over(history, overlap)
            return Proposal(additions, [guard], keys=[next_key])

        written = self._appender.append(caller, KeyRotated.METHOD, decide)
        self._keyring.forget()
        brought = written.first_position
        (key,) = (each for each in self.keys().records if each.span.position == brought)
        return KeyChange(written, key)

    def revoke(self, caller: Caller, vkey: str, from_position: int, reason: str) -> KeyChange:
        """Declare that what a key signed counts for nothing from a size on.

        If no other key signs, the committed one takes over at once. KEY_UNKNOWN where the ledger
        has no such key, or revoked it from there already.
        """
        if not 1 <= len(reason) <= TEXT_CHARS_MAX:
            raise invalid_field("reason", f"must have 1 to {TEXT_CHARS_MAX} characters")

        def decide() -> Proposal:
            guard = self._guard()
            history = self._keyring.history()
            head = self._store.events.head(self._info.origin).position
            spans = [span for span in history.spans if span.vkey == vkey]
            if not spans or any(
                span.revoked_from is not None and span.revoked_from <= from_position
                for span in spans
            ):
                raise _unknown(vkey, from_position)
            if not 1 <= from_position <= head + 1:
                fault = f"must be from 1 to {head + 1}, the next position"
                raise invalid_field("from_position", fault)
            revoked = KeyRevoked(vkey=vkey, from_position=from_position, reason=reason)
            additions: list[Addition] = []
            keys: list[SecretKey] = []
            if spans[-1] is history.spans[-1]:  # first: at no size is the ledger without a key
                additions, next_key = self._take_over(history, 0)
                keys.append(next_key)
            return Proposal([*additions, Addition.of(revoked)], [guard], keys=keys)

        written = self._appender.append(caller, KeyRevoked.METHOD, decide)
        self._keyring.forget()
        return KeyChange(written, [k for k in self.keys().records if k.span.vkey == vkey][-1])

    def _take_over(self, history: KeyHistory, overlap: int) -> tuple[list[Addition], SecretKey]:
        """Return the events by which the committed key takes over, and the key after it.

        The key that ends has signed the head then: by a checkpoint of its own over the commitment
        an outsider who trusts it comes to trust the next.
        """
        try:
            self._checkpoints.sign()
        except LedgerError as error:
            if error.reason is not Reason.SIGNING_STOPPED:  # which no change of keys begins again
                raise
        vkey = str(self._keyring.committed(history).verifier_key)
        next_key = self._store.keys.draw(self._info.origin)
        committed = KeyCommitted(next_key_digest=vkey_digest(str(next_key.verifier_key)))

        def rotated(place: Place) -> KeyRotated:  # which is its own: it signs from there
            return KeyRotated(
                from_position=place.first_position,
                previous_until_position=place.first_position + overlap - 1,
                vkey=vkey,
            )

        return [
            Addition(KeyRotated.STREAM, KeyRotated.TYPE, rotated),
            Addition.of(committed),
        ], next_key

    def _guard(self) -> Guard:
        """Return the guard against a change of keys after those that are read next."""
        newest = self._store.events.latest(
            self._info.origin,
            KeyRotated.STREAM,
            _KEY_TYPES,
            at_or_before=self._store.events.head(self._info.origin).position,
        )
        return Guard(KeyRotated.STREAM, _KEY_TYPES, after_position=newest.position if newest else 0)

    def _record(self, span: KeySpan, head: int) -> KeyRecord:
        assert span.position is not None, "a key came in by an event"
        event = self._store.events.event(self._info.origin, span.position)
        assert event is not None, "a key came in by an event"
        state: KeyState = "active"
        if span.revoked_from is not None:
            state = "revoked"
        elif span.until_position is not None and span.until_position <= head:
            state = "retired"
        return KeyRecord(span, state, event.recorded_at)


def _unknown(vkey: str, from_position: int) -> LedgerError:
    return LedgerError(
        Reason.KEY_UNKNOWN,
        f"The ledger has no key {vkey[:300]!r} that counts from size {from_position} on.",
        remedy="List the keys.",
        metadata={"verifier_key": vkey[:300], "from_position": str(from_position)},
    )
