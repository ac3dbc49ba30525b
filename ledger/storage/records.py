"""Arguments and results of storage: requests to append, results, ledgers, heads, kept rows.

Nothing here does anything. Times are microseconds since the epoch, hashes raw bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ledger.chain.keys import SecretKey
from ledger.events.authority import AdministratorNamed


class Place(NamedTuple):
    """Where and when the events of a request are recorded: the first of them, and all of them."""

    first_position: int
    recorded_at: int


Body = bytes | Callable[[Place], bytes]
"""Canonical bytes of a body, or what makes them once the request's place is known."""

CommitCallback = Callable[[str, int], None]
"""Called with (origin, new head position) after a commit. A hint: it may come late or twice."""


class NewEvent(NamedTuple):
    """One event to append. Only `signal.observed` has an `observed_at`: that of its body."""

    stream: str
    type: str
    body: Body
    observed_at: int | None = None


class Guard(NamedTuple):
    """A condition on one stream at the moment of the append, else VERSION_CONFLICT.

    `after_position`: there is no event of these types after that position.
    `expected_count`: the stream has exactly that many events of these types.
    `types` None means any type. `stream` None means all streams, later ones too: that
    takes types and `after_position`. Guards see what other requests of the same group appended.
    `is_passing`: the same request may well succeed when it is sent again; then the refusal is
    STORE_UNAVAILABLE, which clients do by themselves.
    `observed_at`: no observation of that time came after `after_position`.
    `before`: on a `data` ledger nothing of that time or later was observed. A `wall` ledger's time
    is not looked at: an event may be recorded a little later than it was decided on.
    """

    stream: str | None
    types: frozenset[str] | None
    after_position: int | None = None
    expected_count: int | None = None
    is_passing: bool = False
    observed_at: int | None = None
    before: int | None = None


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
    keys: Sequence[SecretKey] = ()
    may_leap: bool = False
    identities: Sequence[int] = ()
    leave_out_duplicates: bool = False


class Duplicates(NamedTuple):
    """The observations of a request that repeat earlier ones, and where those are on record.

    Equal in model, signal, version, observed_at, source and value. The places are 0 where unknown.
    """

    found: int = 0
    left_out: int = 0
    first_position: int = 0
    last_position: int = 0


NONE_FOUND: Final = Duplicates()


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
    """The fixed facts of a ledger. `vkey` is its first key; empty where nothing is signed.

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
    seal: bytes | None = None


@dataclass(frozen=True, slots=True)
class CreateLedger:
    """A ledger to begin.

    `guards` are of the first ledger, which its caller was judged by: empty where there was none
    yet, None where no one judged the caller.
    """

    origin: str
    clock: str
    skew_seconds: int
    actor: str
    request_id: str | None = None
    digest: bytes = b""
    unit_of_cost: str = ""
    leap_seconds: int = 0
    administrator: AdministratorNamed | None = None
    guards: Sequence[Guard] | None = None


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


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A machine's clock beside what was expected of it, in microseconds."""

    at: int
    expected: int | None
    """None where this process has not dated anything yet."""
    head: int
    """When the ledger's newest event was recorded."""
