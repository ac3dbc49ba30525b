"""Rules about overrides: by which person, following from which decision, and that they end."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.assessor import parameters_in_force
from ledger.audit.audited_model import AuditedModel
from ledger.audit.authority import judged_at
from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.authority import subjects
from ledger.audit.rules.horizons import missed_observation
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES, DecisionOverriddenV1
from ledger.events.models import DESCRIBING
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.values import SECOND, format_time, parse_time
from ledger.limits import CLOCK_STEP_SECONDS_MIN
from ledger.rules.overrides import OverrideBasis, bound_fault, role_fault, tiers_of

_OBSERVED: Final = tuple(sorted(OBSERVED))


@rule("overrides", *OVERRIDDEN_TYPES)
def overrides(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An override is a person's, with a reason, at a tier that exists, from now and within 90 days.

    It holds from the newest observation that counts, or from when it was set.
    """
    facts, before = fold.models.get(event.stream), event.position - 1
    if facts is None or facts.description(before) is None:
        return None  # another rule's business
    fault = bound_fault(event.known, _basis(event, fold, facts))
    if fault is None:
        return None
    if fault.member in {"model", "tier"} and (why := _why_not_judged(event, fold, facts)):
        return Unchecked(why)
    if fault.member.startswith("effective_"):
        missed = fold.absences.missed_of(facts.gone_by_type, _OBSERVED, before)
        missed = missed or (missed_observation(fold, before) if fold.clock == "data" else "")
        if missed:
            return Unchecked(missed)
    return fault.why


def _basis(event: AuditedEvent, fold: LedgerState, facts: AuditedModel) -> OverrideBasis:
    """Return by what an override was judged, as far as the record tells."""
    before, begins = event.position - 1, parse_time(event.known["effective_from"])
    parameters = parameters_in_force(fold, facts, before)
    tiers = None
    if parameters is not None:
        declared = [one["name"] for one in parameters.document["tiers"]]
        tiers = tiers_of(parameters.rules, declared)
    earliest, latest = _set_between(event, fold)
    seen = fold.observations.between(event.stream, begins, begins, before)
    return OverrideBasis(event.actor, earliest, latest, bool(seen), tiers)


def _set_between(event: AuditedEvent, fold: LedgerState) -> tuple[int, int]:
    """Return the times between which an override was set, by the clock of the ledger.

    A machine's clock that is behind the record dates events like the one before, and says nothing.
    """
    if fold.clock != "wall":
        cited = fold.moments.at(event.cause or 0)  # it was in force, so it had been read
        return 0 if cited is None else cited.newest, fold.newest_observed_at
    off = max(fold.skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND)
    is_sure = event.recorded_at > fold.recorded_at
    return max(judged_at(event, fold) - off, 0) if is_sure else 0, event.recorded_at + off


def _why_not_judged(event: AuditedEvent, fold: LedgerState, facts: AuditedModel) -> str:
    """Return why it is not known which policy was in force; empty where it is."""
    if missed := fold.absences.missed_of(facts.gone_by_type, DESCRIBING, event.position - 1):
        return missed
    if fold.gone.lacks((*ACTIVATED_TYPES, *DRAFTED_TYPES)):
        return "a body is not there that may bring a policy into force"
    return ""


@rule("overrides.role", *OVERRIDDEN_TYPES)
def overrides_role(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An override is in a role that its person held there for the model, and that allows it."""
    facts = fold.models.get(event.stream)
    subject = next(subjects(event, fold), None)
    if facts is None or subject is None:
        return None  # another rule's business
    if event.type == DecisionOverriddenV1.TYPE:
        return _role_left_out(fold) or None
    role, at = event.known["role"], judged_at(event, fold)
    fault = role_fault(fold.authority.state, event.actor, role, subject, at)
    if fault is None:
        return None
    missed = fold.absences.missed_of(facts.gone_by_type, DESCRIBING, event.position - 1)
    return Unchecked(missed) if missed else fault.why


def _role_left_out(fold: LedgerState) -> str:
    """Say so where an override states no role, as it did before the ledger had a later release."""
    if not fold.roles_since:
        return ""
    return (
        f"it is of the first version, which states no role, and position {fold.roles_since} is of "
        "a release that states it"
    )


@rule("overrides.follow", *OVERRIDDEN_TYPES)
def overrides_follow(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An override cites the decision that was in force, and carries the run of its action."""
    facts, before = fold.models.get(event.stream), event.position - 1
    if facts is None:
        return None  # another rule's business
    if missed := fold.absences.missed_of(facts.gone_by_type, DECISION_TYPES, before):
        return Unchecked(missed)
    prior = facts.in_force(before)
    place = prior.position if prior is not None else None
    if event.cause != place:
        return f"it cites {event.cause}, and the decision in force is at {place}"
    is_action = prior is not None and prior.data["action"] != "NO_ACTION"
    run = prior.run_id if prior is not None and is_action else None
    return None if event.run_id == run else f"the run {run} was open, and it carries {event.run_id}"


def _unended(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.overrides.missed()


@rule("overrides.over", *DECISION_TYPES, finish=_unended)
def overrides_over(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """No decision is under an override that is over, and one that ends is followed by a decision.

    The evaluator decides again once an override is over, before a service accounts for it.
    """
    facts, replaced = fold.models.get(event.stream), event.known["overridden"]
    if facts is None or replaced is None:
        return None
    place, at = replaced["position"], parse_time(event.known["evaluated_at"])
    found = next((one for one in facts.overrides if one.position == place), None)
    if found is None or at < found.effective_until:
        return None  # that it comes out otherwise is another rule's business
    until, then = format_time(found.effective_until), event.known["evaluated_at"]
    return f"the override at position {place} was over at {until}, and it applies it at {then}"
