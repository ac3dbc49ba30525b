"""Overrides: a person sets a model's action for a time, with a reason, over what is in force.

An override holds from the newest observation that counts, since that is the time of the next
evaluation, to a time that is counted from the ledger's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.authority.authority import Authority, unchanged
from ledger.application.commands import (
    Caller,
    fields_named,
    ledger_time,
    no_erasure_after,
)
from ledger.application.decisions.decisions import Decisions
from ledger.application.erasure import at_newest_head
from ledger.application.fleet.history import History
from ledger.application.policies.compiled import CompiledPolicy
from ledger.authority.state import AuthorityState, Subject
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.decisions import (
    DECISION_TYPES,
    DecisionOverridden,
    DecisionOverriddenV2,
)
from ledger.events.models import DESCRIBING, ModelRetired
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.policy_document import NO_TIER, Action
from ledger.events.registry import typed
from ledger.events.values import SECOND, format_time, parse_time
from ledger.rules.overrides import (
    OverrideBasis,
    OverrideFault,
    bound_fault,
    overriding_roles,
    person_fault,
    role_fault,
    tiers_of,
)
from ledger.storage.records import AppendResult, Guard, Head, LedgerInfo
from ledger.storage.store import Store

_TRIES = 5
_GUARDED_TYPES = frozenset({ModelRetired.TYPE, *DECISION_TYPES, *DESCRIBING})
_ACTIVATED = frozenset(ACTIVATED_TYPES)
_Choices = Mapping[str, list[str]]
_FIELDS = {"effective_until": "expires_after_seconds", "rationale": "reason"}
"""The member of a request that an event's member comes from, where it has another name."""


@dataclass(frozen=True, slots=True)
class OverrideSpec:
    """The statement of a person: an action with its tier, why, for how long, and over what.

    `decision_position` is the decision in force that the person saw; None for whichever is. An
    empty `role` is the first by name of those in which the person may.
    """

    model: str
    action: Action
    tier: str
    reason: str
    expires_after_seconds: int
    decision_position: int | None = None
    role: str = ""


@dataclass(frozen=True, slots=True)
class WrittenOverride:
    """An override as recorded; times in microseconds, and the decision that it follows from."""

    written: AppendResult
    effective_from: int
    effective_until: int
    decision_position: int | None
    role: str
    """Empty until an administrator is named."""


class Overrides:
    """Overrides of one ledger's decisions."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        decisions: Decisions,
        authority: Authority,
        clock: Clock,
    ) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._decisions = decisions
        self._authority = authority
        self._clock = clock

    def override(self, caller: Caller, spec: OverrideSpec) -> WrittenOverride:
        """Record an override; it cites the decision in force, and carries its run.

        ACTOR_NOT_AUTHORISED for what is no person, VERSION_CONFLICT where another decision is in
        force than the one that was seen, FIELD_INVALID where a bound is not kept.
        """

        def decide() -> Proposal:
            if fault := person_fault(caller.actor):
                raise _refused(caller.actor, spec, fault)
            with fields_named():
                return at_newest_head(
                    self._store.events,
                    self._info.origin,
                    lambda head: self._proposal(caller.actor, spec, head),
                )

        return self._recorded(
            self._appender.append(caller, DecisionOverridden.METHOD, decide, tries=_TRIES)
        )

    def _proposal(self, actor: str, spec: OverrideSpec, head: Head) -> Proposal:
        """Return the override over what is in force at a head, guarded by that."""
        self._authority.refresh()
        authority = self._authority.state
        history, policy = self._decisions.decidable(spec.model, head)
        _check_seen(spec, history)
        now = ledger_time(self._info, self._store, head)
        data = self._data(actor, spec, history, policy, authority, now)
        declared = [tier.name for tier in policy.document.tiers]
        tiers = tiers_of(policy.document.decision, declared)
        basis = OverrideBasis(actor, now, now, is_observed=True, tiers=tiers)
        said, subject = data.to_data(), _subject(history)
        fault = bound_fault(said, basis) or role_fault(
            authority, actor, data.role, subject, self._clock.now_micros()
        )
        if fault is not None:
            roles = overriding_roles(authority, actor, subject, self._clock.now_micros())
            raise _refused(actor, spec, fault, {"tier": sorted(tiers), "role": list(roles)})
        prior = history.decision
        is_action = prior is not None and prior.data.action != "NO_ACTION"
        addition = Addition.of(
            data,
            cause=None if prior is None else prior.position,
            run_id=prior.run_id if prior is not None and is_action else None,
        )
        guards = [
            Guard(addition.stream, _GUARDED_TYPES, after_position=head.position),
            Guard(None, _ACTIVATED, after_position=head.position),
            no_erasure_after(head.position),
            unchanged(authority),
        ]
        return Proposal([addition], guards)

    def _data(
        self,
        actor: str,
        spec: OverrideSpec,
        history: History,
        policy: CompiledPolicy,
        authority: AuthorityState,
        now: int,
    ) -> DecisionOverriddenV2:
        if not now:
            raise invalid_field(
                "expires_after_seconds",
                "has no time to be counted from: the data are the clock, and there are none",
            )
        newest = self._decisions.newest_observed(history, policy)
        at, subject = self._clock.now_micros(), _subject(history)
        roles = overriding_roles(authority, actor, subject, at)
        return DecisionOverriddenV2(
            model=spec.model,
            action=spec.action,
            tier=spec.tier or NO_TIER,
            effective_from=format_time(now if newest is None else min(newest, now)),
            effective_until=format_time(now + spec.expires_after_seconds * SECOND),
            rationale=spec.reason,
            role=spec.role or next(iter(roles), None),
        )

    def _recorded(self, written: AppendResult) -> WrittenOverride:
        event = self._appender.event(written.last_position)
        data = typed(event, DecisionOverridden)
        return WrittenOverride(
            written,
            parse_time(data.effective_from),
            parse_time(data.effective_until),
            event.body.causation_position,
            getattr(data, "role", None) or "",
        )


def _subject(history: History) -> Subject:
    return Subject(history.model, None, history.described.labels)


def _refused(
    actor: str, spec: OverrideSpec, fault: OverrideFault, choices: _Choices = MappingProxyType({})
) -> LedgerError:
    """Return the refusal of an override that does not keep a bound, or of who sets it."""
    if fault.member == "actor":
        return LedgerError(
            Reason.ACTOR_NOT_AUTHORISED,
            f"{actor} is not authorised to override a decision: only a person may.",
            remedy="Call as the person who decides, users/NAME; a service's rules belong into the "
            "policy.",
            metadata={"actor": actor},
        )
    field = _FIELDS.get(fault.member, fault.member)
    why, remedy = fault.why, "Correct the field and send the request again."
    if known := choices.get(field):
        remedy = f"Choose one of {', '.join(known)}."
    if field == "expires_after_seconds":
        why = f"is {spec.expires_after_seconds}: {why}"
        remedy = "Change the policy if the action has to hold for longer."
    return invalid_field(field, why, remedy=remedy)


def _check_seen(spec: OverrideSpec, history: History) -> None:
    seen, prior = spec.decision_position, history.decision
    found = None if prior is None else prior.position
    if seen is None or seen == found:
        return
    raise LedgerError(
        Reason.VERSION_CONFLICT,
        f"The decision at position {seen} is not in force for model {spec.model}: "
        + ("none is." if found is None else f"the one at position {found} is."),
        remedy="Read the decision in force, then decide again.",
        metadata={"model": spec.model, "expected": str(seen), "found": str(found or 0)},
    )
