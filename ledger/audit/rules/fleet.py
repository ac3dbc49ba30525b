"""Rules about what the fleet is made of: models, versions, signals, policies."""

from typing import Final

from ledger.audit.audited_model import AuditedModel
from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.parameters import digest_of, parameters_of, problem_of
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES, ScoreComputed
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.signals import DEFINED_TYPES
from ledger.events.values import parse_decimal, parse_time

_REGISTERED: Final = ModelRegistered.TYPE
_OF_A_MODEL: Final = (
    *sorted(OBSERVED),
    _REGISTERED,
    ModelUpdated.TYPE,
    ModelDeployed.TYPE,
    ModelRetired.TYPE,
    ScoreComputed.TYPE,
    *DECISION_TYPES,
    *OVERRIDDEN_TYPES,
)
_AFTER_RETIREMENT: Final = OBSERVED | {_REGISTERED}
"""An observation may have been on its way; a second registration is another rule's business."""


def _is_known(facts: AuditedModel | None) -> bool:
    return facts is not None and bool(facts.described)


@rule("models.registered", *_OF_A_MODEL, needs_data=False)
def models_registered(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A model is registered once, before anything is observed, decided or changed about it."""
    facts = fold.models.get(event.stream)
    if event.type == _REGISTERED:
        return "the model is registered already" if _is_known(facts) else None
    if not _is_known(facts):
        if facts is not None and _REGISTERED in facts.gone_by_type:
            return Unchecked("the body that registered the model is not there")
        return f"no model is registered under {event.name!r} before"
    assert facts is not None
    if facts.retired_at and event.type not in _AFTER_RETIREMENT:
        return f"the model was retired at position {facts.retired_at}"
    return None


@rule("models.described", _REGISTERED, ModelUpdated.TYPE)
def models_described(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """A model's retraining costs something, and its loss is not worth less than nothing."""
    if int(event.known["cost_micros"]) <= 0:
        return "its retraining is said to cost nothing"
    if int(event.known["unit_value_micros"]) < 0:
        return "a unit of its loss is said to be worth less than nothing"
    return None


@rule("models.deployed", ModelDeployed.TYPE)
def models_deployed(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Versions are deployed as they can be: new ones trained, known ones reinstated."""
    data, facts = event.known, fold.models.get(event.stream)
    if parse_decimal(data["baseline_loss"]) <= 0:
        return "its loss in training is not above 0"
    if parse_time(data["trained_through"]) > parse_time(data["in_service_at"]):
        return "it is said to be trained on data from after it went into service"
    if facts is None:
        return None  # another rule's business
    if ModelDeployed.TYPE in facts.gone_by_type:
        return Unchecked("the body of an earlier deployment is not there")
    served = [one.version for one in facts.deployments]
    if (data["kind"] == "reinstated") != (data["model_version"] in served):
        return f"version {data['model_version']} is called {data['kind']}"
    current = served[-1] if served else None
    then = _in_service(facts, parse_time(data["in_service_at"]))
    # A deployment recorded before stated times decided replaces the version recorded last.
    if data["replaces"] not in {then, current}:
        return f"it replaces {data['replaces']}, and {then} was in service"
    return None


def _in_service(facts: AuditedModel, at: int) -> str | None:
    """Return the version in service at a time, by stated times."""
    begun = [one for one in facts.deployments if one.in_service_at <= at]
    if not begun:
        return None
    return max(begun, key=lambda one: (one.in_service_at, one.position)).version


@rule("signals.defined", *sorted(OBSERVED))
def signals_defined(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A signal is defined before it is observed."""
    seen = event.observation
    if seen is None or seen.signal in fold.signals:
        return None
    if fold.gone.lacks(DEFINED_TYPES):
        return Unchecked("a body is not there that may define the signal")
    return f"no signal is defined under {seen.signal!r} before"


@rule("policies.drafted", *DRAFTED_TYPES)
def policies_drafted(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A policy's versions count up, their digests are their documents', and kernels take them."""
    data = event.known
    expected = fold.lifecycle.newest.get(data["policy"], 0) + 1
    if data["version"] != expected and not fold.gone.lacks(DRAFTED_TYPES):
        return f"it is called version {data['version']}, and the next one is {expected}"
    digest = digest_of(data["document"])
    if data["digest"] != digest:
        return f"its digest is {data['digest']}, and its document's is {digest}"
    problem = problem_of(parameters_of("", 1, "", data["document"]))
    return f"the kernels refuse it: {problem}" if problem else None


@rule("policies.activated", *ACTIVATED_TYPES)
def policies_activated(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A policy in force was drafted before, under that digest, for a scope that exists."""
    data = event.known
    named = f"version {data['version']} of {data['policy']}"
    digest = fold.drafts.get((data["policy"], data["version"]))
    if digest is None:
        if fold.gone.lacks(DRAFTED_TYPES):
            return Unchecked("a body is not there that may draft the policy")
        return f"{named} was never drafted"
    if digest != data["digest"]:
        return f"{named} was drafted with digest {digest}, and {data['digest']} is activated"
    scope = data["scope"]
    if (scope["kind"] == "model") != (scope["model"] is not None) or (
        scope["kind"] == "labels"
    ) != bool(scope["labels"]):
        return "its scope says one kind and names another"
    return None
