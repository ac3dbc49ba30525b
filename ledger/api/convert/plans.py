"""Plans, whole or without their backlog."""

from typing import Final

from ledger.api.convert.basics import numbers, timestamp_of
from ledger.api.convert.decisions import ACTIONS
from ledger.events.plans import PlanMade, PlanOutcome, PlanRowPart
from ledger.v1 import plan_pb2

OUTCOMES: Final = numbers(plan_pb2.PlanOutcome, "PLAN_OUTCOME_", PlanOutcome)


def plan(data: PlanMade, position: int, *, is_whole: bool = True) -> plan_pb2.Plan:
    """Return a recorded plan; without backlog and modes unless it is to be whole."""
    message = plan_pb2.Plan(
        name=f"plans/{data.plan}",
        plan=data.plan,
        admitted=sum(row.outcome == "admitted" for row in data.backlog),
        as_of_position=data.as_of,
        made_at=timestamp_of(data.made_at),
        policy=data.policy,
        policy_version=data.policy_version,
        policy_digest=data.policy_digest,
        planner=data.planner,
        inputs_digest=data.inputs_digest,
        period=data.now_period,
        purse_micros=data.purse_micros,
        purse_cap_micros=data.purse_cap_micros,
        price_before_ppm=data.price_before or "",
        price_ppm=data.price,
        next_price_ppm=data.next_price,
        demand_micros=data.demand_micros,
        purse_left_micros=data.purse_left_micros,
        position=position,
    )
    if is_whole:
        message.backlog.extend(_row(row, place) for place, row in enumerate(data.backlog, 1))
        for mode in data.modes:
            message.modes.add(period=mode.period, mode_ppm=mode.mode)
    return message


def _row(row: PlanRowPart, place: int) -> plan_pb2.PlanRow:
    return plan_pb2.PlanRow(
        model=row.model,
        place=place,
        outcome=OUTCOMES[row.outcome],  # type: ignore[arg-type]  # an int is what an enum is
        reason=row.reason,
        rank_ppm=row.rank,
        gain=row.gain,
        benefit_micros=row.benefit_micros,
        cost_micros=row.cost_micros,
        unit_value_micros=row.unit_value_micros,
        baseline_nano=row.baseline_nano,
        trained_period=row.trained_period,
        rest_until_period=row.rest_until,
        model_version=row.model_version,
        action_in_force=ACTIONS[row.action_in_force],
        seen=row.seen,
        resting=row.resting,
    )
