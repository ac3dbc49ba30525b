# Generated from ledger/client/aio/exports.py by `tools/dev.py proto`; do not edit.
"""Bundles that verify without the service, for threads."""

from collections.abc import Iterator, Sequence
from typing import Final

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, paged, whole
from ledger.client.enums import ExportKind
from ledger.client.inputs import Time, in_collection, number_of, timestamp_of
from ledger.client.proofs import Export, ExportPart
from ledger.v1 import export_pb2
from ledger.v1 import export_service_pb2 as pb

_READ_SECONDS: Final = 3_600.0


class ExportCalls(ServiceCalls):
    """Bundles of events with their proofs."""

    def create_export(
        self,
        *,
        kind: ExportKind | str | None = None,
        first_position: int = 0,
        last_position: int = 0,
        from_time: Time | None = None,
        until_time: Time | None = None,
        stream: str = "",
        withhold_types: Sequence[str] = (),
        withhold_streams: Sequence[str] = (),
        withhold_reason: str = "",
        purpose: str = "",
        request_id: str | None = None,
    ) -> Export:
        """Begin a bundle (`full` if no kind is given) and return at once.

        Ask `get_export` until its state is READY. The purpose is recorded for good.
        """
        request = pb.CreateExportRequest(
            kind=number_of(kind, ExportKind, export_pb2.ExportKind, "kind"),
            first_position=first_position,
            last_position=last_position,
            from_time=None if from_time is None else timestamp_of(from_time, "from_time"),
            until_time=None if until_time is None else timestamp_of(until_time, "until_time"),
            stream=stream,
            withhold_types=withhold_types,
            withhold_streams=withhold_streams,
            withhold_reason=withhold_reason,
            purpose=purpose,
        )
        return self._connection.run(Call(request, one(Export, "export"), request_id))

    def get_export(self, name: str) -> Export:
        """Return an export and how far it has come."""
        request = pb.GetExportRequest(name=in_collection("exports", name))
        return self._connection.run(Call(request, one(Export, "export")))

    def delete_export(self, name: str) -> Export:
        """Delete a bundle that the server holds, as an operator; return what it was."""
        request = pb.DeleteExportRequest(name=in_collection("exports", name))
        return self._connection.run(Call(request, one(Export, "export")))

    def list_exports(self) -> Iterator[Export]:
        """Iterate over the exports that the server holds, newest first."""
        return self._connection.items(paged(pb.ListExportsRequest(), Export, "exports"))

    def read_export(self, name: str, *, offset: int = 0) -> Iterator[ExportPart]:
        """Iterate over the pieces of a finished bundle's tar archive, from a byte on.

        A broken transfer is not tried again: go on with the offset that was reached. The same
        export always gives the same bytes.
        """
        request = pb.ReadExportRequest(name=in_collection("exports", name), offset=offset)
        call = Call(request, whole(ExportPart), deadline_seconds_min=_READ_SECONDS)
        return self._connection.stream(call)
