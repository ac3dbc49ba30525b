"""A projection: a pure fold from events to rows, and the digest that lets two be compared.

A projection knows no database, no clock and no other projection. `runner` feeds it and stores its
rows, `rebuild` folds it again, `store` keeps what they write.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

from ledger.errors import event_unreadable
from ledger.events.canonical import decode, encode
from ledger.events.envelope import RecordedEvent

Row = dict[str, Any]
"""One row: canonical JSON values only. A row that was published is never changed, only replaced."""

Changes = Mapping[str, Row | None]
"""Rows by key, as they are now; None for a row that is gone."""

DIGEST_BYTES: Final = 32
EMPTY_DIGEST: Final = bytes(DIGEST_BYTES)
_DIGEST_MODULUS: Final = 1 << (8 * DIGEST_BYTES)


@runtime_checkable
class Projection(Protocol):
    """A fold. Its state after a batch is a function of the rows it has published, nothing else.

    That is what makes a restart harmless: `load(rows)` and going on equals never having stopped.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised when the same events give other rows; stored rows of another version are ignored."""
    handles: ClassVar[frozenset[str]]
    """The event types that `apply` wants to see."""

    def apply(self, event: RecordedEvent) -> None:
        """Fold one event of a handled type. Raises before it changes anything, or not at all.

        Where the body was erased the header counts: what the event replaced is no longer known.
        """

    def changes(self) -> dict[str, Row | None]:
        """Return the rows touched since the last call, as they are now; None where one is gone."""

    def load(self, rows: Mapping[str, Row]) -> None:
        """Take up the state that these rows describe. Called once, before any event."""


class HeadLike(Protocol):
    """The part of a ledger's head that projections look at."""

    @property
    def position(self) -> int:
        """Return the position of the newest event, 0 in an empty ledger."""


class EventReader(Protocol):
    """The reader of a ledger for projections, like the events of a store. Positions ascend."""

    def head(self, ledger: str) -> HeadLike:
        """Return the newest durable head."""

    def read(
        self, ledger: str, *, after: int = 0, until: int | None = None, limit: int = 1000
    ) -> list[RecordedEvent]:
        """Return at most `limit` events with after < position <= until."""

    def event(self, ledger: str, position: int) -> RecordedEvent | None:
        """Return the event at a position, or None."""

    def latest(
        self,
        ledger: str,
        stream: str,
        types: Collection[str],
        *,
        at_or_before: int,
        skip: int = 0,
    ) -> RecordedEvent | None:
        """Return the newest event of these types in a stream up to a position, after skipping."""

    def of_types(
        self,
        ledger: str,
        types: Collection[str],
        *,
        stream: str | None = None,
        after: int = 0,
        at_or_before: int | None = None,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[RecordedEvent]:
        """Return events of these types, in one stream or in all; not for observations."""


_MODELS: Final = "models/"


def model_of(event: RecordedEvent) -> str:
    """Return the model in whose stream an event is; EVENT_UNREADABLE where it is in another."""
    if not event.stream.startswith(_MODELS):
        raise event_unreadable(event.position, f"a {event.type} is in stream {event.stream}")
    return event.stream[len(_MODELS) :]


def model_stream(model: str) -> str:
    """Return the stream of a model."""
    return _MODELS + model


ProjectionFactory = Callable[[], Projection]
"""Makes an empty projection; a projection class is one."""


def decode_row(data: bytes) -> Row:
    """Return the row of stored bytes; ValueError unless they are a canonical object."""
    row = decode(data)
    if isinstance(row, dict):
        return row
    raise ValueError("a stored row is not an object")


class RowSet:
    """Published rows and their digest: the sum modulo 2^256 of SHA-256 over each key and row.

    A sum does not depend on order, so a batch costs its changed rows only, and equal states have
    equal digests however they came about. It finds drift and damage; against someone who invents
    rows on purpose only a rebuild helps, as the ledger is the truth and this is not.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._hashes: dict[str, int] = {}
        self._sum = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def digest(self) -> bytes:
        """The digest of all rows: 32 bytes, zero for none."""
        return self._sum.to_bytes(DIGEST_BYTES, "big")

    def snapshot(self) -> dict[str, Row]:
        """Return the rows of this moment. The rows themselves are shared: do not change them."""
        return dict(self._rows)

    def row(self, key: str) -> Row | None:
        """Return one row."""
        return self._rows.get(key)

    def put(self, changes: Changes) -> tuple[dict[str, bytes | None], list[str]]:
        """Publish changes; return the stored form of all of them, and the keys that really changed.

        What was touched and came out the same is stored too: another runner, which is where we
        were a moment ago, may have stored what it looked like in between.
        """
        written: dict[str, bytes | None] = {}
        changed: list[str] = []
        for key, row in changes.items():
            before = self._hashes.pop(key, 0)
            if row is None:
                written[key], after = None, 0
                self._rows.pop(key, None)
            else:
                stored = written[key] = encode(row)
                after = self._hashes[key] = _row_hash(key, stored)
                self._rows[key] = row
            if after != before:
                self._sum = (self._sum - before + after) % _DIGEST_MODULUS
                changed.append(key)
        return written, changed


def _row_hash(key: str, stored: bytes) -> int:
    """Return one row's term of the digest: SHA-256 of the canonical JSON `[key,row]`."""
    return int.from_bytes(hashlib.sha256(b"[" + encode(key) + b"," + stored + b"]").digest(), "big")
