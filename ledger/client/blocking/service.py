# Generated from ledger/client/aio/service.py by `tools/dev.py proto`; do not edit.
"""What the calls of each service share, for threads: a connection, and what requests state."""

from ledger.client.blocking.connection import Connection
from ledger.client.call import Scope


class Service:
    """What the calls of one service are made through."""

    _connection: Connection

    @property
    def _scope(self) -> Scope:
        """What a read states."""
        return self._connection.settings.scope()

    def _append_scope(self, request_id: str | None, *, allow_leap: bool = False) -> Scope:
        """Return what an append states: the caller's request id, or one made now."""
        return self._connection.settings.append_scope(request_id, allow_leap=allow_leap)
