"""Which keys vouch for a ledger at which size, folded from what the ledger records about them.

The rules that every history keeps:

* the key in `ledger.created` signs from size 1 on;
* the digest of the next key is committed in advance, and only that key can follow: a thief of
  the key in use cannot name its successor, nor replace a commitment that was made;
* a new key begins no earlier than the event that names it, and leaves no gap behind the one before;
* a revoked key counts for nothing from the size named on, however small that is.

An event that breaks them is refused with its position, and changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from ledger.chain.checkpoint import OpenedCheckpoint, claim_of, open_checkpoint
from ledger.chain.keys import ED25519, KeyFormatError, VerifierKey
from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.system import COMMITTING, LedgerCreated

_SPAN_KEYS: Final = {"from_position", "until_position", "vkey"}


class KeyHistoryError(ValueError):
    """An event, or a list of spans, that no honest ledger records."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(f"the keys are wrong at position {position}: {why}")
        self.position = position
        self.why = why


@dataclass(frozen=True, slots=True)
class KeySpan:
    """One key, and the sizes of the checkpoints that it signs."""

    vkey: str
    from_position: int
    until_position: int | None = None
    """The largest size it signs; None while no other key was named."""
    position: int | None = None
    """Where the ledger names the key; None if read from a list."""
    revoked_from: int | None = None
    """The smallest size for which its signature counts for nothing."""
    reason: str = ""

    def covers(self, size: int) -> bool:
        """Return whether the key's signature counts for a checkpoint of this size."""
        return self.from_position <= size and (self.last is None or size <= self.last)

    @property
    def last(self) -> int | None:
        """The largest size for which the key counts, all told; None if there is no end yet."""
        ends = [self.until_position, None if self.revoked_from is None else self.revoked_from - 1]
        return min((end for end in ends if end is not None), default=None)


def valid_keys(spans: Iterable[KeySpan], size: int) -> list[VerifierKey]:
    """Return the keys whose signature counts for a checkpoint of this size."""
    return [VerifierKey.parse(span.vkey) for span in spans if span.covers(size)]


def open_by_spans(note: bytes, *, origin: str, spans: Iterable[KeySpan]) -> OpenedCheckpoint:
    """Return a checkpoint signed by a key that is valid at its size, or raise NoteError.

    Every signature of a valid key must be genuine; those of other keys are ignored.
    """
    claimed = claim_of(note).size  # chooses the keys, proves nothing
    return open_checkpoint(note, origin=origin, keys=valid_keys(spans, claimed))


def vkey_digest(vkey: str) -> str:
    """Return the digest by which a key is committed in advance: SHA-256 of its text, in hex."""
    return hashlib.sha256(vkey.encode()).hexdigest()


class KeyHistory:
    """The keys of one ledger as of the events applied so far."""

    def __init__(self) -> None:
        self._origin = ""
        self._spans: tuple[KeySpan, ...] = ()
        self._next_key_digest: str | None = None

    @property
    def origin(self) -> str:
        """The ledger's origin, which is every key's name; empty before `ledger.created`."""
        return self._origin

    @property
    def spans(self) -> tuple[KeySpan, ...]:
        """Every key there ever was, in order of its naming."""
        return self._spans

    @property
    def next_key_digest(self) -> str | None:
        """The digest of the only key that may follow; None if none is committed."""
        return self._next_key_digest

    def apply(self, type_: str, position: int, data: Mapping[str, object]) -> None:
        """Take in an event of stream `ledger`; types that say nothing about keys are passed over.

        Raises KeyHistoryError, with the history as it was, if the event breaks a rule.
        """
        if apply := _APPLY.get(type_):
            apply(self, position, _Fields(position, data))

    def signers_at(self, size: int) -> list[KeySpan]:
        """Return the spans of the keys that sign a checkpoint of this size."""
        return [span for span in self._spans if span.covers(size)]

    def valid_at(self, size: int) -> list[VerifierKey]:
        """Return the keys whose signature counts for a checkpoint of this size."""
        return valid_keys(self._spans, size)

    def to_json(self) -> bytes:
        """Return `keys.json` of an export: canonical JSON, one row for each key that ever counts.

        A revocation shows as the end of the span, and a key that never counted is left out.
        """
        rows = [
            {"from_position": span.from_position, "until_position": span.last, "vkey": span.vkey}
            for span in self._spans
            if span.last is None or span.last >= span.from_position
        ]
        return encode(rows)

    def _created(self, position: int, fields: "_Fields") -> None:
        if self._spans or position != 1:
            raise KeyHistoryError(position, "a ledger is created once, at position 1")
        origin = fields.text("origin")
        self._spans = (KeySpan(fields.vkey(origin), 1, position=position),)
        self._origin = origin

    def _rotated(self, position: int, fields: "_Fields") -> None:
        vkey = fields.vkey(self._origin)
        start, previous_end = fields.place("from_position"), fields.place("previous_until_position")
        if self._next_key_digest is None:
            raise KeyHistoryError(position, "a key follows that was not committed in advance")
        if vkey_digest(vkey) != self._next_key_digest:
            raise KeyHistoryError(position, "the key that follows is not the committed one")
        check_overlap(position, start, previous_end)
        if any(vkey == span.vkey for span in self._spans):
            raise KeyHistoryError(position, "a key comes back")
        before, last = self._spans[:-1], replace(self._spans[-1], until_position=previous_end)
        self._spans = (*before, last, KeySpan(vkey, start, position=position))
        self._next_key_digest = None

    def _committed(self, position: int, fields: "_Fields") -> None:
        """Fix the next key; a commitment that was made cannot be replaced."""
        digest = fields.text("next_key_digest")
        if not self._spans:
            raise KeyHistoryError(position, "keys are committed before the ledger is created")
        if self._next_key_digest is not None:
            raise KeyHistoryError(position, "another next key is committed already")
        self._next_key_digest = digest

    def _revoked(self, position: int, fields: "_Fields") -> None:
        vkey, start = fields.text("vkey"), fields.place("from_position")
        reason = fields.text("reason")
        if all(vkey != span.vkey for span in self._spans):
            raise KeyHistoryError(position, "a key is revoked that the ledger never had")
        # Revoking again can only take more away.
        self._spans = tuple(
            replace(span, revoked_from=start, reason=reason)
            if span.vkey == vkey and (span.revoked_from is None or start < span.revoked_from)
            else span
            for span in self._spans
        )


