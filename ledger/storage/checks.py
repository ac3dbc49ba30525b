"""The checks of a request before it is placed, apart from the state of a group."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import notation
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import ACTOR, REQUEST_ID, STREAM, TYPE
from ledger.storage.records import (
    AppendRequest,
    Guard,
    KeptCosignature,
    LedgerInfo,
    NewEvent,
    Place,
)
from ledger.storage.schema import tracking


class RequestKey(NamedTuple):
    """The key that makes a request id unique."""

    ledger_id: int
    actor: str
    method: str
    request_id: str


def request_key(info: LedgerInfo, request: AppendRequest) -> RequestKey | None:
    """Return what the request's id is unique by, None without an id."""
    if request.request_id is None:
        return None
    return RequestKey(info.ledger_id, request.actor, request.method, request.request_id)


def request_row(key: RequestKey, digest: bytes, first: int, last: int) -> dict[str, Any]:
    """Return the row that remembers the answer to a request id, under a digest over all of it."""
    text = "".join(f"{part}\n" for part in (*key, first, last))
    return {
        **key._asdict(),
        "digest": digest,
        "first_position": first,
        "last_position": last,
        "seal": hashlib.sha256(text.encode() + digest).digest(),
    }


def cosignature_row(ledger_id: int, kept: KeptCosignature) -> dict[str, Any]:
    """Return the row that keeps a cosignature, under a digest over all of it."""
    text = f"{ledger_id}\n{kept.size}\n{kept.name}\n{kept.key_id.hex()}\n{kept.line}\n"
    seal = hashlib.sha256(text.encode()).digest()
    return {"ledger_id": ledger_id, **kept._asdict(), "seal": seal}


def check_request(request: AppendRequest) -> None:
    """Refuse names outside their grammars: they go into the header unescaped."""
    if ACTOR.fullmatch(request.actor) is None:
        raise invalid_field("actor", f"{request.actor[:140]!r} is not an actor")
    if request.request_id is not None and REQUEST_ID.fullmatch(request.request_id) is None:
        raise invalid_field("request_id", f"{request.request_id[:140]!r} is not a request id")
    checked: set[tuple[str, str, bool]] = set()
    for index, event in enumerate(request.events):
        shape = (event.stream, event.type, event.observed_at is None)
        if shape in checked:
            continue
        if STREAM.fullmatch(event.stream) is None:
            raise invalid_field(
                f"events[{index}].stream", f"{event.stream[:140]!r} is not a stream"
            )
        if TYPE.fullmatch(event.type) is None:
            raise invalid_field(f"events[{index}].type", f"{event.type[:140]!r} is not a type")
        assert (event.observed_at is None) == (event.type not in OBSERVED_TYPES)
        checked.add(shape)


def check_tracking(consumer: str, known: int | None, position: int) -> None:
    """Refuse to move a consumer's tracking position anywhere but forward."""
    if known is not None and position <= known:
        raise LedgerError(
            Reason.VERSION_CONFLICT,
            f"{consumer} has already processed position {known}; {position} is not beyond it.",
            remedy="Continue after the position that is tracked.",
            metadata={"consumer": consumer, "tracked": str(known), "position": str(position)},
        )


def read_tracking(connection: Connection, ledger_id: int, consumer: str) -> int | None:
    """Return a consumer's tracking position, None before the first."""
    statement = select(tracking.c.position).where(
        tracking.c.ledger_id == ledger_id, tracking.c.consumer == consumer
    )
    found: int | None = connection.execute(statement).scalar()
    return found


def set_tracking(connection: Connection, ledger_id: int, consumer: str, position: int) -> None:
    """Store a tracking position that `check_tracking` has passed under the head's lock."""
    where = and_(tracking.c.ledger_id == ledger_id, tracking.c.consumer == consumer)
    if connection.execute(tracking.update().where(where).values(position=position)).rowcount == 0:
        connection.execute(
            tracking.insert().values(ledger_id=ledger_id, consumer=consumer, position=position)
        )


def bodies_of(new: Sequence[NewEvent], place: Place) -> list[bytes]:
    """Return the bodies, made now where they depend on their place.

    What a caller's function raises refuses that caller's request alone.
    """
    bodies = []
    for event in new:
        if isinstance(event.body, bytes):
            bodies.append(event.body)
            continue
        try:
            bodies.append(event.body(place))
        except LedgerError:
            raise
        except Exception as error:
            raise LedgerError(
                Reason.INTERNAL,
                f"The body of a {event.type} could not be made: {error!r}.",
                remedy="This is a defect of the service; nothing of the request was written.",
            ) from error
    return bodies


def check_before(guard: Guard, clock: str, newest: int | None) -> None:
    """Refuse where a guard is of a time, and a ledger of data has come to it by its newest."""
    if guard.before is None or clock != "data":
        return
    if newest is not None and newest >= guard.before:
        raise conflict(guard, f"one of {notation.time(newest)}", newest)


def conflict(guard: Guard, what_is_there: str, found: int) -> LedgerError:
    """Return the refusal by a guard."""
    if guard.is_passing:
        return LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"Stream {guard.stream} changed while the request was carried out; nothing was "
            "written.",
            remedy="Send the same request again.",
            retry_after_seconds=0.1,
            metadata={"stream": guard.stream or ""},
        )
    what = "any event" if guard.types is None else " or ".join(sorted(guard.types))
    if guard.before is not None:
        what = f"an observation of {notation.time(guard.before)} or later"
    where = "The ledger" if guard.stream is None else f"Stream {guard.stream}"
    return LedgerError(
        Reason.VERSION_CONFLICT,
        f"{where} has changed: for {what} it has {what_is_there}.",
        remedy="Read it again, decide again, and send a new request.",
        metadata={"stream": guard.stream or "", "found": str(found)},
    )
