"""What every command brings along, what every append answers, and which streams it is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events import notation
from ledger.events.proving import BodyErased
from ledger.events.values import TIME_LIMIT
from ledger.limits import DATA_AHEAD_SECONDS
from ledger.storage.store import AppendResult, Guard, LedgerInfo, Reader, Store


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the actor, the request's idempotency key and content digest, and the deadline.

    `digest` is SHA-256 over method and content; `deadline_monotonic` is on the injected clock.
    `may_leap`: whether a stated time that leaps ahead is said to be meant.
    """

    actor: str
    request_id: str | None = None
    digest: bytes = b""
    deadline_monotonic: float | None = None
    may_leap: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """Where a command's events stand: durable when you see it."""

    first_position: int
    position: int
    event_hash: bytes
    recorded_at: int
    repeated: bool

    @classmethod
    def of(cls, result: AppendResult) -> "Written":
        """Return what an append answered."""
        return cls(
            result.first_position,
            result.last_position,
            result.event_hash,
            result.recorded_at,
            result.repeated,
        )


def answered_before(store: Reader, info: LedgerInfo, caller: Caller, method: str) -> Written | None:
    """Return the first answer to a repeated request; REQUEST_ID_REUSED if its content differs."""
    if caller.request_id is None:
        return None
    found = store.answered(info.origin, caller.actor, method, caller.request_id)
    if found is None:
        return None
    digest, first, last = found
    if digest != caller.digest:
        raise LedgerError(
            Reason.REQUEST_ID_REUSED,
            f"Request id {caller.request_id!r} was used before for another {method} request.",
            remedy="Use a fresh request id for every new request, the same one only to retry.",
            metadata={
                "request_id": caller.request_id,
                "first_position": str(first),
                "last_position": str(last),
            },
        )
    event = store.event(info.origin, last)
    assert event is not None, "an answered request's events exist"
    return Written(first, last, event.event_hash, event.recorded_at, repeated=True)


@contextmanager
def fields_named() -> Iterator[None]:
    """Turn what pydantic refuses within into FIELD_INVALID, which names every field."""
    try:
        yield
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        violations = [
            FieldViolation(
                ".".join(str(part) for part in fault["loc"]),
                fault["msg"].removeprefix("Value error, "),
            )
            for fault in faults
        ]
        first = violations[0]
        raise LedgerError(
            Reason.FIELD_INVALID,
            f"{first.field}: {first.description}. Nothing was written.",
            remedy="Correct the named fields and send the request again.",
            violations=violations,
            metadata={"field": first.field, "violations": str(len(violations))},
        ) from error


def model_stream(model: str) -> str:
    """Return the stream that holds a model's whole story."""
    return f"models/{model}"


def policy_stream(policy: str) -> str:
    """Return the stream of a policy."""
    return f"policies/{policy}"


def signal_stream(signal: str) -> str:
    """Return the stream of a signal's definitions."""
    return f"signals/{signal}"


def plan_stream(plan: str) -> str:
    """Return the stream of one plan."""
    return f"plans/{plan}"


def no_erasure_after(position: int) -> Guard:
    """Return the guard of what was made of bodies read as of a position."""
    return Guard(BodyErased.STREAM, frozenset({BodyErased.TYPE}), after_position=position)


def latest_statable(info: LedgerInfo, store: Store) -> int:
    """Return the latest time that a source may state now, in microseconds.

    `wall`: the machine's clock and the skew. `data`: years beyond that clock, since data may be
    made for the near future, but not any time at all: the ledger's own would follow for good.
    """
    ahead = info.skew_seconds if info.clock == "wall" else DATA_AHEAD_SECONDS
    return min(store.now_micros(info.origin) + ahead * 1_000_000, TIME_LIMIT - 1)


def ahead_of_clock(info: LedgerInfo, store: Store) -> str:
    """Return in words that a time lies beyond the latest one that may be stated."""
    latest = notation.time(latest_statable(info, store))
    return f"lies after {latest}, the latest time that this `{info.clock}` ledger takes now"
