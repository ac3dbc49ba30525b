"""Policies that are compared or tried: what requests mean, and what came of it."""

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.api.checks import Checks
from ledger.api.convert.basics import message_of
from ledger.application.decisions.trial import TrialSpan
from ledger.application.decisions.trial_result import ModelEffect, TrialReport, TrialSide
from ledger.application.fleet.chosen_policy import PolicyChoice
from ledger.application.policies.diff import PolicyChange
from ledger.v1 import trial_pb2

_DIFFERENCES_MAX: Final = 1_000


def source_of(field: str, message: trial_pb2.PolicySource, checks: Checks) -> PolicyChoice:
    """Return the policy that a request means."""
    if message.WhichOneof("source") == "document":
        return PolicyChoice(field, document=checks.document(f"{field}.document", message.document))
    name, version = checks.version_name(f"{field}.name", message.name, version_optional=True)
    return PolicyChoice(field, name, version)


def span_of(request: trial_pb2.TryPolicyRequest, checks: Checks) -> TrialSpan:
    """Return the span that a trial reports."""
    stated = {
        field: checks.time(field, getattr(request, field), given=True)
        for field in ("since", "until")
        if request.HasField(field)
    }
    return TrialSpan(**stated)


def changes(found: Iterable[PolicyChange]) -> Iterator[trial_pb2.PolicyChange]:
    """Yield the differences of two policies."""
    for one in found:
        yield message_of(trial_pb2.PolicyChange, one)


def trial(report: TrialReport) -> trial_pb2.TryPolicyResponse:
    """Return what came of a trial; of its differences the first."""
    return trial_pb2.TryPolicyResponse(
        before=side(report.before),
        after=side(report.after),
        effects=effects(report.models),
        differences=[
            message_of(trial_pb2.TrialDifference, one)
            for one in report.differences[:_DIFFERENCES_MAX]
        ],
        differing=len(report.differences),
        erased=report.erased,
    )


def effects(models: Iterable[ModelEffect]) -> Iterator[trial_pb2.ModelEffect]:
    """Yield the effect for each model."""
    for one in models:
        yield trial_pb2.ModelEffect(
            model=one.model,
            scores=one.scores,
            differing=one.differing,
            before=side(one.before),
            after=side(one.after),
        )


def side(counts: TrialSide) -> trial_pb2.TrialSide:
    """Return the decisions of one policy, counted."""
    return message_of(trial_pb2.TrialSide, counts, cost_micros=str(counts.cost_micros))
