"""Rules about deployments: the ground of each where one is wanted, and what people ask back."""

from collections.abc import Iterator

from ledger.audit.authority import judged_at
from ledger.audit.deployments import is_of_request, stale_fault
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.authority import subjects
from ledger.events.models import DESCRIBING, DeploymentExplained, ModelDeployed
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.jobs.deployment_grounds import DeploymentMoment, ground_fault
from ledger.jobs.put_backs import asked_fault


def _groundless(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.deployments.missing()


@rule("deployments.gated", ModelDeployed.TYPE, needs_data=False, finish=_groundless)
def deployments_gated(_event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """A version serves by a job where its policy or its actor's role wants one, or says why not."""
    return None


@rule("deployments.explained", DeploymentExplained.TYPE)
def deployments_explained(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A version that no job deployed is its model's first, proposed, or a person says why."""
    before, data = fold.deployments.newest, event.known
    if before is None or before.stream != event.stream:
        return "no deployment of its model is right before it"
    if not is_of_request(event, before):
        return f"the deployment at position {before.position} was not recorded with it"
    if before.data is None:
        return Unchecked(fold.absences.reason(before.position))
    extent = next(subjects(event, fold), None)
    if extent is None:
        return None  # another rule's business
    proposed = fold.deployments.proposed
    moment = DeploymentMoment(
        event.actor,
        judged_at(event, fold),
        fold.authority.state,
        extent,
        proposed,
        stale_fault(event, fold) if data["proposal"] is not None else "",
        fold.jobs.known.deciding(before.name, is_asked=proposed is not None and proposed.is_asked),
        fold.jobs.known.refusing(before.name, data["model_version"]),
        fold.deployments.is_first,
    )
    fault = ground_fault(data, before.data, moment)
    if not fault:
        return None
    before_it = event.position - 1
    if data["basis"] == "put_back" or data["proposal"] is not None:
        types = {ReuseProposed.TYPE, *ACTIVATED_TYPES, *DRAFTED_TYPES}
        if missed := fold.absences.missed(fold.gone.of(types), before_it):
            return Unchecked(missed)
    facts = fold.models.get(event.stream)
    gone = {} if facts is None else facts.gone_by_type
    missed = fold.absences.missed_of(gone, DESCRIBING, before_it)
    return Unchecked(missed) if missed else fault


@rule("roll_backs.asked", RollBackAsked.TYPE)
def roll_backs_asked(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A person asks, with a reason, for a version that served before the one that serves."""
    facts = fold.models.get(f"models/{event.name}")
    if facts is not None and facts.retired_at:
        return f"the model was retired at position {facts.retired_at}"
    known = [] if facts is None else facts.deployments
    in_order = sorted(known, key=lambda one: one.in_service_at)
    before = fold.deployments.put_backs.of(event.name)
    fault = asked_fault(event.known, event.actor, [one.version for one in in_order], before)
    if not fault:
        return None
    gone = {} if facts is None else facts.gone_by_type
    missed = fold.absences.missed_of(gone, (ModelDeployed.TYPE,), event.position - 1)
    return Unchecked(missed) if missed else fault
