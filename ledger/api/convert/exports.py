"""Exports: what was asked for, and how far it has come."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.checks import Checks
from ledger.api.convert.basics import inverse, numbers, timestamp_of
from ledger.application.exports.jobs import ExportJob, ExportRequest, ExportState
from ledger.export.scope import REASON_CHARS_MAX, Kind
from ledger.limits import TEXT_CHARS_MAX
from ledger.v1 import export_pb2
from ledger.v1 import export_service_pb2 as pb

_KINDS: Final = numbers(export_pb2.ExportKind, Kind)
_ASKED: Final = {**inverse(_KINDS), export_pb2.EXPORT_KIND_UNSPECIFIED: "full"}
_STATES: Final = numbers(export_pb2.ExportState, ExportState)
_WITHHELD_MAX: Final = 100


def export(job: ExportJob) -> export_pb2.Export:
    """Return an export."""
    return export_pb2.Export(
        name=f"exports/{job.export}",
        kind=_KINDS[job.kind],
        first_position=job.first_position,
        last_position=job.last_position,
        stream=job.stream or "",
        state=_STATES[job.state],
        events_done=job.events_done,
        events_total=job.events_total,
        withheld=job.withheld,
        checkpoint_size=job.checkpoint_size,
        manifest_digest=bytes.fromhex(job.manifest_digest),
        archive_bytes=job.archive_bytes,
        requested_at=timestamp_of(job.requested_at),
        requested_by=job.requested_by,
        purpose=job.purpose,
        failure=job.failure,
        issued_position=job.issued_position,
    )


def export_request(request: pb.CreateExportRequest) -> ExportRequest:
    """Return what a request asks for; FIELD_INVALID names every fault of its form."""
    checks = Checks()
    if request.kind not in _ASKED:
        checks.refuse("kind", f"{request.kind} is no kind of export")
    first = checks.position("first_position", request.first_position)
    last = checks.position("last_position", request.last_position)
    if last and first > last:
        checks.refuse("last_position", f"is {last}, before first_position, {first}")
    from_time = _time(checks, "from_time", request.from_time, request.HasField("from_time"))
    until_time = _time(checks, "until_time", request.until_time, request.HasField("until_time"))
    types = checks.at_most("withhold_types", request.withhold_types, _WITHHELD_MAX)
    streams = checks.at_most("withhold_streams", request.withhold_streams, _WITHHELD_MAX)
    if request.withhold_reason:
        checks.text("withhold_reason", request.withhold_reason, maximum=REASON_CHARS_MAX)
    if len(request.purpose) > TEXT_CHARS_MAX:
        checks.refuse("purpose", f"is {len(request.purpose)} characters long")
    checks.done()
    return ExportRequest(
        _ASKED[request.kind],
        first,
        last,
        from_time,
        until_time,
        request.stream,
        tuple(types),
        tuple(streams),
        request.withhold_reason,
        request.purpose,
    )


def _time(checks: Checks, field: str, value: Timestamp, given: bool) -> int | None:  # noqa: FBT001
    return checks.time(field, value, given=True) if given else None