class _Fields:
    """An event's data, read with a complaint that names the event."""

    def __init__(self, position: int, data: Mapping[str, object]) -> None:
        self._position = position
        self._data = data

    def text(self, name: str) -> str:
        """Return a member that must be text."""
        value = self._data.get(name)
        if not isinstance(value, str) or not value:
            raise KeyHistoryError(self._position, f"{name} is not text")
        return value

    def place(self, name: str) -> int:
        """Return a member that must be a position."""
        value = self._data.get(name)
        if type(value) is not int or value < 1:
            raise KeyHistoryError(self._position, f"{name} is not a position")
        return value

    def vkey(self, origin: str) -> str:
        """Return the member `vkey`, which must be a key that signs for this origin."""
        text = self.text("vkey")
        check_vkey(self._position, text, origin)
        return text


def check_overlap(position: int, start: int, previous_end: int) -> None:
    """Refuse a rotation at a position by which a key begins too early or too late."""
    if start < position:
        raise KeyHistoryError(position, "a key begins before the event that names it")
    if start > previous_end + 1:
        raise KeyHistoryError(position, "there are sizes that no key signs")


def check_vkey(position: int, text: str, origin: str) -> None:
    """Refuse a text that is no key for the checkpoints of this ledger."""
    try:
        key = VerifierKey.parse(text)
    except KeyFormatError as error:
        raise KeyHistoryError(position, f"vkey is not a key: {error}") from error
    if key.type != ED25519 or key.name != origin:
        raise KeyHistoryError(position, "vkey does not sign for this ledger")


def parse_keys(data: bytes, origin: str) -> tuple[KeySpan, ...]:
    """Return the spans in a ledger's `keys.json`; KeyHistoryError unless it is one, to the byte.

    They are the claim of a bundle: its verifier brings at least one of the keys along.
    """
    try:
        rows = decode(data)
    except CanonicalError as error:
        raise KeyHistoryError(0, f"keys.json is not canonical JSON: {error}") from error
    if not isinstance(rows, list):
        raise KeyHistoryError(0, "keys.json is not a list")
    return tuple(_parse_span(row, origin) for row in rows)


def _parse_span(row: object, origin: str) -> KeySpan:
    """Return the span that one row of a `keys.json` states."""
    if not isinstance(row, dict) or set(row) != _SPAN_KEYS:
        raise KeyHistoryError(0, "a row of keys.json has other members")
    fields = _Fields(0, row)
    vkey, start = fields.vkey(origin), fields.place("from_position")
    end = None if row["until_position"] is None else fields.place("until_position")
    if end is not None and end < start:
        raise KeyHistoryError(0, "a row of keys.json ends before it begins")
    return KeySpan(vkey, start, end)


_APPLY: Final[Mapping[str, Callable[[KeyHistory, int, _Fields], None]]] = MappingProxyType(
    {
        LedgerCreated.TYPE: KeyHistory._created,  # noqa: SLF001 - the table of its own methods
        **dict.fromkeys((*COMMITTING, KeyCommitted.TYPE), KeyHistory._committed),  # noqa: SLF001
        KeyRotated.TYPE: KeyHistory._rotated,  # noqa: SLF001
        KeyRevoked.TYPE: KeyHistory._revoked,  # noqa: SLF001
    }
)
KEY_TYPES: Final = frozenset(_APPLY)
"""Types of the events that say which keys count."""
