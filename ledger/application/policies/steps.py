"""Steps of people in the life of a version: it is submitted, approved or rejected, and retired.

Each is judged at the head as an auditor judges it, and recorded if nothing has changed since.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, fields_named
from ledger.application.policies.governance import Judged, PolicyGovernance
from ledger.application.policies.refusals import refused, unknown
from ledger.events.policies import (
    PolicyApprovalWithdrawn,
    PolicyApproved,
    PolicyRatified,
    PolicyRejected,
    PolicyRetired,
    PolicyScheduleWithdrawn,
    PolicyStep,
    PolicySubmitted,
    ScopePart,
)
from ledger.events.values import SECOND, format_time
from ledger.governance.activations import standing
from ledger.governance.lifecycle import ActivationFact, OpenSubmission, scope_key
from ledger.governance.requirements import extent_of, holds
from ledger.governance.steps import asked_of
from ledger.governance.terms import taken_fault
from ledger.storage.records import AppendResult, Guard, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5
_MEANING: Final = "reviewed_and_approved"

_Make = Callable[[Judged], PolicyStep]
CheckFit = Callable[[str, int, ScopePart], list[Guard]]
"""Refuses a drafted version that does not fit the ledger or scope; returns guards of that."""


@dataclass(frozen=True, slots=True)
class ChosenVersion:
    """A version of a policy, with the digest that the caller saw; empty where it names none."""

    policy: str
    number: int
    digest: str = ""

    @property
    def named(self) -> tuple[str, int]:
        """The version as one looks it up."""
        return self.policy, self.number


class PolicySteps:
    """Records steps in the life of one ledger's policies. Safe between threads."""

    def __init__(
        self, store: Store, info: LedgerInfo, governance: PolicyGovernance, check_fit: CheckFit
    ) -> None:
        self._appender = Appender(store, info.origin)
        self._governance = governance
        self._check_fit = check_fit

    def submit(
        self,
        caller: Caller,
        version: ChosenVersion,
        scope: ScopePart,
        rationale: str,
        cause: int | None = None,
    ) -> AppendResult:
        """Record that a version waits for approvals in a scope; GOVERNANCE_REFUSED says why not.

        POLICY_INVALID where the ledger does not have its signals or their sources any more. `cause`
        is the shadow that it starts from.
        """

        def make(judged: Judged) -> PolicyStep:
            self._governance.check_reachable(judged, version.named, scope_key(scope.model_dump()))
            return PolicySubmitted(
                policy=version.policy,
                version=version.number,
                digest=_digest(judged, version),
                scope=scope,
                rationale=rationale,
            )

        def decide() -> Proposal:
            proposal = self._decided(caller, make, cause)
            fit = self._check_fit(*version.named, scope)
            return replace(proposal, guards=[*proposal.guards, *fit])

        return self._appender.append(caller, PolicySubmitted.METHOD, decide, tries=_TRIES)

    def approve(
        self,
        caller: Caller,
        version: ChosenVersion,
        role: str,
        comment: str,
        submission_at: int = 0,
    ) -> AppendResult:
        """Record a person's approval in a role; without one, in the one role that the person holds.

        `submission_at`: of which submission, where there are several; 0 for the newest one.
        GOVERNANCE_REFUSED says why it would not count.
        """

        def make(judged: Judged) -> PolicyStep:
            submission = _submission(judged, version, submission_at)
            self._governance.check_begun(judged, "an approval would expire at the first one")
            asked = asked_of(judged.state, version.named, submission.scope)
            seconds = min((one.approval_seconds for one in asked), default=0)
            until = judged.moment.at + seconds * SECOND
            return PolicyApproved(
                policy=version.policy,
                version=version.number,
                digest=_digest(judged, version),
                submission=submission.position,
                role=role or _role_of(judged, caller.actor, version, submission),
                meaning=_MEANING,
                expires_at=format_time(until),
                comment=comment,
            )

        return self._record(caller, PolicyApproved.METHOD, make)

    def withdraw(self, caller: Caller, version: ChosenVersion, reason: str) -> AppendResult:
        """Record that a person takes back the newest approval; GOVERNANCE_REFUSED says why not."""

        def make(judged: Judged) -> PolicyStep:
            state, authority = judged.state, judged.authority
            person = authority.persons.get(caller.actor, caller.actor)
            own = [
                one.position
                for one in state.approvals.values()
                if (one.policy, one.version) == version.named
                and authority.persons.get(one.actor, one.actor) == person
                and not one.withdrawn_at
            ]
            if not own:
                raise refused(f"{person} has given no approval of {_said(version)}")
            return PolicyApprovalWithdrawn(
                policy=version.policy, version=version.number, approval=own[-1], reason=reason
            )

        return self._record(caller, PolicyApprovalWithdrawn.METHOD, make)

    def reject(
        self, caller: Caller, version: ChosenVersion, reason: str, submission_at: int = 0
    ) -> AppendResult:
        """Record that a version was rejected; GOVERNANCE_REFUSED where it waits for nothing.

        `submission_at`: of which submission, where there are several; 0 for the newest one.
        """

        def make(judged: Judged) -> PolicyStep:
            submission = _submission(judged, version, submission_at)
            return PolicyRejected(
                policy=version.policy,
                version=version.number,
                submission=submission.position,
                reason=reason,
            )

        return self._record(caller, PolicyRejected.METHOD, make)

    def retire(self, caller: Caller, version: ChosenVersion, reason: str) -> AppendResult:
        """Record that a version comes into force no more; GOVERNANCE_REFUSED while it is."""

        def make(_: Judged) -> PolicyStep:
            return PolicyRetired(policy=version.policy, version=version.number, reason=reason)

        return self._record(caller, PolicyRetired.METHOD, make)

    def ratify(self, caller: Caller, version: ChosenVersion) -> AppendResult:
        """Record that an emergency has the approvals it lacked; GOVERNANCE_REFUSED if not.

        Of several of one version it is the newest that has them.
        """

        def ratified(judged: Judged, emergency: ActivationFact) -> PolicyRatified:
            scope, state = emergency.scope, judged.state
            found = standing(state, judged.authority, version.named, scope, judged.moment)
            return PolicyRatified(
                policy=version.policy,
                version=version.number,
                activation=emergency.position,
                approvals=[one.position for one in found],
            )

        def make(judged: Judged) -> PolicyStep:
            waiting = [one for one in judged.state.waiting() if one.named == version.named]
            if not waiting:
                raise refused(f"{_said(version)} is in force by no emergency")
            made = [ratified(judged, one) for one in reversed(waiting)]
            return next((one for one in made if not _fault(judged, caller, one)), made[0])

        return self._record(caller, PolicyRatified.METHOD, make)

    def withdraw_schedule(
        self, caller: Caller, version: ChosenVersion, reason: str, schedule: int = 0
    ) -> AppendResult:
        """Record that a time that was set has no effect; without a position, the newest one's.

        GOVERNANCE_REFUSED where none is to come.
        """

        def make(judged: Judged) -> PolicyStep:
            found = [
                one.position
                for one in judged.state.schedules.values()
                if one.named == version.named and schedule in {0, one.position}
            ]
            if not found:
                raise refused(f"no time is set for {_said(version)}")
            return PolicyScheduleWithdrawn(
                policy=version.policy, version=version.number, schedule=found[-1], reason=reason
            )

        return self._record(caller, PolicyScheduleWithdrawn.METHOD, make)

    def _record(self, caller: Caller, method: str, make: _Make) -> AppendResult:
        def decide() -> Proposal:
            return self._decided(caller, make)

        return self._appender.append(caller, method, decide, tries=_TRIES)

    def _decided(
        self,
        caller: Caller,
        make: _Make,
        cause: int | None = None,
    ) -> Proposal:
        """Return the step if it may be taken; GOVERNANCE_REFUSED with why not."""
        judged = self._governance.judged()
        with fields_named():
            made = make(judged)
        if fault := _fault(judged, caller, made):
            raise refused(fault)
        return Proposal([Addition.of(made, cause=cause)], judged.guards_of(made))


