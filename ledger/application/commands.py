"""The caller of a command, the names of refused fields, and the streams it is about."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events.horizons import bearing_on
from ledger.events.proving import BodyErased
from ledger.events.signals import DEFINED_TYPES
from ledger.storage.records import Guard, Head, LedgerInfo
from ledger.storage.store import Store


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: the actor, the request's idempotency key and content digest, and the deadline.

    `digest` is SHA-256 over method and content; `deadline_monotonic` is on the injected clock.
    `may_leap`: whether a stated time that leaps ahead is said to be meant. `guards`: under which
    the caller was let in; they must still hold when the events are appended.
    """

    actor: str
    request_id: str | None = None
    digest: bytes = b""
    deadline_monotonic: float | None = None
    may_leap: bool = False
    guards: tuple[Guard, ...] = ()


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


def case_streams(model: str) -> tuple[str, str]:
    """Return the streams of what is asked of people about a model: escalations and tasks."""
    return f"escalations/{model}", f"tasks/{model}"


def shadow_stream(model: str) -> str:
    """Return the stream of what policies in shadow scored and decided of a model."""
    return f"shadows/{model}"


def plan_stream(plan: str) -> str:
    """Return the stream of one plan."""
    return f"plans/{plan}"


def none_after(position: int, stream: str | None, *types: str) -> Guard:
    """Return the guard that no event of these came after a position; `stream` None: in none."""
    return Guard(stream, frozenset(types), after_position=position)


def decided_before(time: int) -> Guard:
    """Return the guard that the time of a ledger of data does not reach one while it decides."""
    return Guard(None, None, before=time)


def no_erasure_after(position: int) -> Guard:
    """Return the guard of what was made of bodies read as of a position."""
    return none_after(position, BodyErased.STREAM, BodyErased.TYPE)


def no_definition_after(position: int, signals: Iterable[str]) -> list[Guard]:
    """Return the guards of what was made of signals' definitions as of a position."""
    return [
        none_after(position, signal_stream(signal), *DEFINED_TYPES) for signal in sorted(signals)
    ]


def unbroken(type_: str, stream: str, as_of: int) -> list[Guard]:
    """Return the guards that nothing comes between a horizon and its record that bears on it."""
    return [Guard(one.stream, one.types, after_position=as_of) for one in bearing_on(type_, stream)]


def work_time(info: LedgerInfo, store: Store, head: Head) -> int:
    """Return the time by which jobs and budgets go, as of a head.

    For `data` the newest observed, which no deployment moves; before any, the newest stated. A
    `wall` clock may be behind the head, and time does not run backwards.
    """
    if info.clock == "wall":
        return max(head.recorded_at, store.clocks.now_micros(info.origin))
    return head.recorded_at if head.newest_observed_at is None else head.newest_observed_at


def while_unobserved(head: Head) -> list[Guard]:
    """Return the guards that a `work_time` before any observation is still so."""
    return [decided_before(0)] if head.newest_observed_at is None else []


def ledger_time(info: LedgerInfo, store: Store, head: Head) -> int:
    """Return the ledger's time at a head: the clock's, or for `data` the newest observed."""
    if info.clock == "data":
        return head.newest_observed_at or 0
    return store.clocks.now_micros(info.origin)
