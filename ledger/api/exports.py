"""ExportService: bundles that verify without this service, asked for, followed, sent."""

from collections.abc import Iterator

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import exports as convert
from ledger.api.paging import page_of
from ledger.api.server_context import Servicer
from ledger.errors import invalid_field
from ledger.limits import EXPORT_CHUNK_BYTES
from ledger.v1 import export_service_pb2 as pb
from ledger.v1 import export_service_pb2_grpc


class ExportServicer(Servicer, export_service_pb2_grpc.ExportServiceServicer):
    """Serves ExportService."""

    def CreateExport(
        self, request: pb.CreateExportRequest, context: grpc.ServicerContext
    ) -> pb.CreateExportResponse:
        """Begin a bundle."""
        asked = convert.export_request(request)
        origin = request.ledger
        caller = self._server.caller(request, context)
        job = self._server.backend.exports(origin).create(caller, asked)
        return pb.CreateExportResponse(export=convert.export(job))

    def GetExport(
        self, request: pb.GetExportRequest, context: grpc.ServicerContext
    ) -> pb.GetExportResponse:
        """Return an export and how far it has come."""
        export = _named(request.name)
        job = self._server.backend.exports(request.ledger).get(export)
        return pb.GetExportResponse(export=convert.export(job))

    def ListExports(
        self, request: pb.ListExportsRequest, context: grpc.ServicerContext
    ) -> pb.ListExportsResponse:
        """List exports, newest first."""
        page = page_of(request)
        every = self._server.backend.exports(request.ledger).all()
        rest = [job for job in every if not page.cursor or job.export < page.cursor]
        shown, token = page.cut(rest, lambda job: job.export)
        exports = [convert.export(job) for job in shown]
        return pb.ListExportsResponse(exports=exports, next_page_token=token)

    def ReadExport(
        self, request: pb.ReadExportRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReadExportResponse]:
        """Send the archive of a bundle from a byte on."""
        export = _named(request.name)
        exports = self._server.backend.exports(request.ledger)
        size, pieces = exports.read(export, request.offset, EXPORT_CHUNK_BYTES)
        if not 0 <= request.offset <= size:
            raise invalid_field("offset", f"is {request.offset}; the archive has {size} bytes")
        offset = request.offset
        for content in pieces:
            self._server.check_draining()
            yield pb.ReadExportResponse(offset=offset, content=content, archive_bytes=size)
            offset += len(content)

    def DeleteExport(
        self, request: pb.DeleteExportRequest, context: grpc.ServicerContext
    ) -> pb.DeleteExportResponse:
        """Delete a bundle that is kept here."""
        job = self._server.backend.exports(request.ledger).delete(_named(request.name))
        return pb.DeleteExportResponse(export=convert.export(job))


def _named(name: str) -> str:
    """Return the id in the name of an export; FIELD_INVALID for other names."""
    checks = Checks()
    export = checks.name("name", name, "exports")
    checks.done()
    return export
