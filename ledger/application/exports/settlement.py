"""From what was asked for to what a bundle will cover: checkpoint, positions and seal, settled."""

import hashlib
from typing import Final

from ledger.application.commands import Caller
from ledger.application.exports.jobs import ExportJob, ExportRequest
from ledger.application.ledger import LedgerApplication
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import StreamsSealed
from ledger.events.registry import keeps_body, typed
from ledger.events.values import STREAM, TYPE, format_time
from ledger.export.scope import ERASED, ERASED_LATER, REASON_CHARS_MAX
from ledger.limits import TEXT_CHARS_MAX
from ledger.storage.store import Store

WITHHELD_NAMES_MAX: Final = 100


def settle(
    ledger: LedgerApplication, store: Store, caller: Caller, request: ExportRequest, export: str
) -> ExportJob:
    """Return the job of an export: what it covers, signed now, and sealed now where that is due.

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
    streamed = _stream(ledger, store, caller, request.stream) if request.stream else None
    signed = ledger.attestation.checkpoints.sign()
    first, last, events, seal = streamed or _range(ledger, request, signed.size)
    return ExportJob(
        export=export,
        kind=request.kind,
        first_position=first,
        last_position=last,
        stream=request.stream or None,
        checkpoint_size=signed.size,
        note=signed.note,
        seal_position=seal,
        requested_at=format_time(store.clocks.now_micros(ledger.info.origin)),
        requested_by=caller.actor,
        purpose=request.purpose,
        withhold_types=tuple(sorted(set(request.withhold_types))),
        withhold_streams=tuple(sorted(set(request.withhold_streams))),
        withhold_reason=request.withhold_reason,
        events_total=events,
        request_id=caller.request_id or export,
        digest=(caller.digest or hashlib.sha256(export.encode()).digest()).hex(),
    )


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


_Covered = tuple[int, int, int, int | None]
"""First and last position, how many events, and where the seal is, if there is one."""


def _range(ledger: LedgerApplication, request: ExportRequest, size: int) -> _Covered:
    """Return what is between the positions and times that were named, and up to the checkpoint."""
    first, last = request.first_position or 1, request.last_position or size
    if request.from_time is not None:
        first = max(first, ledger.log.position_at(request.from_time - 1) + 1)
    if request.until_time is not None:
        last = min(last, ledger.log.position_at(request.until_time - 1))
    if first > last:
        raise invalid_field(
            "first_position", "the range holds no event", remedy="Ask for a wider one."
        )
    return first, last, last - first + 1, None


def _stream(ledger: LedgerApplication, store: Store, caller: Caller, stream: str) -> _Covered:
    """Return how far a stream goes by a seal that is made now.

    So a fresh export is complete up to the newest event of its stream, and says so of the present.
    """
    if STREAM.fullmatch(stream) is None:
        raise invalid_field("stream", f"{stream[:160]!r} is not a stream")
    origin, seals = ledger.info.origin, ledger.attestation.seals
    if _last_of(store, origin, stream, ledger.log.head().position) is None:
        raise invalid_field(
            "stream", f"{stream} has no events", remedy="Name a stream as `models/NAME`."
        )
    ledger.attestation.checkpoints.refuse_if_stopped()  # before a seal that nothing would sign
    seals.seal(Caller(caller.actor, guards=caller.guards))
    sealing = seals.newest()
    assert sealing is not None, "the streams were sealed"
    last = _last_of(store, origin, stream, typed(sealing, StreamsSealed).as_of)
    assert last is not None, "the seal covers an event of the stream"
    first = store.events.stream_event(origin, stream, 1)
    return first.position, last.position, last.stream_version, sealing.position


def _last_of(store: Store, origin: str, stream: str, until: int) -> RecordedEvent | None:
    """Return a stream's last event up to a position."""
    for head in store.proofs.stream_heads(origin, until):
        if head.stream == stream:
            return store.events.stream_event(origin, stream, head.stream_version)
    return None
