"""Rules about the life of policies: who approved what, and what came into force by it."""

from collections.abc import Iterator, Mapping
from typing import Final

from ledger.audit.authority import LATE_MICROS
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.authority.state import AuthorityState
from ledger.authority.table import EMERGENCY, METHODS
from ledger.events.models import DESCRIBING
from ledger.events.policies import (
    ACTIVATED_TYPES,
    STEP_CLASSES,
    PolicyActivated,
    PolicyActivatedV2,
    PolicyScheduled,
)
from ledger.governance.activations import activation_fault
from ledger.governance.lifecycle import LIFECYCLE_TYPES, scope_key
from ledger.governance.overlaps import overlap_of
from ledger.governance.steps import StepTimes, scope_concerned
from ledger.governance.terms import taken_fault

ACTIVATE: Final = METHODS[PolicyActivated.METHOD]
_TIMED: Final = (PolicyActivatedV2.TYPE, PolicyScheduled.TYPE)
BACK: Final = frozenset({"reverted", "roll_back"})
"""The bases of what was in force before: its scope was looked at then."""
_GAP: Final = Unchecked("a body is not there that may say otherwise")


def moment_of(event: AuditedEvent, fold: LedgerState) -> StepTimes:
    """Return the times by which a step was judged; when is not known of a ledger of data.

    There it is recorded only while what was observed up to it does not bring its time to an end.
    """
    if fold.clock != "wall":
        return StepTimes(fold.newest_observed_at, 0, event.recorded_at)
    at = event.recorded_at - LATE_MICROS
    return StepTimes(at, at, event.recorded_at)


def _is_gap(event: AuditedEvent, fold: LedgerState) -> bool:
    """Whether a body is absent that may say otherwise: also labels of the model in scope, ever."""
    scope = scope_concerned(fold.lifecycle, event.known)
    facts = None if scope is None else fold.models.get(f"models/{scope.model}")
    lost = 0 if facts is None else facts.newest_gone(DESCRIBING, event.position)
    return lost > 0 or fold.gone.lacks(LIFECYCLE_TYPES)


@rule("policies.steps", *(cls.TYPE for cls in STEP_CLASSES))
def policies_steps(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every step in the life of a version was taken by those who may, as things were there."""
    state, authority = fold.lifecycle, fold.authority.state
    moment = moment_of(event, fold)
    fault = taken_fault(state, authority, event.type, event.actor, event.known, moment)
    return _GAP if fault and _is_gap(event, fold) else fault or None


@rule("policies.approved", *ACTIVATED_TYPES)
def policies_approved(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every version came into force by the approvals asked for, or by what may take their place."""
    state, authority = fold.lifecycle, fold.authority.state
    if (event.known["policy"], event.known["version"]) not in state.drafts:
        return None  # another rule's business
    moment = moment_of(event, fold)
    fault = activation_fault(state, authority, event.actor, event.known, moment)
    if not fault and event.known.get("basis") != "emergency":
        fault = _only_in_emergencies(authority, event.actor, moment.grants_at)
    return _GAP if fault and _is_gap(event, fold) else fault or None


@rule("policies.overlaps", *ACTIVATED_TYPES)
def policies_overlaps(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """No version came into force for labels of a model that another scope has by other labels."""
    data, scope = event.known, scope_key(event.known["scope"])
    found = fold.parameters(data["policy"], data["version"], data["digest"])
    if data.get("basis") in BACK or found is None or found.document["format"] == "policy/1":
        return None  # put back, or another rule's business, or it may be
    crossed = overlap_of(fold.lifecycle, _in_service(fold), scope)
    if crossed is None:
        return None
    if fold.gone.lacks(LIFECYCLE_TYPES):
        return _GAP
    other, model = crossed
    return (
        f"{model} is one of {scope} and of {other.scope}, for which {other} was in force since "
        f"position {other.position}, and neither scope is within the other"
    )


def _in_service(fold: LedgerState) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the models that are not retired, with their labels, where those are known."""
    for name, labels in fold.lifecycle.labels.items():
        facts = fold.models.get(f"models/{name}")
        if labels is not None and facts is not None and not facts.retired_at:
            yield name, labels


def _only_in_emergencies(authority: AuthorityState, actor: str, at: int) -> str:
    """Say so where an actor had the right to activate in an emergency alone."""
    if not authority.may(actor, EMERGENCY, at) or authority.may(actor, ACTIVATE, at):
        return ""
    return f"{actor} lacked the action {ACTIVATE} there"


def _unended(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("policies.terms")


@rule("policies.terms", *_TIMED, finish=_unended)
def policies_terms(_event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """No emergency stays in force unratified, and no time that was set passes without effect."""
    return None  # a service that governs says when it is missed
