"""From what was asked for to what a bundle will cover: checkpoint, positions and seal, settled."""

from dataclasses import dataclass
from typing import Final

from ledger.application.commands import Caller
from ledger.application.exports import source
from ledger.application.exports.jobs import ExportRequest
from ledger.application.ledger import LedgerApplication
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import keeps_body
from ledger.events.values import STREAM, TYPE
from ledger.export.scope import ERASED, ERASED_LATER, REASON_CHARS_MAX
from ledger.limits import TEXT_CHARS_MAX
from ledger.storage.store import Store

WITHHELD_NAMES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Settled:
    """What a bundle covers."""

    first_position: int
    last_position: int
    stream: str | None
    events: int
    checkpoint_size: int
    note: str
    seal_position: int | None = None


def settle(
    ledger: LedgerApplication, store: Store, caller: Caller, request: ExportRequest
) -> Settled:
    """Return what a bundle covers; signs a checkpoint, and seals the streams where that is due.

    FIELD_INVALID, POSITION_BEYOND_HEAD or BODY_PERMANENT if it cannot be as asked.
    """
    _check_withholding(request)
    if len(request.purpose) > TEXT_CHARS_MAX:
        raise invalid_field("purpose", f"has more than {TEXT_CHARS_MAX} characters")
    ranged = (
        request.first_position,
        request.last_position,
        request.from_time is not None,
        request.until_time is not None,
    )
    if any(ranged) and request.kind != "range":
        raise invalid_field("kind", f"is {request.kind}, and positions or times belong to a range")
    if bool(request.stream) != (request.kind == "stream"):
        raise invalid_field("stream", "belongs to the export of a stream, and only to that")
    if request.kind == "stream":
        return _stream(ledger, store, caller, request.stream)
    if request.kind == "range":
        return _range(ledger, request)
    signed = ledger.attestation.checkpoints.sign()
    return Settled(1, signed.size, None, signed.size, signed.size, signed.note)


def _check_withholding(request: ExportRequest) -> None:
    named = {"withhold_types": request.withhold_types, "withhold_streams": request.withhold_streams}
    for field, names in named.items():
        if len(names) > WITHHELD_NAMES_MAX:
            raise invalid_field(field, f"has more than {WITHHELD_NAMES_MAX} entries")
        grammar = TYPE if field == "withhold_types" else STREAM
        for at, name in enumerate(names):
            if grammar.fullmatch(name) is None:
                raise invalid_field(f"{field}[{at}]", f"{name[:160]!r} cannot be one")
    for type_ in request.withhold_types:
        if keeps_body(type_):
            raise LedgerError(
                Reason.BODY_PERMANENT,
                f"Bodies of {type_} can be neither erased nor withheld: the rest rests on them.",
                remedy="Leave that type out of withhold_types.",
                metadata={"type": type_},
            )
    reason = request.withhold_reason
    is_withholding = bool(request.withhold_types or request.withhold_streams)
    if is_withholding != bool(reason.strip()):
        raise invalid_field("withhold_reason", "is given exactly if bodies are withheld")
    if len(reason) > REASON_CHARS_MAX:
        raise invalid_field("withhold_reason", f"has more than {REASON_CHARS_MAX} characters")
    if reason in {ERASED, ERASED_LATER}:
        raise invalid_field("withhold_reason", f"{reason!r} is what is said of erased bodies")


def _range(ledger: LedgerApplication, request: ExportRequest) -> Settled:
    head = ledger.log.head().position
    if request.last_position > head:
        raise LedgerError(
            Reason.POSITION_BEYOND_HEAD,
            f"last_position: {request.last_position} lies beyond the head, {head}.",
            remedy="Wait for the head, or end the range earlier.",
            metadata={
                "field": "last_position",
                "position": str(request.last_position),
                "head": str(head),
            },
        )
    signed = ledger.attestation.checkpoints.sign()
    first, last = request.first_position or 1, request.last_position or signed.size
    if request.from_time is not None:
        first = max(first, ledger.log.position_at(request.from_time - 1) + 1)
    if request.until_time is not None:
        last = min(last, ledger.log.position_at(request.until_time - 1))
    if first > last:
        raise invalid_field(
            "first_position", "the range holds no event", remedy="Ask for a wider one."
        )
    return Settled(first, last, None, last - first + 1, signed.size, signed.note)


def _stream(ledger: LedgerApplication, store: Store, caller: Caller, stream: str) -> Settled:
    if STREAM.fullmatch(stream) is None:
        raise invalid_field("stream", f"{stream[:160]!r} is no stream")
    origin = ledger.info.origin
    newest = _last_of(store, origin, stream, ledger.log.head().position)
    if newest is None:
        raise invalid_field(
            "stream", f"{stream} has no events", remedy="Name a stream as `models/NAME`."
        )
    known = source.newest_seal(store, origin)
    if known is None or known[1].as_of < newest.position:
        ledger.attestation.seals.seal(Caller(caller.actor))
        known = source.newest_seal(store, origin)
    assert known is not None, "the streams were sealed"
    event, seal = known
    signed = ledger.attestation.checkpoints.sign()
    last = _last_of(store, origin, stream, seal.as_of)
    assert last is not None, "the seal covers an event of the stream"
    first = store.events.stream_event(origin, stream, 1)
    return Settled(
        first.position,
        last.position,
        stream,
        last.stream_version,
        signed.size,
        signed.note,
        event.position,
    )


def _last_of(store: Store, origin: str, stream: str, until: int) -> RecordedEvent | None:
    """Return a stream's last event up to a position."""
    for head in store.proofs.stream_heads(origin, until):
        if head.stream == stream:
            return store.events.stream_event(origin, stream, head.stream_version)
    return None
