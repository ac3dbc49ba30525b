"""Calls of ExportService."""

from collections.abc import Sequence
from typing import Final

from ledger.client.call import Call, CallScope, Paged, Stream
from ledger.client.calls.pages import one, page, whole
from ledger.client.enums import ExportKind
from ledger.client.inputs import Time, in_collection, number_of, timestamp_of
from ledger.client.proofs import Export, ExportPart
from ledger.v1 import export_pb2, export_service_pb2

_SERVICE: Final = "/ledger.v1.ExportService/"
_READ_SECONDS: Final = 3_600.0


def create_export(
    scope: CallScope,
    *,
    kind: ExportKind | str | None,
    first_position: int,
    last_position: int,
    from_time: Time | None,
    until_time: Time | None,
    stream: str,
    withhold_types: Sequence[str],
    withhold_streams: Sequence[str],
    withhold_reason: str,
    purpose: str,
) -> Call[Export]:
    """Return the call that begins a bundle."""
    number = number_of(kind, ExportKind, export_pb2.ExportKind, "kind")
    return Call(
        _SERVICE + "CreateExport",
        export_service_pb2.CreateExportRequest(
            kind=export_pb2.ExportKind.ValueType(number),
            first_position=first_position,
            last_position=last_position,
            from_time=timestamp_of(from_time, "from_time") if from_time is not None else None,
            until_time=timestamp_of(until_time, "until_time") if until_time is not None else None,
            stream=stream,
            withhold_types=withhold_types,
            withhold_streams=withhold_streams,
            withhold_reason=withhold_reason,
            purpose=purpose,
            ledger=scope.ledger,
            request_id=scope.request_id,
        ),
        export_service_pb2.CreateExportResponse,
        one(Export, "export"),
        scope.request_id,
    )


def get_export(scope: CallScope, name: str) -> Call[Export]:
    """Return the call that reads how far an export has come."""
    return Call(
        _SERVICE + "GetExport",
        export_service_pb2.GetExportRequest(
            ledger=scope.ledger, name=in_collection("exports", name)
        ),
        export_service_pb2.GetExportResponse,
        one(Export, "export"),
    )


def delete_export(scope: CallScope, name: str) -> Call[Export]:
    """Return the call that deletes a bundle."""
    return Call(
        _SERVICE + "DeleteExport",
        export_service_pb2.DeleteExportRequest(
            ledger=scope.ledger, name=in_collection("exports", name)
        ),
        export_service_pb2.DeleteExportResponse,
        one(Export, "export"),
    )


def list_exports(scope: CallScope) -> Paged[Export]:
    """Return the call that lists exports."""
    return Paged(
        Call(
            _SERVICE + "ListExports",
            export_service_pb2.ListExportsRequest(ledger=scope.ledger),
            export_service_pb2.ListExportsResponse,
            page(Export, "exports"),
        )
    )


def read_export(scope: CallScope, name: str, offset: int) -> Stream[ExportPart]:
    """Return the call that sends the archive of a bundle from a byte on."""
    return Stream(
        _SERVICE + "ReadExport",
        export_service_pb2.ReadExportRequest(
            ledger=scope.ledger, name=in_collection("exports", name), offset=offset
        ),
        export_service_pb2.ReadExportResponse,
        whole(ExportPart),
        _READ_SECONDS,
    )
