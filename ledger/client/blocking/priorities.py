# Generated from ledger/client/aio/priorities.py by `tools/dev.py proto`; do not edit.
"""Ranks, plans and projections, for threads."""

from collections.abc import Iterator
from typing import Final

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import decode, moment, one, paged, whole
from ledger.client.enums import PriorityOrder
from ledger.client.inputs import (
    Time,
    id_of,
    in_collection,
    moment_fields,
    number_of,
    timestamp_of,
)
from ledger.client.ranking import (
    MadePlan,
    Plan,
    PlanOperation,
    Priorities,
    Priority,
    PriorityDeparture,
    PriorityUpdate,
    Projection,
    ProposedReuse,
    RebuiltProjection,
    ToldPlanSchedule,
)
from ledger.client.records import Appended
from ledger.v1 import priority_pb2
from ledger.v1 import priority_service_pb2 as pb

_REBUILD_SECONDS: Final = 3_600.0


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
        request = pb.ListPrioritiesRequest(
            order_by=number_of(order_by, PriorityOrder, priority_pb2.PriorityOrder, "order_by"),
            min_position=min_position,
        )
        if as_of_position is not None:
            request.as_of_position = as_of_position
        elif as_of is not None:
            request.as_of_time.CopyFrom(timestamp_of(as_of, "as_of_time"))
        if since_position is not None:
            request.since_position = since_position
        elif since is not None:
            request.since_time.CopyFrom(timestamp_of(since, "since_time"))
        pages = self._connection.all_pages(paged(request, Priority, "priorities"))
        position, recorded_at = moment(pages[0].answer)  # all pages show that of the first
        rows = tuple(row for page in pages for row in page.items)
        left = tuple(decode(PriorityDeparture, item) for item in pages[0].answer.left)
        return Priorities(rows, position, recorded_at, left)

    def watch_priorities(self, *, after_position: int = 0) -> Iterator[PriorityUpdate]:
        """Iterate over changes of the list, without end; at least once each.

        Without changes an empty update comes every few seconds. A lost connection is taken up again
        after the last update processed.
        """

        def read(answer: pb.WatchPrioritiesResponse) -> list[tuple[PriorityUpdate, int]]:
            return [(decode(PriorityUpdate, answer), answer.position)]

        return self._connection.watch(Call(pb.WatchPrioritiesRequest(), read), after_position)

    def make_plan(
        self,
        budget_micros: int,
        *,
        budget_cap_micros: int | None = None,
        policy: str = "",
        plan: str = "",
        second_to: str = "",
        request_id: str | None = None,
    ) -> MadePlan:
        """Rank the fleet under a budget and record the whole backlog.

        `second_to` names the first plan of this period: the plan is made again for the money that
        the tests of its jobs left, and the budget that is stated counts for nothing.
        """
        request = pb.MakePlanRequest(
            purse_micros=str(budget_micros),
            purse_cap_micros="" if budget_cap_micros is None else str(budget_cap_micros),
            policy=id_of("policies", policy),
            plan=id_of("plans", plan),
            second_to=id_of("plans", second_to),
        )
        return self._connection.run(Call(request, whole(MadePlan), request_id))

    def begin_plan(
        self,
        budget_micros: int,
        *,
        budget_cap_micros: int | None = None,
        policy: str = "",
        plan: str = "",
        second_to: str = "",
        request_id: str | None = None,
    ) -> PlanOperation:
        """Make a plan as `make_plan`, and return within a second how far it is.

        It goes on by itself; `get_plan_operation` has the plan in the end. Begin it again under the
        same request id where the server knows it no more.
        """
        request = pb.BeginPlanRequest(
            purse_micros=str(budget_micros),
            purse_cap_micros="" if budget_cap_micros is None else str(budget_cap_micros),
            policy=id_of("policies", policy),
            plan=id_of("plans", plan),
            second_to=id_of("plans", second_to),
        )
        return self._connection.run(Call(request, one(PlanOperation, "operation"), request_id))

    def get_plan_operation(self, operation: str) -> PlanOperation:
        """Return how far a plan in the making has come; raises what it failed with."""
        request = pb.GetPlanOperationRequest(name=in_collection("planOperations", operation))
        return self._connection.run(Call(request, one(PlanOperation, "operation")))

    def schedule_plans(
        self,
        policy: str,
        every_seconds: int,
        budget_micros: int = 0,
        *,
        budget_cap_micros: int | None = None,
        recipe: str = "",
        reason: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Have plans by a policy made by the clock; 0 seconds end that.

        The first has this budget. Each period of the policy adds it again to what jobs left, up to
        the cap. By the newest approved version of `recipe` the service proposes the jobs of
        admitted models; without one people do.
        """
        request = pb.SchedulePlansRequest(
            policy=id_of("policies", policy),
            every_seconds=every_seconds,
            purse_micros=str(budget_micros),
            purse_cap_micros="" if budget_cap_micros is None else str(budget_cap_micros),
            recipe=id_of("recipes", recipe),
            reason=reason,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def list_plan_schedules(
        self,
        *,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> list[ToldPlanSchedule]:
        """Return the schedules of plans that run, by policy.

        As they are now, or as they were at an earlier time or position.
        """
        request = pb.ListPlanSchedulesRequest(
            min_position=min_position, **moment_fields(as_of, as_of_position)
        )
        pages = self._connection.all_pages(paged(request, ToldPlanSchedule, "schedules"))
        return [item for page in pages for item in page.items]

    def propose_reuse(self, *, policy: str = "", request_id: str | None = None) -> ProposedReuse:
        """Record which earlier versions are to serve again, and return what is new in this period.

        Workers put each into service (`list_put_backs`); or you do, and `record_deployment`.
        """
        request = pb.ProposeReuseRequest(policy=id_of("policies", policy))
        return self._connection.run(Call(request, whole(ProposedReuse), request_id))

    def get_plan(self, plan: str, *, min_position: int = 0) -> Plan:
        """Return one plan, whole."""
        request = pb.GetPlanRequest(name=in_collection("plans", plan), min_position=min_position)
        return self._connection.run(Call(request, one(Plan, "plan")))

    def list_plans(self, *, min_position: int = 0) -> Iterator[Plan]:
        """Iterate over plans without their backlogs, newest first."""
        request = pb.ListPlansRequest(min_position=min_position)
        return self._connection.items(paged(request, Plan, "plans"))

    def get_projection(self, projection: str, *, min_position: int = 0) -> Projection:
        """Return how far a projection is."""
        name = in_collection("projections", projection)
        request = pb.GetProjectionRequest(name=name, min_position=min_position)
        return self._connection.run(Call(request, one(Projection, "projection")))

    def list_projections(self, *, min_position: int = 0) -> Iterator[Projection]:
        """Iterate over the server's projections by id."""
        request = pb.ListProjectionsRequest(min_position=min_position)
        return self._connection.items(paged(request, Projection, "projections"))

    def rebuild_projection(
        self, projection: str, *, keep_previous: bool = False
    ) -> RebuiltProjection:
        """Build a projection from scratch beside the live one, compare both, and switch over.

        The old rows stay in the database if they differ, or if `keep_previous`.
        """
        name = in_collection("projections", projection)
        request = pb.RebuildProjectionRequest(name=name, keep_previous=keep_previous)
        call = Call(request, whole(RebuiltProjection), deadline_seconds_min=_REBUILD_SECONDS)
        return self._connection.run(call)
