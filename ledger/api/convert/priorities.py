"""Rows of the ranked fleet, plans, and how projections are doing."""

from collections.abc import Sequence
from typing import Any, Final

from ledger.api.convert.basics import message_of, numbers, timestamp, timestamp_of
from ledger.api.convert.decisions import ACTIONS
from ledger.api.convert.jobs import plan_job
from ledger.events.plans import PlanMade, PlanMadeV2, PlanOutcome, PlanRowPart, SteppedRowPart
from ledger.events.reuse import ReuseProposed
from ledger.events.values import SECOND
from ledger.jobs.machine import Job
from ledger.jobs.plan_schedules import PlanSchedule
from ledger.v1 import decision_pb2, plan_pb2, priority_pb2, projection_pb2
from projections.fold import ProjectionStatus
from projections.priorities import (
    LatestDecision,
    LatestPlanEntry,
    LatestScore,
    PriorityRow,
)
from projections.ranking import RankChange, RankedModel
from projections.rebuild import RebuildResult

_OUTCOMES: Final = numbers(plan_pb2.PlanOutcome, PlanOutcome)


def priority(place: RankedModel) -> priority_pb2.Priority:
    """Return one model's row."""
    row = place.row
    message = priority_pb2.Priority(
        name=f"models/{row['model']}",
        model=row["model"],
        rank=place.rank,
        action=decision_pb2.ACTION_NO_ACTION,  # what is in force before any decision
        changed_position=_changed(row),
    )
    if described := row["described"]:
        message.owner = described["owner"]
        message.labels.update(described["labels"])
    if deployed := row["deployed"]:
        message.model_version = deployed["model_version"]
    if scored := row["score"]:
        _put_score(message, scored)
    if decided := row["decision"]:
        _put_decision(message, decided)
    if planned := row["plan"]:
        _put_plan(message, planned)
    return message


def put_change(message: priority_pb2.Priority, move: RankChange | None, rank: int) -> None:
    """State how a model moved; without a move it is where it was, at `rank` by priority."""
    if move is None:
        message.change.previous_rank = rank
        if message.HasField("priority_ppm"):
            message.change.previous_priority_ppm = message.priority_ppm
        message.change.previous_action = message.action
        return
    message.change.previous_rank = move.rank_before or 0
    if move.priority_before is not None:
        message.change.previous_priority_ppm = move.priority_before
    if move.rank_before is not None:
        message.change.previous_action = ACTIONS[move.action_before or "NO_ACTION"]
    message.change.why = move.why


def _changed(row: PriorityRow) -> int:
    parts = (row["described"], row["deployed"], row["score"], row["decision"], row["plan"])
    return max((part["position"] for part in parts if part), default=0)


def _put_score(message: priority_pb2.Priority, scored: LatestScore) -> None:
    message.priority_ppm = scored["priority"]
    message.raw_priority_ppm = scored["raw_priority"]
    message.degradation_ppm = scored["degradation"]
    message.coverage_ppm = scored["coverage"]
    message.evaluated_at.CopyFrom(timestamp_of(scored["evaluated_at"]))
    message.score_position = scored["position"]
    message.policy = scored["policy"]
    message.policy_version = scored["policy_version"]
    message.contributions.extend(
        message_of(priority_pb2.PriorityContribution, part) for part in scored["contributions"]
    )
    if scored["contributions"]:
        message.top_signal = scored["contributions"][0]["signal"]


def _put_decision(message: priority_pb2.Priority, decided: LatestDecision) -> None:
    message.action = ACTIONS[decided["action"]]
    message.tier = decided["tier"]
    message.rule = decided["rule"]
    message.since.CopyFrom(timestamp_of(decided["since"]))
    message.decision = f"models/{message.model}/decisions/{decided['position']}"
    message.run_id = decided["run_id"] or ""


def _put_plan(message: priority_pb2.Priority, planned: LatestPlanEntry) -> None:
    message.plan = planned["plan"]
    message.plan_place = planned["place"]
    message.plan_outcome = _OUTCOMES[planned["outcome"]]
    message.plan_reason = planned["reason"]


def plan(
    data: PlanMade, position: int, *, is_whole: bool = True, jobs: Sequence[Job] = ()
) -> plan_pb2.Plan:
    """Return a recorded plan with jobs by it; without backlog and modes unless it is whole."""
    rows = (_plan_row(row, place) for place, row in enumerate(data.backlog, 1))
    modes = (message_of(plan_pb2.PlanMode, mode) for mode in data.modes)
    stepped = data if isinstance(data, PlanMadeV2) else None
    steps = () if stepped is None else stepped.steps
    return message_of(
        plan_pb2.Plan,
        data,
        name=f"plans/{data.plan}",
        backlog=rows if is_whole else (),
        admitted=sum(row.outcome == "admitted" for row in data.backlog),
        as_of_position=data.as_of,
        period=data.now_period,
        modes=modes if is_whole else (),
        position=position,
        steps=[message_of(plan_pb2.PlanStep, step) for step in steps] if is_whole else (),
        ranking="excess" if stepped is None else stepped.ranking,
        steps_digest="" if stepped is None else stepped.steps_digest,
        budgets=[
            message_of(plan_pb2.PlanBudget, one)
            for one in (stepped.budgets if is_whole and stepped is not None else ())
        ],
        jobs_under_way=0 if stepped is None else stepped.under_way,
        jobs=[plan_job(one) for one in jobs],
    )


def _plan_row(row: PlanRowPart, place: int) -> plan_pb2.PlanRow:
    more: dict[str, Any] = {}
    if not isinstance(row, SteppedRowPart):
        more = {"team": "", "is_top_tier": False, "budget": "", "recent_jobs": None}
        more |= {"idle_since": None, "losing_since": None, "error_ppm": ""}
        more |= {
            "test_micros": "",
            "forecast_benefit_micros": "",
            "forecast_cost_micros": "",
            "priority_ppm": None,
        }
    return message_of(plan_pb2.PlanRow, row, place=place, rest_until_period=row.rest_until, **more)


def plan_schedule(one: PlanSchedule) -> plan_pb2.PlanSchedule:
    """Return a schedule of plans that runs."""
    return message_of(
        plan_pb2.PlanSchedule,
        one,
        name=f"planSchedules/{one.policy}",
        every_seconds=one.every_micros // SECOND,
        next_at=timestamp(one.due_at),
        recipe=one.recipe or "",
    )


def reuse_proposal(data: ReuseProposed, position: int) -> plan_pb2.ReuseProposal:
    """Return a recorded proposal to put a version back."""
    return message_of(
        plan_pb2.ReuseProposal,
        data,
        name=f"{data.stream_name}/{position}",
        compared=[
            message_of(plan_pb2.ComparedVersion, one, advantage_ppm=one.advantage_ppm or "")
            for one in data.compared
        ],
        as_of_position=data.as_of,
        position=position,
    )


def projection(status: ProjectionStatus) -> projection_pb2.Projection:
    """Return how a projection is doing."""
    return message_of(
        projection_pb2.Projection,
        status,
        name=f"projections/{status.name}",
        projection=status.name,
        tracking_position=status.position,
        head_position=status.position + status.lag,
        state_digest=status.digest,
        problem=status.why,
    )


def rebuilt(result: RebuildResult) -> projection_pb2.ProjectionRebuild:
    """Return how a rebuild ended."""
    return message_of(
        projection_pb2.ProjectionRebuild,
        result,
        problem=result.why,
        duration_seconds=result.seconds,
    )
