"""Policies in shadow: as they are listed, and beside what was decided."""

from ledger.api.convert.basics import message_of, timestamp
from ledger.api.convert.policies import scope
from ledger.api.convert.trials import effects, side
from ledger.application.decisions.compared_plans import AdmittedJobs, PlanPairs
from ledger.application.decisions.shadow_comparison import ComparedShadow
from ledger.application.fleet.shadowing import ListedShadow
from ledger.v1 import shadow_pb2


def shadow(listed: ListedShadow) -> shadow_pb2.PolicyShadow:
    """Return a shadow."""
    return message_of(
        shadow_pb2.PolicyShadow,
        listed.begun,
        position=listed.position,
        scope=scope(listed.begun.scope),
        actor=listed.event.body.actor,
        begun_at=timestamp(listed.event.recorded_at),
        is_running=listed.is_running,
    )


def comparison(listed: ListedShadow, found: ComparedShadow) -> shadow_pb2.CompareShadowResponse:
    """Return a shadow beside the decisions on record."""
    report = found.report
    return shadow_pb2.CompareShadowResponse(
        shadow=shadow(listed),
        before=side(report.before),
        after=side(report.after),
        effects=effects(report.models),
        pairs=[message_of(shadow_pb2.ActionPair, one) for one in found.pairs],
        differing=len(report.differences),
        erased=report.erased,
        plans=_plans(found.plans),
    )


def _plans(found: PlanPairs) -> shadow_pb2.ComparedPlans:
    return message_of(
        shadow_pb2.ComparedPlans,
        found,
        before=_jobs(found.before),
        after=_jobs(found.after),
        models=[message_of(shadow_pb2.AdmittedModel, one) for one in found.models],
    )


def _jobs(found: AdmittedJobs) -> shadow_pb2.PlannedJobs:
    return message_of(shadow_pb2.PlannedJobs, found, cost_micros=str(found.cost_micros))
