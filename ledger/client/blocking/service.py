# Generated from ledger/client/aio/service.py by `tools/dev.py proto`; do not edit.
"""What the calls of each service share, for threads: a connection, and what requests state."""

from ledger.client.blocking.connection import ClientConnection
from ledger.client.call import CallScope


class ServiceCalls:
    """What the calls of one service are made through."""

    _connection: ClientConnection

    @property
    def _scope(self) -> CallScope:
        """What a read states."""
        return self._connection.settings.scope()

    def _append_scope(self, request_id: str | None, *, allow_leap: bool = False) -> CallScope:
        """Return what an append states: the caller's request id, or one made now."""
        return self._connection.settings.append_scope(request_id, allow_leap=allow_leap)
