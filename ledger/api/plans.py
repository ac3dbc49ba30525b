"""The members of a request for a plan, and how a plan in the making is told."""

from typing import Any

from ledger.api.checks import Checks
from ledger.api.convert import priorities as convert
from ledger.api.convert.basics import timestamp
from ledger.application.ledger import LedgerApplication
from ledger.application.planning.operations import PlanInTheMaking
from ledger.events.envelope import RecordedEvent
from ledger.v1 import append_pb2, plan_pb2
from ledger.v1 import priority_service_pb2 as pb


def asked_plan(request: pb.MakePlanRequest | pb.BeginPlanRequest) -> dict[str, Any]:
    """Return what to plan with, as `PlanCommands.make` takes it; FIELD_INVALID."""
    checks = Checks()
    budget = checks.integer("purse_micros", request.purse_micros, minimum=0)
    cap = checks.integer("purse_cap_micros", request.purse_cap_micros, minimum=0, optional=True)
    asked = {
        "policy": checks.identifier("policy", request.policy, optional=True),
        "plan_id": checks.identifier("plan", request.plan, optional=True),
        "second_to": checks.identifier("second_to", request.second_to, optional=True),
        "budget_micros": budget,
        "budget_cap_micros": cap if request.purse_cap_micros else budget,
    }
    checks.done()
    return asked


def appended_plan(event: RecordedEvent, *, is_repeated: bool) -> append_pb2.Appended:
    """Return where a plan is: what was there before the request began was not written by it."""
    return append_pb2.Appended(
        position=event.position,
        event_hash=event.event_hash,
        recorded_at=timestamp(event.recorded_at),
        first_position=event.position,
        repeated_request=is_repeated,
    )


def told_operation(ledger: LedgerApplication, one: PlanInTheMaking) -> plan_pb2.PlanOperation:
    """Return a plan in the making; raises what it failed with."""
    recorded, progress = one.result(), one.progress
    shown = plan_pb2.PlanOperation(
        name=f"planOperations/{one.name}",
        done=recorded is not None,
        models=progress.models,
        models_read=min(progress.read, progress.models),
        models_ranked=min(progress.ranked, progress.models),
    )
    if recorded is not None:
        made, event = ledger.plans.get(recorded.plan)
        shown.plan.CopyFrom(convert.plan(made, event.position))
        shown.appended.CopyFrom(appended_plan(event, is_repeated=recorded.is_repeated))
    return shown
