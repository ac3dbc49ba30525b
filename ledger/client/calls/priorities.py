"""Calls of PriorityService: ranks, plans and projections."""

from collections.abc import Sequence
from typing import Any, Final

from ledger.client.call import AnswerPage, Call, CallScope, EndlessStream, Paged
from ledger.client.calls.pages import moment, one, page, whole
from ledger.client.decode import decode
from ledger.client.enums import PriorityOrder
from ledger.client.inputs import Time, id_of, in_collection, number_of, timestamp_of
from ledger.client.ranking import (
    MadePlan,
    Plan,
    Priorities,
    Priority,
    PriorityDeparture,
    PriorityUpdate,
    Projection,
    RebuiltProjection,
)
from ledger.v1 import priority_pb2, priority_service_pb2

_SERVICE: Final = "/ledger.v1.PriorityService/"
_REBUILD_SECONDS: Final = 3_600.0


def list_priorities(
    scope: CallScope,
    *,
    as_of: Time | None,
    as_of_position: int | None,
    since: Time | None,
    since_position: int | None,
    order_by: PriorityOrder | str | None,
    min_position: int,
) -> Paged[Priority]:
    """Return the call that lists the fleet by rank, now or as of a moment."""
    number = number_of(order_by, PriorityOrder, priority_pb2.PriorityOrder, "order_by")
    request = priority_service_pb2.ListPrioritiesRequest(
        ledger=scope.ledger,
        order_by=priority_pb2.PriorityOrder.ValueType(number),
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
    return Paged(
        Call(
            _SERVICE + "ListPriorities",
            request,
            priority_service_pb2.ListPrioritiesResponse,
            page(Priority, "priorities"),
        )
    )


def all_rows(pages: Sequence[AnswerPage[Priority]]) -> Priorities:
    """Return the whole list, which all pages show as of the moment of the first."""
    answer = pages[0].answer
    position, recorded_at = moment(answer)
    rows = tuple(row for page in pages for row in page.items)
    left = tuple(decode(PriorityDeparture, item) for item in answer.left)
    return Priorities(rows, position, recorded_at, left)


def watch_priorities(scope: CallScope) -> EndlessStream[PriorityUpdate]:
    """Return the watch of rows that change."""
    return EndlessStream(
        _SERVICE + "WatchPriorities",
        priority_service_pb2.WatchPrioritiesRequest(ledger=scope.ledger),
        priority_service_pb2.WatchPrioritiesResponse,
        _updates,
    )


def make_plan(
    scope: CallScope, purse_micros: int, *, purse_cap_micros: int | None, policy: str, plan: str
) -> Call[MadePlan]:
    """Return the call that ranks the fleet under a purse."""
    return Call(
        _SERVICE + "MakePlan",
        priority_service_pb2.MakePlanRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            purse_micros=str(purse_micros),
            purse_cap_micros="" if purse_cap_micros is None else str(purse_cap_micros),
            policy=id_of("policies", policy),
            plan=id_of("plans", plan),
        ),
        priority_service_pb2.MakePlanResponse,
        whole(MadePlan),
        scope.request_id,
    )


def get_plan(scope: CallScope, plan: str, min_position: int) -> Call[Plan]:
    """Return the call that reads one plan."""
    return Call(
        _SERVICE + "GetPlan",
        priority_service_pb2.GetPlanRequest(
            ledger=scope.ledger, name=in_collection("plans", plan), min_position=min_position
        ),
        priority_service_pb2.GetPlanResponse,
        one(Plan, "plan"),
    )


def list_plans(scope: CallScope, min_position: int) -> Paged[Plan]:
    """Return the call that lists plans, newest first."""
    return Paged(
        Call(
            _SERVICE + "ListPlans",
            priority_service_pb2.ListPlansRequest(ledger=scope.ledger, min_position=min_position),
            priority_service_pb2.ListPlansResponse,
            page(Plan, "plans"),
        )
    )


def get_projection(scope: CallScope, projection: str, min_position: int) -> Call[Projection]:
    """Return the call that reads how far a projection is."""
    return Call(
        _SERVICE + "GetProjection",
        priority_service_pb2.GetProjectionRequest(
            ledger=scope.ledger,
            name=in_collection("projections", projection),
            min_position=min_position,
        ),
        priority_service_pb2.GetProjectionResponse,
        one(Projection, "projection"),
    )


def list_projections(scope: CallScope, min_position: int) -> Paged[Projection]:
    """Return the call that lists projections."""
    return Paged(
        Call(
            _SERVICE + "ListProjections",
            priority_service_pb2.ListProjectionsRequest(
                ledger=scope.ledger, min_position=min_position
            ),
            priority_service_pb2.ListProjectionsResponse,
            page(Projection, "projections"),
        )
    )


def rebuild_projection(
    scope: CallScope, projection: str, *, keep_previous: bool
) -> Call[RebuiltProjection]:
    """Return the call that builds a projection from scratch beside the live one."""
    return Call(
        _SERVICE + "RebuildProjection",
        priority_service_pb2.RebuildProjectionRequest(
            ledger=scope.ledger,
            name=in_collection("projections", projection),
            keep_previous=keep_previous,
        ),
        priority_service_pb2.RebuildProjectionResponse,
        whole(RebuiltProjection),
        deadline_seconds_min=_REBUILD_SECONDS,
    )


def _updates(response: Any) -> list[tuple[PriorityUpdate, int]]:  # noqa: ANN401 - of the watch
    return [(decode(PriorityUpdate, response), response.position)]
