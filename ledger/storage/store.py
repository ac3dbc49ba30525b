"""What storage takes and gives: requests to append, results, ledgers, heads, and the contract.

No SQL stands here. `ledger.storage.open_store` returns the one implementation, whose behaviour on
SQLite and on PostgreSQL is the same. Times are microseconds since the epoch, hashes raw bytes.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ledger.events.envelope import RecordedEvent

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

    `after_position`: no event of these types stands after that position.
    `expected_count`: the stream has exactly that many events of these types.
    `types` None means any type. Guards see what other requests of the same group have appended.
    """

    stream: str
    types: frozenset[str] | None
    after_position: int | None = None
    expected_count: int | None = None


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Events that are appended together, in order, or not at all.

    With a `request_id` the append is idempotent per (ledger, actor, method, request_id): a repeat
    with an equal `digest` gets the first answer again, another digest REQUEST_ID_REUSED.
    `stated_time` moves the clock of a `data` ledger (ignored by a `wall` ledger).
    `deadline_monotonic` is on the store's clock: a request that is still queued then is refused
    with DEADLINE_EXCEEDED and nothing of it was written.
    `tracking` is (consumer, position): that consumer's tracking position moves forward in the same
    transaction; VERSION_CONFLICT where it would not.
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


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """What never changes about a ledger."""

    ledger_id: int
    origin: str
    clock: str
    skew_seconds: int
    vkey: str


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
    """A ledger to begin. A `seed` of 32 bytes fixes its Ed25519 key; None draws one."""

    origin: str
    clock: str
    skew_seconds: int
    actor: str
    request_id: str | None = None
    digest: bytes = b""
    seed: bytes | None = None


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

    def checkpoint(self, ledger: str) -> tuple[int, str] | None:
        """Return the largest checkpoint kept: (tree size, signed note)."""
        ...

    def signing_key(self, ledger: str) -> str:
        """Return the ledger's signer key as text (a C2SP skey): a secret."""
        ...


class Store(Reader, Protocol):
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

    def wait_for(self, ledger: str, position: int, timeout_seconds: float) -> bool:
        """Wait until the head has reached a position; False when time is up."""
        ...

    def save_checkpoint(self, ledger: str, size: int, note: str) -> None:
        """Keep a signed checkpoint for ever; a second one of the same size changes nothing."""
        ...

    def lease(self, ledger: str, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False while another holder has it. Zero seconds gives it back."""
        ...

    def close(self) -> None:
        """Finish what is queued and release files and connections; a second call does nothing."""
        ...
