"""Rules about recipes and benchmark models: sound documents, and steps that may be taken."""

from pydantic import ValidationError

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.parameters import digest_of
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.models import ModelDeployed
from ledger.events.recipe_document import RecipeDocument
from ledger.events.recipes import (
    BenchmarkRegistered,
    BenchmarkRetired,
    RecipeApproved,
    RecipeDrafted,
    RecipeRejected,
    RecipeRetired,
)
from ledger.jobs.benchmarks import benchmark_fault
from ledger.jobs.recipes import step_fault
from ledger.rules.recipe_soundness import unsound


@rule("recipes.drafted", RecipeDrafted.TYPE)
def recipes_drafted(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A recipe's versions count up, their digests are their documents', and the parts fit."""
    data = event.known
    shelf, authority = fold.recipes.shelf, fold.authority.state
    if fault := step_fault(shelf, authority, event.type, event.actor, data):
        return fault
    digest = digest_of(data["document"])
    if data["digest"] != digest:
        return f"its digest is {data['digest']}, and its document's is {digest}"
    try:
        document = RecipeDocument.model_validate(data["document"])
    except ValidationError:
        return None  # another rule's business
    for found in unsound(document):
        return f"{found.path}: {found.message}"
    return None


@rule("recipes.steps", RecipeApproved.TYPE, RecipeRejected.TYPE, RecipeRetired.TYPE)
def recipes_steps(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A version is approved or rejected once, by a person who is not its author, or retired."""
    authority = fold.authority.state
    return step_fault(fold.recipes.shelf, authority, event.type, event.actor, event.known) or None


@rule("benchmarks", BenchmarkRegistered.TYPE, BenchmarkRetired.TYPE)
def benchmarks(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A benchmark is of a model in the fleet, and a version known to be good has served."""
    data = event.known
    facts = fold.models.get(f"models/{data['model']}")
    if facts is None or not (facts.described or facts.gone):
        return f"no model is registered under {data['model']!r} before"
    if event.type == BenchmarkRegistered.TYPE and facts.retired_at:
        return f"the model was retired at position {facts.retired_at}"
    served = {one.version for one in facts.deployments}
    fault = benchmark_fault(fold.recipes.benchmarks, event.type, event.actor, data, served)
    if fault and ModelDeployed.TYPE in facts.gone_by_type:
        return Unchecked("the body of a deployment is not there that may say otherwise")
    return fault or None
