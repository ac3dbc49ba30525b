"""PriorityService: the ranked fleet, plans, and the projections behind them."""

from collections.abc import Iterator
from typing import Final

import grpc

from ledger.api.calls import call_of
from ledger.api.checks import Checks
from ledger.api.convert import priorities as convert
from ledger.api.convert.basics import appended, timestamp
from ledger.api.moments import check_moment, position_asked
from ledger.api.paging import Page, cut, page_of
from ledger.api.plans import appended_plan, asked_plan, told_operation
from ledger.api.server_context import Servicer, beyond_head
from ledger.api.steps import paused
from ledger.api.watches import PRIORITIES, PriorityWatch
from ledger.application.commands import Caller
from ledger.application.ledger import LedgerApplication
from ledger.application.planning.operations import RecordedPlan
from ledger.application.planning.progress import PlanProgress
from ledger.application.planning.schedules import PlanTimes
from ledger.errors import LedgerError, invalid_field
from ledger.events.plans import PlanMade
from ledger.limits import TEXT_CHARS_MAX
from ledger.v1 import priority_pb2, priority_service_pb2_grpc, projection_pb2
from ledger.v1 import priority_service_pb2 as pb
from projections.host import ProjectionHost, RankedFleet
from projections.ranking import Order, RankChange, moves, ranked

_ORDERS: dict[int, Order] = {
    priority_pb2.PRIORITY_ORDER_UNSPECIFIED: "priority",
    priority_pb2.PRIORITY_ORDER_PRIORITY: "priority",
    priority_pb2.PRIORITY_ORDER_LAST_PLAN: "plan",
}

QUICK_SECONDS: Final = 0.5  # within which a plan is answered by the call that began it


