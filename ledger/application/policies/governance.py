"""The governance of one ledger's policies: followed event by event, asked at any position.

A state is never changed once it is shown. A step that is judged by one is appended under `guards`,
which hold while nothing that it was judged by has changed.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.application.authority.authority import Authority, unchanged
from ledger.application.commands import (
    decided_before,
    ledger_time,
    model_stream,
    no_erasure_after,
    none_after,
)
from ledger.application.policies.activation_spec import ActivationSpec
from ledger.application.policies.refusals import (
    beyond_head,
    could_not_be_followed,
    no_time_yet,
    not_activated,
    refused,
    unknown,
)
from ledger.authority.state import AuthorityState
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.cases import GOVERNOR
from ledger.events.envelope import RecordedEvent
from ledger.events.models import DESCRIBING
from ledger.events.policies import (
    DRAFTED_TYPES,
    PolicyActivated,
    PolicyDrafted,
    PolicyScheduled,
    PolicyStep,
    ScopePart,
)
from ledger.events.proving import BodyErased
from ledger.events.values import SECOND, format_time
from ledger.governance.activations import activation_fault, standing
from ledger.governance.lifecycle import (
    FOLDED_TYPES,
    LIFECYCLE_TYPES,
    LifecycleState,
    Schedule,
    ScopeKey,
    scope_key,
)
from ledger.governance.requirements import (
    AbleToApprove,
    Requirement,
    extent_of,
    keeps_activations,
    possible_authors,
    requirement_of,
    requirements,
    stated,
    unreachable,
)
from ledger.governance.status import VersionStatus, status_of
from ledger.governance.steps import StepTimes, scope_concerned
from ledger.governance.terms import lapses_at, scheduled_quorum_fault, taken_fault
from ledger.storage.records import Guard, Head, LedgerInfo
from ledger.storage.store import Store

_log: Final = structlog.get_logger("ledger.policies")
_READ: Final = FOLDED_TYPES | {BodyErased.TYPE}


@dataclass(frozen=True, slots=True)
class Judged:
    """All by which a step is judged: the life of policies, authority, the times, and the head."""

    state: LifecycleState
    authority: AuthorityState
    moment: StepTimes
    head: Head

    def unreachable(self, requirement: Requirement, scope: ScopeKey) -> str:
        """Return why approvals could not be given for a scope; empty where they could."""
        extent = extent_of(self.state, scope)
        return unreachable(self.authority, requirement, extent, self.moment.grants_at)

    def guards(self, scope: ScopeKey | None = None) -> list[Guard]:
        """Return the guards that all of it is still so when a step is appended."""
        at = self.head.position
        found = [Guard(None, LIFECYCLE_TYPES, after_position=at), no_erasure_after(at)]
        found.append(unchanged(self.authority))
        if scope is not None and scope.model is not None:
            stream = model_stream(scope.model)
            found.append(none_after(at, stream, *DESCRIBING))
        return found

    def guards_of(self, made: PolicyActivated | PolicyStep) -> list[Guard]:
        """Return the same, and the guard that the time of what was made is not over by then."""
        lapses = lapses_at(self.state, made.TYPE, made.to_data())
        scope = scope_concerned(self.state, made.to_data())
        return self.guards(scope) + ([] if lapses is None else [decided_before(lapses)])


class PolicyGovernance:
    """Follows the life of policies. Safe between threads; a state is a value."""

    def __init__(self, store: Store, info: LedgerInfo, authority: Authority, clock: Clock) -> None:
        self._store = store
        self._info = info
        self._authority = authority
        self._clock = clock
        self._lock = threading.Lock()
        self._state = LifecycleState()
        self._through = 0

    def approvers(self) -> AbleToApprove | None:
        """Return the persons who can approve in each role now; None where callers are believed."""
        return self._authority.approvers()

    def authors(self) -> frozenset[str]:
        """Return the persons who may draft a policy now."""
        self._authority.refresh()
        return possible_authors(self._authority.state, self._clock.now_micros())

    def unchanged_authority(self) -> Guard:
        """Return the guard that every person still has the roles of now."""
        self._authority.refresh()
        return unchanged(self._authority.state)

    def judged(self) -> Judged:
        """Return all by which a step is judged, at the head."""
        head = self._store.events.head(self._info.origin)
        self._authority.refresh()
        now = ledger_time(self._info, self._store, head)
        moment = StepTimes(now, self._clock.now_micros(), now)
        return Judged(self._at(head.position), self._authority.state, moment, head)

    def as_of(self, position: int | None) -> LifecycleState:
        """Return the life of policies at an earlier position, by the bodies that are there.

        None: at the head.
        """
        if position is None:
            return self._at(self._store.events.head(self._info.origin).position)
        state = LifecycleState()
        _fold(state, self._events(0, position))
        return state

    def status(
        self, policy: str, version: int, scope: ScopePart, position: int | None = None
    ) -> VersionStatus:
        """Return the status of a version, at the head or an earlier position.

        POLICY_UNKNOWN where it was not drafted by then; `version` 0 is the newest one.
        """
        if position == 0:  # before the first event
            raise unknown(policy, version)
        judged = self.judged() if position is None else self._judged_at(position)
        named = policy, version or judged.state.newest.get(policy, 0)
        if named not in judged.state.drafts:
            raise unknown(policy, version)
        key = scope_key(scope.model_dump())
        return status_of(judged.state, judged.authority, named, key, judged.moment)

    def _judged_at(self, position: int) -> Judged:
        """Return what a step was judged by at an earlier position; POSITION_BEYOND_HEAD."""
        head = self._store.events.head(self._info.origin)
        event = self._store.events.event(self._info.origin, position)
        if event is None:
            raise beyond_head(position, head.position)
        at = event.recorded_at
        moment = StepTimes(at, at if self._info.clock == "wall" else 0, at)
        return Judged(self.as_of(position), self._authority.as_of(position), moment, head)

    def _at(self, head: int) -> LifecycleState:
        """Return the state at a head, or a later one that another thread has read."""
        with self._lock:
            if head > self._through:
                news = self._events(self._through, head)
                if any(event.type == BodyErased.TYPE for event in news):
                    state, news = LifecycleState(), self._events(0, head)
                else:
                    state = self._state.copy() if news else self._state
                _fold(state, news)
                self._state, self._through = state, head
            return self._state

    def _events(self, after: int, until: int) -> list[RecordedEvent]:
        origin = self._info.origin
        return self._store.events.of_types(origin, _READ, after=after, at_or_before=until)

    # ---- activations -----------------------------------------------------------------------------

    def activated(self, actor: str, wanted: ActivationSpec) -> tuple[PolicyActivated, list[Guard]]:
        """Return an activation by the approvals that it takes, and what it rests on.

        APPROVAL_MISSING where it lacks some, or asks itself for some that could not be given.
        """
        judged = self.judged()
        state, key = judged.state, wanted.key
        self.check_reachable(judged, wanted.named, wanted.key)
        made: PolicyActivated = wanted.direct()
        if requirements(state, key) or state.submission_for(wanted.named, key) is not None:
            approvals = standing(state, judged.authority, wanted.named, key, judged.moment)
            positions = [one.position for one in approvals]
            made = wanted.governed(state, "approved", approvals=positions)
        if fault := _activation_fault(judged, actor, made):
            raise not_activated(wanted.named, fault)
        return made, judged.guards_of(made)

    def rolled_back(
        self, actor: str, wanted: ActivationSpec
    ) -> tuple[PolicyActivated, list[Guard]]:
        """Return the activation of a version that was in force for a scope before, and its guards.

        GOVERNANCE_REFUSED says why it cannot be put back.
        """
        judged = self.judged()
        made = wanted.governed(judged.state, "roll_back")
        if fault := _activation_fault(judged, actor, made):
            raise refused(fault)
        return made, judged.guards_of(made)

    def in_emergency(
        self, actor: str, wanted: ActivationSpec
    ) -> tuple[PolicyActivated, list[Guard]]:
        """Return the activation of a version without the approvals that it lacks, for a time.

        GOVERNANCE_REFUSED says why it may not be.
        """
        judged = self.judged()
        self.check_begun(judged, "an emergency would be over at the first one")
        self.check_reachable(judged, wanted.named, wanted.key)
        asked = requirements(judged.state, wanted.key)
        seconds = min((one.ratify_seconds for one in asked), default=0)
        until = judged.moment.at + seconds * SECOND
        made = wanted.governed(judged.state, "emergency", ratify_until=until)
        if fault := _activation_fault(judged, actor, made):
            raise refused(fault)
        return made, judged.guards_of(made)

    def scheduled(
        self, actor: str, wanted: ActivationSpec, effective_time: int
    ) -> tuple[PolicyScheduled, list[Guard]]:
        """Return what sets the time of an activation; APPROVAL_MISSING where it lacks any.

        FIELD_INVALID for a time that has come, GOVERNANCE_REFUSED where another is set there.
        """
        judged = self.judged()
        self.check_begun(judged, "a time set before it is far away, whichever it is")
        self.check_reachable(judged, wanted.named, wanted.key)
        found = standing(judged.state, judged.authority, wanted.named, wanted.key, judged.moment)
        made = PolicyScheduled(
            policy=wanted.policy,
            version=wanted.version,
            digest=wanted.digest,
            scope=wanted.scope,
            rationale=wanted.rationale,
            effective_time=format_time(effective_time),
            approvals=[one.position for one in found],
        )
        data, moment = made.to_data(), judged.moment
        if effective_time <= moment.at:
            raise invalid_field(
                "effective_time",
                "has come already",
                remedy="State a later time, or none: `policy activate` without one takes effect at "
                "once.",
            )
        if fault := taken_fault(judged.state, judged.authority, made.TYPE, actor, data, moment):
            is_short = fault == scheduled_quorum_fault(judged.state, judged.authority, data, moment)
            raise not_activated(wanted.named, fault) if is_short else refused(fault)
        return made, judged.guards_of(made)

    def come_due(
        self, wanted: ActivationSpec, schedule: Schedule
    ) -> tuple[PolicyActivated, list[Guard]]:
        """Return the activation whose time has come; APPROVAL_MISSING says why it may not be."""
        judged = self.judged()
        made = wanted.governed(
            judged.state, "scheduled", schedule.approvals, scheduled=schedule.position
        )
        if fault := _activation_fault(judged, GOVERNOR, made):
            raise not_activated(wanted.named, fault)
        return made, judged.guards_of(made)

    def reverted(self, actor: str, wanted: ActivationSpec) -> tuple[PolicyActivated, list[Guard]]:
        """Return the activation that ends an emergency; GOVERNANCE_REFUSED where it may stay."""
        judged = self.judged()
        made = wanted.governed(judged.state, "reverted")
        if fault := _activation_fault(judged, actor, made):
            raise refused(fault)
        return made, judged.guards_of(made)

    def keeps_activations(self) -> tuple[bool, Guard]:
        """Return whether activations are not erased any more, and the guard of the answer."""
        judged = self.judged()
        is_same = none_after(judged.head.position, None, *DRAFTED_TYPES)
        return keeps_activations(judged.state), is_same._replace(is_passing=True)

    def check_free(self, scopes: Iterable[ScopePart]) -> list[Guard]:
        """Refuse to activate past approvals; return the guards that none are asked for."""
        judged = self.judged()
        for scope in scopes:
            if asked := requirements(judged.state, scope_key(scope.model_dump())):
                raise LedgerError(
                    Reason.APPROVAL_MISSING,
                    f"A definition cannot replace what is in force for {_said(scope)}: {asked[0]}.",
                    remedy="Define the new meaning under a name of its own. Then draft a version "
                    "that reads it, and have it submitted, approved and activated.",
                    metadata={"policy": asked[0].policy},
                )
        return judged.guards()

    def check_begun(self, judged: Judged, consequence: str) -> None:
        """Refuse what is for a time while a ledger on the data's clock has no time yet."""
        if self._info.clock == "data" and judged.head.newest_observed_at is None:
            raise no_time_yet(consequence)

    def check_reachable(self, judged: Judged, named: tuple[str, int], scope: ScopeKey) -> None:
        """Refuse a version that asks for approvals that no person could give for its scope."""
        own = requirement_of(judged.state, named)
        if own is not None and (why := judged.unreachable(own, scope)):
            raise could_not_be_followed(own, why)

    def check_drafted(self, drafted: Mapping[tuple[str, int], PolicyDrafted]) -> None:
        """Refuse the same of versions that are drafted and come into force in one append.

        They are by the version in force that each replaces, wherever that is.
        """
        judged = self.judged()
        for in_force in judged.state.in_force.values():
            one = drafted.get(in_force.named)
            if one is None:
                continue
            own = stated((one.policy, one.version), one.to_data()["document"].get("governance"))
            if own is not None and (why := judged.unreachable(own, in_force.scope)):
                raise could_not_be_followed(own, why)

    def warn_of_unreachable(self) -> None:
        """Log each version in force whose approvals could not be given as authority is now."""
        try:
            judged = self.judged()
        except LedgerError as error:  # the change is recorded all the same
            _log.error("policy.approvals_unknown", why=error.message)
            return
        for one in judged.state.in_force.values():
            own = requirement_of(judged.state, one.named)
            if own is not None and (why := judged.unreachable(own, one.scope)):
                _log.warning(
                    "policy.approvals_out_of_reach",
                    policy=one.policy,
                    version=one.version,
                    position=one.position,
                    why=why,
                )


def _activation_fault(judged: Judged, actor: str, made: PolicyActivated) -> str:
    data, moment = made.to_data(), judged.moment
    return activation_fault(judged.state, judged.authority, actor, data, moment)


def _said(scope: ScopePart) -> str:
    return str(scope_key(scope.model_dump()))


def _fold(state: LifecycleState, events: Iterable[RecordedEvent]) -> None:
    for event in events:
        if event.type != BodyErased.TYPE:
            body = None if event.body_bytes is None else event.body
            actor, data = ("", None) if body is None else (body.actor, body.data)
            state.apply(event.position, event.stream, event.type, actor, data, event.recorded_at)
