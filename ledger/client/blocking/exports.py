# Generated from ledger/client/aio/exports.py by `tools/dev.py proto`; do not edit.
"""Bundles that verify without the service, for threads."""

from collections.abc import Iterator, Sequence

from ledger.client.blocking.service import ServiceCalls
from ledger.client.calls import exports as calls
from ledger.client.enums import ExportKind
from ledger.client.inputs import Time
from ledger.client.proofs import Export, ExportPart


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
        call = calls.create_export(
            self._append_scope(request_id),
            kind=kind,
            first_position=first_position,
            last_position=last_position,
            from_time=from_time,
            until_time=until_time,
            stream=stream,
            withhold_types=withhold_types,
            withhold_streams=withhold_streams,
            withhold_reason=withhold_reason,
            purpose=purpose,
        )
        return self._connection.run(call)

    def get_export(self, name: str) -> Export:
        """Return an export and how far it has come."""
        return self._connection.run(calls.get_export(self._scope, name))

    def delete_export(self, name: str) -> Export:
        """Delete a bundle that the server holds, as an operator; return what it was."""
        return self._connection.run(calls.delete_export(self._scope, name))

    def list_exports(self) -> Iterator[Export]:
        """Iterate over the exports that the server holds, newest first."""
        return self._connection.items(calls.list_exports(self._scope))

    def read_export(self, name: str, *, offset: int = 0) -> Iterator[ExportPart]:
        """Iterate over the pieces of a finished bundle's tar archive, from a byte on.

        A broken transfer is not tried again: go on with the offset that was reached. The same
        export always gives the same bytes.
        """
        return self._connection.stream(calls.read_export(self._scope, name, offset))
