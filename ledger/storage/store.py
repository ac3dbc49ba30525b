"""What storage takes and gives: requests to append, results, ledgers, heads, and the contract.

There is no SQL here. `ledger.storage.open_store` returns the one implementation, whose behaviour on
SQLite and on PostgreSQL is the same. Times are microseconds since the epoch, hashes raw bytes.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ledger.chain.keys import SigningKey
from ledger.events.envelope import RecordedEvent
from ledger.storage.duplicates import NONE_FOUND, Duplicates
from ledger.storage.timekeeping import Timekeeping

Body = bytes | Callable[[int], bytes]
"""Canonical bytes of a body, or what makes them once the request's first position is known."""

CommitCallback = Callable[[str, int], None]
"""Called with (origin, new head position) after a commit. A hint: it may come late or twice."""


class NewEvent(NamedTuple):
    """One event to append. Only `signal.observed` has an `observed_at`: that of its body."""

    stream: str
    type: str
    body: Body
    observed_at: int | None = None


class Guard(NamedTuple):
    """What must hold in one stream at the moment of the append, else VERSION_CONFLICT.

    `after_position`: there is no event of these types after that position.
    `expected_count`: the stream has exactly that many events of these types.
    `types` None means any type. `stream` None means all streams, whatever they will be named: that
    takes types and `after_position`. Guards see what other requests of the same group appended.
    """

    stream: str | None
    types: frozenset[str] | None
    after_position: int | None = None
    expected_count: int | None = None


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Events that are appended together, in order, or not at all.

    With a `request_id` the append is idempotent per (ledger, actor, method, request_id): a repeat
    with an equal `digest` gets the first answer again, another digest REQUEST_ID_REUSED.
    `stated_time` moves the clock of a `data` ledger (ignored by a `wall` ledger), no further at
    once than its bound unless `may_leap`.
    `deadline_monotonic` is on the store's clock: a request that is still queued then is refused
    with DEADLINE_EXCEEDED and nothing of it was written.
    `tracking` is (consumer, position): that consumer's tracking position moves forward in the same
    transaction; VERSION_CONFLICT where it would not.
    `keys` are sealed and kept in the same transaction.
    `identities`: the `fast.identity` of each observation. The answer says how many observations
    repeat one on record, or an earlier one of the request; with `leave_out_duplicates` they are not
    appended.
    """

    ledger: str
    actor: str
    method: str
    events: Sequence[NewEvent]
    request_id: str | None = None
    digest: bytes = b""
    guards: Sequence[Guard] = ()
    stated_time: int | None = None
    deadline_monotonic: float | None = None
    tracking: tuple[str, int] | None = None
    keys: Sequence[SigningKey] = ()
    may_leap: bool = False
    identities: Sequence[int] = ()
    leave_out_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class AppendResult:
    """Where a request's events stand; durable when you see it. `event_hash` is the last event's.

    A request without events answers with the head as it was: first_position is last_position + 1.
    """

    first_position: int
    last_position: int
    recorded_at: int
    event_hash: bytes
    repeated: bool = False
    duplicates: Duplicates = NONE_FOUND


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """What never changes about a ledger. `vkey` is its first key; empty where nothing is signed.

    `unit_of_cost` is "" where none was named, `leap_seconds` 0 where leaps of time have no bound.
    """

    ledger_id: int
    origin: str
    clock: str
    skew_seconds: int
    vkey: str
    unit_of_cost: str = ""
    leap_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event of a ledger, and the compact range of its Merkle tree (serialised).

    An empty ledger has position 0, 32 zero bytes, recorded_at 0 and an empty tree.
    """

    position: int
    event_hash: bytes
    recorded_at: int
    newest_observed_at: int | None
    tree: bytes


@dataclass(frozen=True, slots=True)
class CreateLedger:
    """A ledger to begin. A `seed` of 32 bytes fixes its first Ed25519 key; None draws one."""

    origin: str
    clock: str
    skew_seconds: int
    actor: str
    request_id: str | None = None
    digest: bytes = b""
    seed: bytes | None = None
    unit_of_cost: str = ""
    leap_seconds: int = 0


