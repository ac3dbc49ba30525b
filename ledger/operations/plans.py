"""Making a plan on a server that may take long for it, or be started again meanwhile."""

from collections.abc import Callable
from typing import Final

from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError
from ledger.client.ranking import MadePlan, PlanOperation
from ledger.clock import Clock, uuid7
from ledger.errors import Reason
from ledger.operations import Move

_POLL_SECONDS: Final = 0.2
_BEGUN_MAX: Final = 5  # times that a server has forgotten it: each began it again


def made_plan(  # noqa: PLR0913 - the members of the request, and how to wait
    client: LedgerClient,
    budget_micros: int,
    *,
    budget_cap_micros: int | None,
    policy: str,
    plan: str,
    second_to: str,
    clock: Clock,
    wait: Callable[[float], object],
    move: Move,
) -> MadePlan:
    """Begin a plan, follow it, and return it; raises what it failed with.

    `move` is told how many models were read and ranked, of twice as many. A server that was started
    again meanwhile is asked again under the same request id, so there is never a second plan.
    """
    request_id = uuid7(clock)

    def begin() -> PlanOperation:
        return client.begin_plan(
            budget_micros,
            budget_cap_micros=budget_cap_micros,
            policy=policy,
            plan=plan,
            second_to=second_to,
            request_id=request_id,
        )

    operation, begun = begin(), 1
    while not operation.done:
        move(operation.models_read + operation.models_ranked, 2 * operation.models)
        wait(_POLL_SECONDS)
        try:
            operation = client.get_plan_operation(operation.name)
        except LedgerRefusedError as error:
            is_forgotten = error.reason is Reason.PLAN_UNKNOWN
            if not is_forgotten or begun == _BEGUN_MAX:
                raise
            operation, begun = begin(), begun + 1
    return operation.made
