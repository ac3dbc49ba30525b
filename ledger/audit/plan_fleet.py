"""The fleet of a plan, as the audit reads it as of a horizon: its models, versions and losses.

With what a policy version puts back there, and the version by which a plan counts a model then.
"""

from collections.abc import Mapping
from typing import Any

from ledger.audit.assessor import is_for
from ledger.audit.audited_model import AuditedDeployment, AuditedModel
from ledger.audit.ledger_state import LedgerState
from ledger.audit.observations import uncorrected
from ledger.audit.parameters import Parameters
from ledger.audit.reuse import (
    Losses,
    counted_version,
    is_reusing,
    put_back,
    replaced_versions,
    reuse_policy,
)
from ledger.audit.service_period import serving_of
from ledger.events.models import DESCRIBING
from ledger.events.values import SECOND, parse_decimal, parse_time


def candidates_of(
    fold: LedgerState,
    parameters: Parameters,
    planned_for: tuple[str, int, str],
    as_of: int,
    at: int,
) -> list[AuditedModel]:
    """Return the models in scope with a version in service, in order of name."""
    scopes = [
        activated["scope"]
        for _, activated in fold.in_force(as_of)
        if (activated["policy"], activated["version"], activated["digest"]) == planned_for
    ]
    found = []
    for facts in sorted(fold.models.values(), key=lambda one: one.name):
        description = facts.description(as_of)
        is_retired = 0 < facts.retired_at <= as_of
        if description is None or is_retired or not _is_described(facts, as_of):
            continue
        if serving_of(facts, parameters, as_of, at) is None:
            continue
        if any(is_for(scope, description) for scope in scopes):
            found.append(facts)
    return found


def _is_described(facts: AuditedModel, as_of: int) -> bool:
    """Whether the newest description is there: without it the one before does not count."""
    known = max((position for position, _ in facts.described if position <= as_of), default=0)
    return facts.newest_gone(DESCRIBING, as_of) < known


def serving_in(
    facts: AuditedModel, parameters: Parameters, as_of: int, at: int
) -> AuditedDeployment:
    """Return the deployment in service of a model of the fleet."""
    serving = serving_of(facts, parameters, as_of, at)
    assert serving is not None, "a candidate has a version in service"
    return serving.deployment


def losses_of(
    fold: LedgerState, facts: AuditedModel, parameters: Parameters, as_of: int, at: int
) -> Losses:
    """Return the rows and the weighted loss of each version of a model, by period."""
    assert parameters.planner is not None
    micros = parameters.planner.period_seconds * SECOND
    reuse, now_period = reuse_policy(parameters), at // micros
    back = max(parameters.planner.max_periods, 0 if reuse is None else reuse.window)
    first = max(now_period - back + 1, 0)
    seen = fold.observations.between(
        f"models/{facts.name}", first * micros, (now_period + 1) * micros - 1, as_of
    )
    found: Losses = {}
    for one in uncorrected(seen):
        if one.signal == parameters.loss_signal:
            key = one.model_version, one.observed_at // micros
            rows, weighted = found.get(key, (0, 0))
            value = parse_decimal(one.value) * one.sample_size
            found[key] = rows + one.sample_size, weighted + value
    return found


def reused(
    fold: LedgerState, data: Mapping[str, Any], parameters: Parameters
) -> list[dict[str, Any]]:
    """Return what a policy version puts back at the horizon and time of a plan or a proposal.

    By model. It is derived once for all of the same horizon, time and version.
    """
    named, as_of, made_at = parameters.reference, data["as_of"], data["made_at"]
    asked, known = (named, as_of, made_at), fold.planning.reused
    if known is not None and known[0] == asked:
        return known[1]
    found: list[dict[str, Any]] = []
    if reuse_policy(parameters) is not None:
        at = parse_time(made_at)
        candidates = [
            (facts, serving_in(facts, parameters, as_of, at))
            for facts in candidates_of(fold, parameters, named, as_of, at)
        ]
        losses = {one.name: losses_of(fold, one, parameters, as_of, at) for one, _ in candidates}
        found = list(put_back(parameters, candidates, losses, as_of, made_at))
    fold.planning.reused = asked, found
    return found


def replaced_in(
    fold: LedgerState, facts: AuditedModel, parameters: Parameters, as_of: int
) -> dict[int, AuditedDeployment]:
    """Return by period the deployment of the version of a model that reuse replaced in it."""
    assert parameters.planner is not None
    micros = parameters.planner.period_seconds * SECOND
    return replaced_versions(facts, fold.planning.proposals.of(facts.name, as_of), micros, as_of)


def counted_versions(
    fold: LedgerState,
    data: Mapping[str, Any],
    parameters: Parameters,
    planned_for: Parameters,
    candidates: list[AuditedModel],
) -> dict[str, AuditedDeployment]:
    """Return the deployment by which a plan counts each of its models.

    That in service, or by `excess/2` that of the version that the policy in force puts back, but
    where a job is against it, or one was put back in the period already.
    """
    as_of, at = data["as_of"], parse_time(data["made_at"])
    due = {
        one["model"]: one
        for one in (reused(fold, data, planned_for) if is_reusing(parameters) else ())
        if not fold.jobs.is_against(one["model"], one["put_back"], as_of)
        and one["now_period"]
        not in replaced_in(fold, fold.models[f"models/{one['model']}"], planned_for, as_of)
    }
    return {
        facts.name: counted_version(
            facts, serving_in(facts, parameters, as_of, at), due.get(facts.name), (as_of, at)
        )
        for facts in candidates
    }
