"""Erasing bodies, for asyncio."""

from collections.abc import Sequence

from ledger.client.aio.connection import Service
from ledger.client.calls import erasure as calls
from ledger.client.outcomes import Erased


class Erasure(Service):
    """Bodies removed for good, which only an authorised actor may do."""

    async def erase_bodies(
        self,
        positions: Sequence[tuple[int, int]],
        *,
        ground: str,
        authority: str,
        request_id: str | None = None,
    ) -> Erased:
        """Remove body and salt of the events in these ranges (first and last), for good.

        Answers when the service holds no copy any more, which takes as long as its projections
        take to be folded again: give it a deadline of minutes where the ledger is large.
        """
        scope = self._connection.settings.append_scope(request_id)
        call = calls.erase_bodies(scope, positions, ground=ground, authority=authority)
        return await self._connection.run(call)