class PriorityServicer(Servicer, priority_service_pb2_grpc.PriorityServiceServicer):
    """Serves PriorityService."""

    # ---- the ranked fleet ------------------------------------------------------------------------

    def ListPriorities(
        self, request: pb.ListPrioritiesRequest, context: grpc.ServicerContext
    ) -> pb.ListPrioritiesResponse:
        """List the fleet by rank, now or as of an earlier moment."""
        _check_listing(request)
        page = page_of(request)
        ledger = self._server.read(request, context)
        host = self._server.backend.projections(ledger.info.origin)
        since = _since(request, ledger)
        shown = self._shown(request, page, ledger, host, since or 0, context)
        if since is not None and since > shown.position:
            raise _since_refused(request, f"position {since}", f"position {shown.position}")
        places = shown.ranked
        start = int(page.cursor) if page.cursor else 0
        rows = places[start : start + page.size]
        end = start + len(rows)
        response = pb.ListPrioritiesResponse(
            priorities=[convert.priority(place) for place in rows],
            next_page_token=page.token(str(end), shown.position) if end < len(places) else "",
            position=shown.position,
        )
        last = ledger.log.event(shown.position) if shown.position else None
        if last is not None:
            response.recorded_at.CopyFrom(timestamp(last.recorded_at))
        if since is not None:
            _put_changes(response, shown, _moves(host, since, shown), is_first=start == 0)
        return response

    def WatchPriorities(
        self, request: pb.WatchPrioritiesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchPrioritiesResponse]:
        """Send rows as they change."""
        checks = Checks()
        after = checks.position("after_position", request.after_position)
        checks.done()
        ledger = self._server.ledger_at(request.ledger, after, context, "after_position")
        host = self._server.backend.projections(ledger.info.origin)
        if after:
            self._server.await_projection(host, PRIORITIES, after, context)
        return paused(PriorityWatch(self._server, host).messages())

    def _shown(
        self,
        request: pb.ListPrioritiesRequest,
        page: Page,
        ledger: LedgerApplication,
        host: ProjectionHost,
        since: int,
        context: grpc.ServicerContext,
    ) -> RankedFleet:
        """Return the list of the moment asked for; later pages show that of the first.

        That of now includes `since`, as it includes `min_position`: it is waited for.
        """
        order = _ORDERS[request.order_by]
        if page.upper is not None:
            return host.as_of(page.upper, order)
        which = request.WhichOneof("as_of")
        if which == "as_of_position":
            _check_head("as_of_position", request.as_of_position, ledger)
            return host.as_of(request.as_of_position, order)
        if which == "as_of_time":
            micros = request.as_of_time.ToMicroseconds()
            return host.as_of(ledger.log.position_at(micros), order)
        if awaited := max(request.min_position, since):
            self._server.await_projection(host, PRIORITIES, awaited, context)
        return host.priorities(order)

    # ---- plans -----------------------------------------------------------------------------------

    def MakePlan(
        self, request: pb.MakePlanRequest, context: grpc.ServicerContext
    ) -> pb.MakePlanResponse:
        """Rank the fleet under a budget and record the backlog."""
        asked = asked_plan(request)
        ledger, caller = self._server.append(request, context)
        before = ledger.log.head().position
        made, event = ledger.plans.make(caller, **asked)
        return pb.MakePlanResponse(
            appended=appended_plan(event, is_repeated=event.position <= before),
            plan=convert.plan(made, event.position),
        )

    def BeginPlan(
        self, request: pb.BeginPlanRequest, context: grpc.ServicerContext
    ) -> pb.BeginPlanResponse:
        """Make a plan, and answer with how far it is where that takes long."""
        asked = asked_plan(request)
        ledger = self._server.backend.ledger(request.ledger)
        same = pb.MakePlanRequest.FromString(request.SerializeToString())  # of the same numbers
        caller = self._server.caller_for(same, PlanMade.METHOD, call_of(context), None)

        def make(caller: Caller, progress: PlanProgress) -> RecordedPlan:
            before = ledger.log.head().position
            made, event = ledger.plans.make(caller, **asked, progress=progress)
            return RecordedPlan(made.plan, event.position <= before)

        operation = ledger.plan_operations.begin(caller, make)
        operation.ended.wait(QUICK_SECONDS)
        return pb.BeginPlanResponse(operation=told_operation(ledger, operation))

    def GetPlanOperation(
        self, request: pb.GetPlanOperationRequest, context: grpc.ServicerContext
    ) -> pb.GetPlanOperationResponse:
        """Return how far a plan in the making has come."""
        checks = Checks()
        name = checks.name("name", request.name, "planOperations")
        checks.done()
        ledger = self._server.backend.ledger(request.ledger)
        operation = ledger.plan_operations.get(name)
        return pb.GetPlanOperationResponse(operation=told_operation(ledger, operation))

    def SchedulePlans(
        self, request: pb.SchedulePlansRequest, context: grpc.ServicerContext
    ) -> pb.SchedulePlansResponse:
        """Have plans made by the clock, or no more."""
        checks = Checks()
        policy = checks.identifier("policy", request.policy)
        recipe = checks.identifier("recipe", request.recipe, optional=True)
        is_on = request.every_seconds != 0
        money = checks.integer("purse_micros", request.purse_micros, minimum=0, optional=not is_on)
        cap = checks.integer("purse_cap_micros", request.purse_cap_micros, minimum=0, optional=True)
        if len(request.reason) > TEXT_CHARS_MAX:
            checks.refuse("reason", f"is {len(request.reason)} characters long")
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.scheduled_plans.set(
            caller,
            PlanTimes(policy, request.every_seconds if is_on else None, recipe if is_on else ""),
            (money, cap if request.purse_cap_micros else money),
            request.reason,
        )
        return pb.SchedulePlansResponse(appended=appended(written))

    def ListPlanSchedules(
        self, request: pb.ListPlanSchedulesRequest, context: grpc.ServicerContext
    ) -> pb.ListPlanSchedulesResponse:
        """List the schedules of plans that run, now or at an earlier moment."""
        page, checks = page_of(request), Checks()
        check_moment(request, checks)
        ledger = self._server.read(request, context, checks)
        found = ledger.scheduled_plans.running(position_asked(request, ledger)).running
        by_policy = [found[name] for name in sorted(found)]
        shown, token = cut(page, by_policy, lambda one: one.policy)
        schedules = [convert.plan_schedule(one) for one in shown]
        return pb.ListPlanSchedulesResponse(schedules=schedules, next_page_token=token)

    def ProposeReuse(
        self, request: pb.ProposeReuseRequest, context: grpc.ServicerContext
    ) -> pb.ProposeReuseResponse:
        """Propose which earlier versions are to serve again."""
        checks = Checks()
        policy = checks.identifier("policy", request.policy, optional=True)
        ledger, caller = self._server.append(request, context, checks)
        written, found = ledger.plans.propose_reuse(caller, policy)
        return pb.ProposeReuseResponse(
            appended=appended(written),
            proposals=[convert.reuse_proposal(one, event.position) for one, event in found],
        )

    def GetPlan(
        self, request: pb.GetPlanRequest, context: grpc.ServicerContext
    ) -> pb.GetPlanResponse:
        """Return one plan, whole, with the jobs by it as they are now."""
        checks = Checks()
        name = checks.name("name", request.name, "plans")
        ledger = self._server.read(request, context, checks)
        made, event = ledger.plans.get(name)
        jobs = ledger.job_reader.by_plan(event.position)
        return pb.GetPlanResponse(plan=convert.plan(made, event.position, jobs=jobs))

    def ListPlans(
        self, request: pb.ListPlansRequest, context: grpc.ServicerContext
    ) -> pb.ListPlansResponse:
        """List plans, newest first."""
        page = page_of(request)
        ledger = self._server.read(request, context)
        upper = page.upper if page.upper is not None else ledger.log.head().position
        before = int(page.cursor) if page.cursor else upper + 1
        found = ledger.plans.page(before=before, limit=page.size + 1)
        shown, token = page.cut(found, lambda one: one[1].position, upper)
        return pb.ListPlansResponse(
            plans=[convert.plan(made, event.position, is_whole=False) for made, event in shown],
            next_page_token=token,
        )

    # ---- projections -----------------------------------------------------------------------------

    def GetProjection(
        self, request: pb.GetProjectionRequest, context: grpc.ServicerContext
    ) -> pb.GetProjectionResponse:
        """Return how far one projection is."""
        checks = Checks()
        name = checks.name("name", request.name, "projections")
        ledger = self._server.read(request, context, checks)
        host = self._server.backend.projections(ledger.info.origin)
        self._server.await_projection(host, name, request.min_position, context)
        return pb.GetProjectionResponse(projection=_status(host, name))

    def ListProjections(
        self, request: pb.ListProjectionsRequest, context: grpc.ServicerContext
    ) -> pb.ListProjectionsResponse:
        """List the projections by id."""
        page = page_of(request)
        ledger = self._server.read(request, context)
        host = self._server.backend.projections(ledger.info.origin)
        if request.min_position:
            for name in host.names:
                self._server.await_projection(host, name, request.min_position, context)
        found = sorted(host.status(), key=lambda status: status.name)
        shown, token = cut(page, found, lambda status: status.name)
        return pb.ListProjectionsResponse(
            projections=[convert.projection(status) for status in shown], next_page_token=token
        )

    def RebuildProjection(
        self, request: pb.RebuildProjectionRequest, context: grpc.ServicerContext
    ) -> pb.RebuildProjectionResponse:
        """Build a projection from scratch, compare, switch."""
        call = call_of(context)
        checks = Checks()
        name = checks.name("name", request.name, "projections")
        checks.done()
        ledger = self._server.backend.ledger(request.ledger)
        host = self._server.backend.projections(ledger.info.origin)
        result = host.rebuild(
            name,
            stop=lambda: self._server.is_draining or call.is_over,
            keep_before=request.keep_previous,
        )
        return pb.RebuildProjectionResponse(
            projection=_status(host, name), rebuild=convert.rebuilt(result)
        )


