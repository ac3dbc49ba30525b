"""The past moment that a read asks for: a position, a time of the ledger's clock, or now."""

from typing import TypeAlias

from ledger.api.checks import Checks
from ledger.api.server_context import beyond_head
from ledger.application.ledger import LedgerApplication
from ledger.v1 import (
    case_service_pb2,
    job_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
)

ReadAsOf: TypeAlias = (
    case_service_pb2.ListEscalationsRequest
    | case_service_pb2.ListTasksRequest
    | job_service_pb2.ListJobsRequest
    | policy_service_pb2.GetPolicyRequest
    | policy_service_pb2.GetPolicyStatusRequest
    | policy_service_pb2.ListPoliciesRequest
    | priority_service_pb2.ListPlanSchedulesRequest
)


def check_moment(request: ReadAsOf, checks: Checks) -> None:
    """Refuse a moment that is neither a position nor a time."""
    checks.position("as_of_position", request.as_of_position)
    if request.HasField("as_of_time"):
        checks.time("as_of_time", request.as_of_time, given=True)


def position_asked(request: ReadAsOf, ledger: LedgerApplication) -> int | None:
    """Return the position that a request asks for; None for now, 0 before the first event.

    POSITION_BEYOND_HEAD where it is not there yet.
    """
    which = request.WhichOneof("as_of")
    if which == "as_of_time":
        return ledger.log.position_at(request.as_of_time.ToMicroseconds())
    if which is None:
        return None
    head = ledger.log.head().position
    if request.as_of_position > head:
        raise beyond_head("as_of_position", request.as_of_position, head)
    return request.as_of_position
