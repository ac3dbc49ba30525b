"""Overrides: a person sets a model's action for a time, with a reason, over what is in force.

An override holds from the newest observation that counts, since that is the time of the next
evaluation, to a time that is counted from the ledger's own.
"""

from dataclasses import dataclass

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import (
    Caller,
    fields_named,
    ledger_time,
    no_erasure_after,
)
from ledger.application.decisions.decisions import Decisions
from ledger.application.erasure import at_newest_head
from ledger.application.fleet.history import History
from ledger.application.policies.authoring import NO_TIER
from ledger.application.policies.compiled import CompiledPolicy
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import notation
from ledger.events.decisions import DECISION_TYPES, DecisionOverridden
from ledger.events.models import ModelRetired
from ledger.events.policy_document import Action
from ledger.events.registry import typed
from ledger.events.values import SECOND, format_time, parse_time
from ledger.limits import OVERRIDE_SECONDS_MAX
from ledger.storage.records import AppendResult, Guard, Head, LedgerInfo
from ledger.storage.store import Store

_TRIES = 5
_GUARDED_TYPES = frozenset({ModelRetired.TYPE, *DECISION_TYPES})


@dataclass(frozen=True, slots=True)
class OverrideSpec:
    """The statement of a person: an action with its tier, why, for how long, and over what.

    `decision_position` is the decision in force that the person saw; None for whichever is.
    """

    model: str
    action: Action
    tier: str
    reason: str
    expires_after_seconds: int
    decision_position: int | None = None


@dataclass(frozen=True, slots=True)
class WrittenOverride:
    """An override as recorded; times in microseconds, and the decision that it follows from."""

    written: AppendResult
    effective_from: int
    effective_until: int
    decision_position: int | None


class Overrides:
    """Overrides of one ledger's decisions."""

    def __init__(self, store: Store, info: LedgerInfo, decisions: Decisions) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._decisions = decisions

    def override(self, caller: Caller, spec: OverrideSpec) -> WrittenOverride:
        """Record an override; it cites the decision in force, and carries its run.

        ACTOR_NOT_AUTHORISED for what is no person, VERSION_CONFLICT where another decision is in
        force than the one that was seen.
        """

        def decide() -> Proposal:
            _check_person(caller.actor)
            with fields_named():
                return at_newest_head(
                    self._store.events, self._info.origin, lambda head: self._proposal(spec, head)
                )

        return self._recorded(
            self._appender.append(caller, DecisionOverridden.METHOD, decide, tries=_TRIES)
        )

    def _proposal(self, spec: OverrideSpec, head: Head) -> Proposal:
        """Return the override over what is in force at a head, guarded by that."""
        history, policy = self._decisions.decidable(spec.model, head)
        _check_seen(spec, history)
        _check_tier(spec.tier, policy)
        data, prior = self._data(spec, history, policy, head), history.decision
        is_action = prior is not None and prior.data.action != "NO_ACTION"
        addition = Addition.of(
            data,
            cause=None if prior is None else prior.position,
            run_id=prior.run_id if prior is not None and is_action else None,
        )
        in_force = Guard(addition.stream, _GUARDED_TYPES, after_position=head.position)
        return Proposal([addition], [in_force, no_erasure_after(head.position)])

    def _data(
        self, spec: OverrideSpec, history: History, policy: CompiledPolicy, head: Head
    ) -> DecisionOverridden:
        field, seconds = "expires_after_seconds", spec.expires_after_seconds
        if not 1 <= seconds <= OVERRIDE_SECONDS_MAX:
            most = notation.duration(OVERRIDE_SECONDS_MAX)
            raise invalid_field(
                field,
                f"is {seconds}; 1 to {OVERRIDE_SECONDS_MAX} are taken, which is {most}",
                remedy="Change the policy if the action has to hold for longer.",
            )
        now = ledger_time(self._info, self._store, head)
        if not now:
            raise invalid_field(
                field,
                "has no time to be counted from: the data are the clock, and there are none",
            )
        newest = self._decisions.newest_observed(history, policy)
        return DecisionOverridden(
            model=spec.model,
            action=spec.action,
            tier=spec.tier or NO_TIER,
            effective_from=format_time(now if newest is None else min(newest, now)),
            effective_until=format_time(now + seconds * SECOND),
            rationale=spec.reason,
        )

    def _recorded(self, written: AppendResult) -> WrittenOverride:
        event = self._appender.event(written.last_position)
        data = typed(event, DecisionOverridden)
        return WrittenOverride(
            written,
            parse_time(data.effective_from),
            parse_time(data.effective_until),
            event.body.causation_position,
        )


def _check_person(actor: str) -> None:
    if not actor.startswith("users/"):
        raise LedgerError(
            Reason.ACTOR_NOT_AUTHORISED,
            f"{actor} is not authorised to override a decision: only a person may.",
            remedy="Call as the person who decides, users/NAME; a service's rules belong into the "
            "policy.",
            metadata={"actor": actor},
        )


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


def _check_tier(tier: str, policy: CompiledPolicy) -> None:
    decision = policy.document.decision
    known = {NO_TIER, decision.otherwise_tier, decision.error_tier} - {""}
    known |= {rule.tier for rule in decision.rules} | {one.name for one in policy.document.tiers}
    if tier and tier not in known:
        raise invalid_field(
            "tier",
            f"{tier[:80]!r} is not a tier of {policy.policy} version {policy.version}",
            remedy=f"Choose one of {', '.join(sorted(known))}.",
        )
