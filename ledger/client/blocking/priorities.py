# Generated from ledger/client/aio/priorities.py by `tools/dev.py proto`; do not edit.
"""Ranks, plans and projections, for threads."""

from collections.abc import Iterator

from ledger.client.blocking.service import ServiceCalls
from ledger.client.calls import priorities as calls
from ledger.client.enums import PriorityOrder
from ledger.client.inputs import Time
from ledger.client.ranking import (
    MadePlan,
    Plan,
    Priorities,
    PriorityUpdate,
    Projection,
    RebuiltProjection,
)


class PriorityCalls(ServiceCalls):
    """Which model next: the ranked fleet, plans, and the projections they are read from."""

    def list_priorities(
        self,
        *,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        since: Time | None = None,
        since_position: int | None = None,
        order_by: PriorityOrder | str | None = None,
        min_position: int = 0,
    ) -> Priorities:
        """Return the fleet by rank, now or as of a moment of the ledger's clock.

        With `since`, each row says how it moved since then, and why. Of a moment, state its time or
        its position; the position wins.
        """
        paged = calls.list_priorities(
            self._scope,
            as_of=as_of,
            as_of_position=as_of_position,
            since=since,
            since_position=since_position,
            order_by=order_by,
            min_position=min_position,
        )
        pages = self._connection.all_pages(paged)
        return calls.all_rows(pages)

    def watch_priorities(self, *, after_position: int = 0) -> Iterator[PriorityUpdate]:
        """Iterate over changes of the list, for ever; at least once each.

        Without changes an empty update comes every few seconds. A lost connection is taken up again
        after the last update processed.
        """
        watch = calls.watch_priorities(self._scope)
        return self._connection.watch(watch, after_position)

    def make_plan(
        self,
        purse_micros: int,
        *,
        purse_cap_micros: int | None = None,
        policy: str = "",
        plan: str = "",
        request_id: str | None = None,
    ) -> MadePlan:
        """Rank the fleet under a purse and record the whole backlog."""
        scope = self._append_scope(request_id)
        call = calls.make_plan(
            scope, purse_micros, purse_cap_micros=purse_cap_micros, policy=policy, plan=plan
        )
        return self._connection.run(call)

    def get_plan(self, plan: str, *, min_position: int = 0) -> Plan:
        """Return one plan, whole."""
        return self._connection.run(calls.get_plan(self._scope, plan, min_position))

    def list_plans(self, *, min_position: int = 0) -> Iterator[Plan]:
        """Iterate over plans without their backlogs, newest first."""
        return self._connection.items(calls.list_plans(self._scope, min_position))

    def get_projection(self, projection: str, *, min_position: int = 0) -> Projection:
        """Return how far a projection is."""
        return self._connection.run(calls.get_projection(self._scope, projection, min_position))

    def list_projections(self, *, min_position: int = 0) -> Iterator[Projection]:
        """Iterate over the server's projections by id."""
        return self._connection.items(calls.list_projections(self._scope, min_position))

    def rebuild_projection(
        self, projection: str, *, keep_previous: bool = False
    ) -> RebuiltProjection:
        """Build a projection from scratch beside the live one, compare both, and switch over.

        The old rows stay in the database if they differ, or if `keep_previous`.
        """
        call = calls.rebuild_projection(self._scope, projection, keep_previous=keep_previous)
        return self._connection.run(call)