class KeptCheckpoint(NamedTuple):
    """A signed checkpoint as it was kept: the size of its tree, and its note."""

    size: int
    note: str


class KeptCosignature(NamedTuple):
    """A witness's signature line for the checkpoint of a size."""

    size: int
    name: str
    key_id: bytes
    line: str


class StreamHead(NamedTuple):
    """The newest event of a stream as of some position."""

    stream: str
    stream_version: int
    event_hash: bytes


RawEvent = tuple[Any, ...]
"""An event as the driver gives it: values in the order of RecordedEvent's members."""


class Reader(Protocol):
    """Reads on connections of their own, which never block the writer. Positions ascend."""

    def ledgers(self) -> list[LedgerInfo]:
        """Return every ledger of the database, in order of creation."""
        ...

    def ledger(self, origin: str) -> LedgerInfo:
        """Return one ledger; LEDGER_UNKNOWN where there is none."""
        ...

    def head(self, ledger: str) -> Head:
        """Return the newest durable head."""
        ...

    def read(
        self,
        ledger: str,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        streams: Collection[str] | None = None,
    ) -> list[RecordedEvent]:
        """Return at most `limit` events with after < position <= until."""
        ...

    def event(self, ledger: str, position: int) -> RecordedEvent | None:
        """Return the event at a position, or None."""
        ...

    def latest(
        self,
        ledger: str,
        stream: str,
        types: Collection[str],
        *,
        at_or_before: int,
        skip: int = 0,
    ) -> RecordedEvent | None:
        """Return the newest event of these types in a stream up to a position, after skipping some.

        Not for `signal.observed`, which the index behind this leaves out.
        """
        ...

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
        """Return events of these types, in one stream or in all. Not for `signal.observed`."""
        ...

    def types_of(self, ledger: str, stream: str) -> list[str]:
        """Return the types of a stream's events in order of name, observations left out."""
        ...

    def observations(
        self,
        ledger: str,
        stream: str,
        *,
        observed_from: int,
        observed_until: int,
        at_or_before: int,
    ) -> list[RecordedEvent]:
        """Return a stream's observations with both bounds inclusive, by (observed_at, position).

        EVENT_UNREADABLE where the indexed time differs from the body's.
        """
        ...

    def newest_observed(
        self, ledger: str, stream: str, *, at_or_before: int, limit: int
    ) -> list[RecordedEvent]:
        """Return a stream's newest observations by (observed_at, position), descending."""
        ...

    def position_at(self, ledger: str, micros: int) -> int:
        """Return the largest position recorded at or before a time, 0 if there is none."""
        ...

    def answered(
        self, ledger: str, actor: str, method: str, request_id: str
    ) -> tuple[bytes, int, int] | None:
        """Return (digest, first position, last position) of a request that was carried out."""
        ...

    def snapshot(self) -> "AbstractContextManager[Reader]":
        """Return a reader all of whose answers are of one moment; for one thread, not for long."""
        ...

    def tiles(self, ledger: str, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the stored hashes of tiles by (level, index); CHAIN_BROKEN if one is missing.

        The tile at the right edge is as wide as it is now: perhaps wider than a tree asked about.
        """
        ...

    def checkpoint(self, ledger: str, *, size: int | None = None) -> KeptCheckpoint | None:
        """Return the checkpoint of a size, or the largest one kept; None where there is none."""
        ...

    def checkpoints(
        self, ledger: str, *, after_size: int = 0, limit: int = 1000
    ) -> list[KeptCheckpoint]:
        """Return kept checkpoints larger than a size, ascending."""
        ...

    def covering(self, ledger: str, position: int) -> KeptCheckpoint | None:
        """Return the newest checkpoint if the event at a position is in its tree, else None."""
        ...

    def cosignatures(self, ledger: str, size: int) -> list[KeptCosignature]:
        """Return the cosignatures of the checkpoint of a size, by name and key id."""
        ...

    def stream_heads(self, ledger: str, as_of: int) -> Iterator[StreamHead]:
        """Yield the newest event of each stream as of a position, by name of stream (bytes)."""
        ...

    def stream_event(self, ledger: str, stream: str, version: int) -> RecordedEvent:
        """Return the event that gave a stream this version, which it must have reached."""
        ...

    def key_events(self, ledger: str, *, until: int | None = None) -> list[RecordedEvent]:
        """Return the events that say which key signs when, up to a position."""
        ...

    def rows_raw(
        self, ledger: str, *, after: int = 0, until: int | None = None
    ) -> Iterator[list[RawEvent]]:
        """Yield all events with after < position <= until in pages, unchecked and fast."""
        ...


class Store(Reader, Timekeeping, Protocol):
    """The event store: one writer, reads, hints and leases. Safe between threads."""

    def create_ledger(self, request: CreateLedger) -> LedgerInfo:
        """Begin a ledger by events 1 and 2; ALREADY_EXISTS unless it repeats the same request."""
        ...

    def submit(self, request: AppendRequest) -> Future[AppendResult]:
        """Queue a request for the writer: LIMIT_REACHED when it is full, DRAINING when closed.

        The future fails with the request's own LedgerError. After STORE_UNAVAILABLE the outcome is
        unknown: send the same request_id again.
        """
        ...

    def append(self, request: AppendRequest) -> AppendResult:
        """Submit and wait."""
        ...

    def subscribe(self, callback: CommitCallback) -> Callable[[], None]:
        """Call back after each commit, other servers' included; returns how to stop it.

        Callbacks run on the store's threads: set a flag and return.
        """
        ...

    def heard(self, ledger: str) -> int:
        """Return the newest head position heard of, by commits here and news from elsewhere."""
        ...

    def wait_for(self, ledger: str, position: int, timeout_seconds: float) -> bool:
        """Wait until the head has reached a position; False when time is up."""
        ...

    def signing_keys(self, ledger: str) -> dict[str, SigningKey]:
        """Return the ledger's keys by verifier key, opened, in order of arrival: secrets.

        Which of them signs, and which is the next one, is what the ledger's events say.
        STORE_UNAVAILABLE where the master key is missing or does not open them.
        """
        ...

    def draw_key(self, origin: str) -> SigningKey:
        """Return a fresh key of a ledger; an append keeps it."""
        ...

    def save_checkpoint(self, ledger: str, size: int, note: str, *, after: int) -> bool:
        """Keep a signed checkpoint for ever if the largest kept one has size `after` (0: none).

        False where it has not, or where `size` is not larger: somebody else was faster.
        """
        ...

    def add_cosignature(self, ledger: str, size: int, name: str, key_id: bytes, line: str) -> bool:
        """Keep a witness's signature line; False where one of that key is kept for that size.

        CHECKPOINT_UNKNOWN where no checkpoint of that size is kept.
        """
        ...

    def erase(
        self, request: AppendRequest, ranges: Sequence[tuple[int, int]]
    ) -> tuple[AppendResult, int]:
        """Append the one event of `request`, and remove body and salt of the events in `ranges`.

        Both or neither; then `scrub`. Also returns how many bodies it was that removed. Request
        ids go with their last body. BODY_PERMANENT, BODY_ERASED where all are gone already,
        POSITION_BEYOND_HEAD.
        """
        ...

    def scrub(self) -> None:
        """Remove what erased text has left in the database's files, where they are ours (SQLite).

        STORE_UNAVAILABLE where a reader holds on to it for too long. What is due stays due: the
        next erasure, the next call or the next start does it.
        """
        ...

    def lease(self, ledger: str, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False while another holder has it. Zero seconds gives it back."""
        ...

    def close(self) -> None:
        """Finish what is queued and release files and connections; a second call does nothing."""
        ...