def _fault(judged: Judged, caller: Caller, made: PolicyStep) -> str:
    """Return why a step may not be taken; empty where it may."""
    data, moment = made.to_data(), judged.moment
    return taken_fault(judged.state, judged.authority, made.TYPE, caller.actor, data, moment)


def _submission(judged: Judged, version: ChosenVersion, position: int) -> OpenSubmission:
    """Return the open submission at a position, or the newest one; GOVERNANCE_REFUSED."""
    found = judged.state.submission_at(version.named, position)
    if found is None:
        where = f" by a submission at position {position}" if position else ""
        raise refused(f"{_said(version)} does not wait for approvals{where}: submit it first")
    return found


def _role_of(judged: Judged, actor: str, version: ChosenVersion, submission: OpenSubmission) -> str:
    """Return the one role in which an actor can approve; GOVERNANCE_REFUSED for several."""
    asked = asked_of(judged.state, version.named, submission.scope)
    roles = {role for requirement in asked for role, _ in requirement.approvals}
    at = judged.moment.grants_at
    extent = extent_of(judged.state, submission.scope)
    held = sorted(role for role in roles if holds(judged.authority, actor, role, at, extent))
    if len(held) == 1:
        return held[0]
    if not held:
        raise refused(
            f"{actor} holds none of the roles asked for, for {submission.scope}: "
            f"{', '.join(sorted(roles))}"
        )
    raise refused(f"{actor} holds several of the roles asked for: name {' or '.join(held)}")


def _digest(judged: Judged, version: ChosenVersion) -> str:
    """Return the digest that a caller named, else that of the version; POLICY_UNKNOWN."""
    draft = judged.state.drafts.get(version.named)
    if draft is None:
        raise unknown(version.policy, version.number)
    return version.digest or draft.digest


def _said(version: ChosenVersion) -> str:
    return f"version {version.number} of {version.policy}"
