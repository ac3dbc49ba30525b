"""Exports: what was asked for, and how far it has come."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.checks import Checks
from ledger.api.convert.basics import inverse, message_of, numbers
from ledger.application.exports.jobs import ExportJob, ExportRequest
from ledger.export.scope import REASON_CHARS_MAX, Kind
from ledger.limits import TEXT_CHARS_MAX
from ledger.v1 import export_pb2
from ledger.v1 import export_service_pb2 as pb

_ASKED: Final = {
    **inverse(numbers(export_pb2.ExportKind, Kind)),
    export_pb2.EXPORT_KIND_UNSPECIFIED: "full",
}
_WITHHELD_MAX: Final = 100


def export(job: ExportJob) -> export_pb2.Export:
    """Return an export."""
    digest = bytes.fromhex(job.manifest_digest)
    return message_of(export_pb2.Export, job, name=f"exports/{job.export}", manifest_digest=digest)


def export_request(request: pb.CreateExportRequest) -> ExportRequest:
    """Return what a request asks for; FIELD_INVALID names every fault of its form."""
    checks = Checks()
    if request.kind not in _ASKED:
        checks.refuse("kind", f"{request.kind} is not a kind of export")
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
