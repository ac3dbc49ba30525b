# Generated from ledger/client/aio/policies.py by `tools/dev.py proto`; do not edit.
"""Policies, their versions and where they are in force, for threads."""

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, paged, whole
from ledger.client.inputs import (
    Time,
    id_of,
    in_collection,
    moment_fields,
    scope_message,
    source_message,
    timestamp_of,
    version_name,
)
from ledger.client.policy_scopes import PolicyScope
from ledger.client.policy_status import PolicyStatus, ReviewPack
from ledger.client.records import (
    Appended,
    DraftedPolicy,
    Policy,
    PolicyLint,
    PolicyView,
)
from ledger.client.shadows import PolicyShadow, ShadowComparison
from ledger.client.trials import PolicyDiff, PolicySource, PolicyTrial
from ledger.v1 import policy_service_pb2 as pb
from ledger.v1 import review_pb2, shadow_pb2, trial_pb2

_TRIAL_SECONDS: Final = 300.0  # a trial reads up to half a million events


class PolicyCalls(ServiceCalls):
    """The rules in force, every version of them."""

    def lint_policy(self, document: str) -> PolicyLint:
        """Check a document as drafting would; problems are the answer, not an error."""
        call = Call(pb.LintPolicyRequest(document=document), whole(PolicyLint))
        return self._connection.run(call)

    def draft_policy(
        self,
        policy: str,
        document: str,
        rationale: str,
        *,
        strict: bool = False,
        request_id: str | None = None,
    ) -> DraftedPolicy:
        """Record the next version of a policy; it is in force nowhere until it is activated.

        `strict`: whether the linter's warnings refuse it too.
        """
        name = in_collection("policies", policy)
        request = pb.DraftPolicyRequest(
            name=name, document=document, rationale=rationale, strict=strict
        )
        return self._connection.run(Call(request, whole(DraftedPolicy), request_id))

    def activate_policy(
        self,
        policy: str,
        version: int,
        rationale: str,
        *,
        scope: PolicyScope | None = None,
        digest: str = "",
        effective_time: Time | None = None,
        shadow: int = 0,
        request_id: str | None = None,
    ) -> Appended:
        """Bring a version into force for a scope, or without one for the whole ledger.

        At `effective_time`, if one is stated, and if its approvals still count by then. `shadow`
        is the position of its shadow on that scope from whose comparison it starts.
        """
        at = None if effective_time is None else timestamp_of(effective_time, "effective_time")
        request = pb.ActivatePolicyRequest(
            name=version_name(policy, version),
            rationale=rationale,
            scope=scope_message(scope),
            digest=digest,
            effective_time=at,
            shadow=shadow,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def submit_policy(
        self,
        policy: str,
        version: int,
        rationale: str,
        *,
        scope: PolicyScope | None = None,
        digest: str = "",
        shadow: int = 0,
        request_id: str | None = None,
    ) -> Appended:
        """Submit a version for approval in a scope, or without one in the whole ledger.

        `shadow` is the position of its shadow on that scope from whose comparison it starts.
        """
        request = pb.SubmitPolicyRequest(
            name=version_name(policy, version),
            rationale=rationale,
            scope=scope_message(scope),
            digest=digest,
            shadow=shadow,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def approve_policy(
        self,
        policy: str,
        version: int,
        digest: str,
        *,
        role: str = "",
        comment: str = "",
        submission: int = 0,
        request_id: str | None = None,
    ) -> Appended:
        """Approve a version as it was submitted; `digest` is that of what was read.

        `submission`: the position of one of several submissions; 0 for the newest one.
        """
        request = pb.ApprovePolicyRequest(
            name=version_name(policy, version),
            digest=digest,
            role=role,
            comment=comment,
            submission=submission,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def activate_in_emergency(
        self,
        policy: str,
        version: int,
        reason: str,
        *,
        scope: PolicyScope | None = None,
        digest: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Bring a version into force without its approvals, until it has to be ratified."""
        request = pb.ActivateInEmergencyRequest(
            name=version_name(policy, version),
            reason=reason,
            scope=scope_message(scope),
            digest=digest,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def ratify_policy(
        self, policy: str, version: int, *, request_id: str | None = None
    ) -> Appended:
        """Ratify what came into force in an emergency: it has the approvals that it lacked."""
        request = pb.RatifyPolicyRequest(name=version_name(policy, version))
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def withdraw_schedule(
        self, policy: str, version: int, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Withdraw the time that was set for an activation."""
        request = pb.WithdrawScheduleRequest(name=version_name(policy, version), reason=reason)
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def withdraw_approval(
        self, policy: str, version: int, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Take back the caller's own approval, before the version is in force by it."""
        name = version_name(policy, version)
        request = pb.WithdrawApprovalRequest(name=name, reason=reason)
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def reject_policy(
        self,
        policy: str,
        version: int,
        reason: str,
        *,
        submission: int = 0,
        request_id: str | None = None,
    ) -> Appended:
        """Reject a version: it has to be submitted again, and approved again.

        `submission`: the position of one of several submissions; 0 for the newest one.
        """
        request = pb.RejectPolicyRequest(
            name=version_name(policy, version), reason=reason, submission=submission
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def retire_policy(
        self, policy: str, version: int, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Retire a version, which is in force nowhere: it comes into force no more."""
        request = pb.RetirePolicyRequest(name=version_name(policy, version), reason=reason)
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def roll_back_policy(
        self,
        policy: str,
        version: int,
        reason: str,
        *,
        scope: PolicyScope | None = None,
        digest: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Put a version back that was in force for that very scope before."""
        request = pb.RollBackPolicyRequest(
            name=version_name(policy, version),
            reason=reason,
            scope=scope_message(scope),
            digest=digest,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def get_policy_status(
        self,
        policy: str,
        version: int = 0,
        *,
        scope: PolicyScope | None = None,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> PolicyStatus:
        """Return the state of a version, else of the newest, and its approvals; also as of then."""
        request = pb.GetPolicyStatusRequest(
            name=version_name(policy, version) if version else in_collection("policies", policy),
            scope=scope_message(scope),
            min_position=min_position,
            **moment_fields(as_of, as_of_position),
        )
        return self._connection.run(Call(request, one(PolicyStatus, "status")))

    def get_policy(
        self,
        policy: str,
        version: int = 0,
        *,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> PolicyView:
        """Return a version of a policy, else its newest, and its activations; also as of then."""
        name = version_name(policy, version) if version else in_collection("policies", policy)
        request = pb.GetPolicyRequest(
            name=name, min_position=min_position, **moment_fields(as_of, as_of_position)
        )
        return self._connection.run(Call(request, whole(PolicyView)))

    def list_policies(
        self,
        *,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> Iterator[Policy]:
        """Iterate over policies by id, now or as of a moment of the ledger's clock."""
        request = pb.ListPoliciesRequest(
            min_position=min_position, **moment_fields(as_of, as_of_position)
        )
        return self._connection.items(paged(request, Policy, "policies"))

    def diff_policy(
        self, before: PolicySource, after: PolicySource, *, min_position: int = 0
    ) -> PolicyDiff:
        """Say in words what two policies differ in; nothing is written."""
        request = trial_pb2.DiffPolicyRequest(
            before=source_message(before), after=source_message(after), min_position=min_position
        )
        return self._connection.run(Call(request, whole(PolicyDiff)))

    def try_policy(
        self,
        policy: PolicySource,
        *,
        against: PolicySource | None = None,
        models: Iterable[str] = (),
        since: Time | None = None,
        until: Time | None = None,
        min_position: int = 0,
    ) -> PolicyTrial:
        """Try a policy on the ledger's own history, beside another or what was decided.

        Nothing is written. It may take minutes, also where the client's own deadline is shorter.
        """
        request = trial_pb2.TryPolicyRequest(
            policy=source_message(policy),
            against=None if against is None else source_message(against),
            models=[id_of("models", model) for model in models],
            since=None if since is None else timestamp_of(since, "since"),
            until=None if until is None else timestamp_of(until, "until"),
            min_position=min_position,
        )
        call = Call(request, whole(PolicyTrial), deadline_seconds_min=_TRIAL_SECONDS)
        return self._connection.run(call)

    def shadow_policy(
        self,
        policy: str,
        version: int,
        rationale: str,
        seconds: int,
        *,
        scope: PolicyScope | None = None,
        digest: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Have a version run in shadow for a time; the position of the answer names the shadow."""
        request = shadow_pb2.ShadowPolicyRequest(
            name=version_name(policy, version),
            rationale=rationale,
            seconds=seconds,
            scope=scope_message(scope),
            digest=digest,
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def end_shadow(self, shadow: int, reason: str, *, request_id: str | None = None) -> Appended:
        """End a shadow before its time."""
        request = shadow_pb2.EndShadowRequest(shadow=shadow, reason=reason)
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def list_shadows(self, *, min_position: int = 0) -> Iterator[PolicyShadow]:
        """Iterate the policies that run in shadow, and those that did, by position."""
        request = shadow_pb2.ListShadowsRequest(min_position=min_position)
        return self._connection.items(paged(request, PolicyShadow, "shadows"))

    def compare_shadow(
        self, shadow: int, *, as_of: int = 0, min_position: int = 0
    ) -> ShadowComparison:
        """Compare a shadow with what was decided, by now or up to a position.

        Nothing is written; it may take minutes.
        """
        request = shadow_pb2.CompareShadowRequest(
            shadow=shadow, as_of=as_of, min_position=min_position
        )
        call = Call(request, whole(ShadowComparison), deadline_seconds_min=_TRIAL_SECONDS)
        return self._connection.run(call)

    def get_review_pack(
        self,
        policy: str,
        version: int = 0,
        *,
        scope: PolicyScope | None = None,
        since: Time | None = None,
        until: Time | None = None,
        as_of: int = 0,
        min_position: int = 0,
    ) -> ReviewPack:
        """Make the review pack of a version in force; 0 is the one in force there.

        Without `since`, of the time since its last review or its activation. It may take minutes.
        """
        name = version_name(policy, version) if version else in_collection("policies", policy)
        request = review_pb2.GetReviewPackRequest(
            name=name,
            scope=scope_message(scope),
            as_of=as_of,
            since=None if since is None else timestamp_of(since, "since"),
            until=None if until is None else timestamp_of(until, "until"),
            min_position=min_position,
        )
        call = Call(request, one(ReviewPack, "pack"), deadline_seconds_min=_TRIAL_SECONDS)
        return self._connection.run(call)

    def sign_off_policy(
        self,
        policy: str,
        version: int,
        pack: ReviewPack,
        reason: str,
        *,
        follow_up: tuple[str, int] | None = None,
        scope: PolicyScope | None = None,
        request_id: str | None = None,
    ) -> Appended:
        """Sign the review of a version in force: it stays, or a draft (policy, version) follows."""
        request = review_pb2.SignOffPolicyRequest(
            name=version_name(policy, version),
            as_of=pack.as_of,
            digest=pack.digest,
            reason=reason,
            follow_up="" if follow_up is None else version_name(*follow_up),
            scope=scope_message(scope),
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))