def _check_listing(request: pb.ListPrioritiesRequest) -> None:
    checks = Checks()
    checks.position("as_of_position", request.as_of_position)
    checks.position("since_position", request.since_position)
    for field in ("as_of_time", "since_time"):
        if request.HasField(field):
            checks.time(field, getattr(request, field), given=True)
    if request.order_by not in _ORDERS:
        checks.refuse("order_by", f"{request.order_by} is not an order")
    checks.done()
    # Two times are compared as stated; what lies between them may well be no position at all.
    if request.HasField("as_of_time") and request.HasField("since_time"):
        shown, since = request.as_of_time, request.since_time
        if since.ToMicroseconds() > shown.ToMicroseconds():
            raise _since_refused(request, since.ToJsonString(), shown.ToJsonString())


def _check_head(field: str, position: int, ledger: LedgerApplication) -> None:
    head = ledger.log.head().position
    if position > head:
        raise beyond_head(field, position, head)


def _since(request: pb.ListPrioritiesRequest, ledger: LedgerApplication) -> int | None:
    """Return the earlier position to compare with, None where none is asked for."""
    which = request.WhichOneof("since")
    if which is None:
        return None
    if which == "since_time":
        return ledger.log.position_at(request.since_time.ToMicroseconds())
    _check_head("since_position", request.since_position, ledger)
    return request.since_position


def _since_refused(request: pb.ListPrioritiesRequest, since: str, shown: str) -> LedgerError:
    """Return the refusal to compare with a later moment: joining would read as leaving."""
    return invalid_field(
        str(request.WhichOneof("since")),
        f"is {since}, later than {shown}, which the list shows",
        remedy="Name an earlier moment than `as_of`, or leave `as_of` out to show now.",
    )


def _moves(host: ProjectionHost, since: int, shown: RankedFleet) -> list[RankChange]:
    """Return who moved since an earlier position."""
    before = {place.row["model"]: place.row for place in host.as_of(since).ranked}
    return moves(before, {place.row["model"]: place.row for place in shown.ranked})


def _put_changes(
    response: pb.ListPrioritiesResponse,
    shown: RankedFleet,
    found: list[RankChange],
    *,
    is_first: bool,
) -> None:
    """State in each row how it moved, and who left."""
    by_model = {move.model: move for move in found}
    rows = {place.row["model"]: place.row for place in shown.ranked}
    ranks = {place.row["model"]: place.rank for place in ranked(rows)}
    for message in response.priorities:
        move = by_model.get(message.model)
        convert.put_change(message, move, ranks[message.model])
    if is_first:
        for move in found:
            if move.rank_after is None:
                response.left.add(
                    model=move.model, previous_rank=move.rank_before or 0, why=move.why
                )


def _status(host: ProjectionHost, name: str) -> projection_pb2.Projection:
    """Return a projection's state; the host knows the name, or has raised PROJECTION_UNKNOWN."""
    status = next((status for status in host.status() if status.name == name), None)
    assert status is not None, "the host was asked for this projection before"
    return convert.projection(status)
