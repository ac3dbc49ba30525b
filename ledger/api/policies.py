"""PolicyService: the rules in force and every version of them."""

import grpc

from ledger.api.calls import call_of
from ledger.api.checks import Checks
from ledger.api.convert.basics import appended
from ledger.api.convert.policies import (
    PolicyMoment,
    policy,
    problems,
    scope_of,
    stated_digest,
    status,
    version,
)
from ledger.api.convert.shadows import comparison, shadow
from ledger.api.convert.trials import changes, source_of, span_of, trial
from ledger.api.moments import check_moment, position_asked
from ledger.api.paging import cut, page_of
from ledger.api.policy_reviews import ReviewCalls
from ledger.application.commands import Caller
from ledger.application.ledger import LedgerApplication
from ledger.application.policies.diff import policy_changes
from ledger.application.policies.source_bounds import told_bounds
from ledger.application.policies.steps import ChosenVersion
from ledger.events.canonical import encode
from ledger.governance.answers import answers_in_force
from ledger.v1 import policy_pb2, policy_service_pb2_grpc, shadow_pb2, trial_pb2
from ledger.v1 import policy_service_pb2 as pb

_MODELS_MAX = 1_000
_Step = (
    pb.WithdrawApprovalRequest
    | pb.RejectPolicyRequest
    | pb.RetirePolicyRequest
    | pb.WithdrawScheduleRequest
)


class PolicyServicer(ReviewCalls, policy_service_pb2_grpc.PolicyServiceServicer):
    """Serves PolicyService."""

    def LintPolicy(
        self, request: pb.LintPolicyRequest, context: grpc.ServicerContext
    ) -> pb.LintPolicyResponse:
        """Check a document and write nothing."""
        checks = Checks()
        checks.document("document", request.document)
        checks.done()
        ledger = self._server.backend.ledger(request.ledger)
        result = ledger.definitions.lint(request.document)
        response = pb.LintPolicyResponse(
            valid=result.document is not None, problems=problems(result.problems)
        )
        if result.document is not None:
            response.digest = result.digest or ""
            response.bounds.extend(told_bounds(result.document))
            response.canonical_json = encode(result.document.model_dump(mode="json")).decode()
        return response

    def DraftPolicy(
        self, request: pb.DraftPolicyRequest, context: grpc.ServicerContext
    ) -> pb.DraftPolicyResponse:
        """Record the next version."""
        checks = Checks()
        name = checks.name("name", request.name, "policies")
        checks.document("document", request.document)
        rationale = checks.text("rationale", request.rationale)
        ledger, caller = self._server.append(request, context, checks)
        drafted = ledger.commands.draft_policy(
            caller, name, request.document, rationale, strict=request.strict
        )
        return pb.DraftPolicyResponse(
            appended=appended(drafted.written),
            version=_version(ledger, name, drafted.version),
            warnings=problems(drafted.lint.problems),
        )

    def ActivatePolicy(
        self, request: pb.ActivatePolicyRequest, context: grpc.ServicerContext
    ) -> pb.ActivatePolicyResponse:
        """Bring a version into force."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        rationale = checks.text("rationale", request.rationale)
        digest = stated_digest(request.digest, checks)
        scope = scope_of(request.scope, checks)
        at = None
        if request.HasField("effective_time"):
            at = checks.time("effective_time", request.effective_time, given=True)
        shadow = checks.position("shadow", request.shadow)
        ledger, caller = self._server.append(request, context, checks)
        commands, wanted = ledger.commands, (name, number, digest, scope, rationale)
        promoted = ledger.shadowing.promoted(shadow, name, number, scope)
        if at is None:
            written = commands.activate_policy(caller, *wanted, promoted)
        else:
            written = commands.schedule_policy(caller, *wanted, at, shadow=promoted)
        return pb.ActivatePolicyResponse(appended=appended(written))

    def ActivateInEmergency(
        self, request: pb.ActivateInEmergencyRequest, context: grpc.ServicerContext
    ) -> pb.ActivateInEmergencyResponse:
        """Bring a version into force, to be ratified."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        reason = checks.text("reason", request.reason)
        digest = stated_digest(request.digest, checks)
        scope = scope_of(request.scope, checks)
        ledger, caller = self._server.append(request, context, checks)
        commands = ledger.commands
        written = commands.activate_in_emergency(caller, name, number, digest, scope, reason)
        return pb.ActivateInEmergencyResponse(appended=appended(written))

    def RatifyPolicy(
        self, request: pb.RatifyPolicyRequest, context: grpc.ServicerContext
    ) -> pb.RatifyPolicyResponse:
        """Ratify what came into force in an emergency."""
        checks = Checks()
        chosen = ChosenVersion(*checks.version_name("name", request.name))
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.policy_steps.ratify(caller, chosen)
        return pb.RatifyPolicyResponse(appended=appended(written))

    def WithdrawSchedule(
        self, request: pb.WithdrawScheduleRequest, context: grpc.ServicerContext
    ) -> pb.WithdrawScheduleResponse:
        """Withdraw the time of an activation."""
        ledger, caller, chosen = self._step(request, context)
        written = ledger.policy_steps.withdraw_schedule(caller, chosen, request.reason)
        return pb.WithdrawScheduleResponse(appended=appended(written))

    def RollBackPolicy(
        self, request: pb.RollBackPolicyRequest, context: grpc.ServicerContext
    ) -> pb.RollBackPolicyResponse:
        """Put a version back in force."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        reason = checks.text("reason", request.reason)
        digest = stated_digest(request.digest, checks)
        scope = scope_of(request.scope, checks)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.commands.roll_back_policy(caller, name, number, digest, scope, reason)
        return pb.RollBackPolicyResponse(appended=appended(written))

    def SubmitPolicy(
        self, request: pb.SubmitPolicyRequest, context: grpc.ServicerContext
    ) -> pb.SubmitPolicyResponse:
        """Submit a version for approval."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        rationale = checks.text("rationale", request.rationale)
        chosen = ChosenVersion(name, number, stated_digest(request.digest, checks))
        scope = scope_of(request.scope, checks)
        shadow = checks.position("shadow", request.shadow)
        ledger, caller = self._server.append(request, context, checks)
        cause = ledger.shadowing.promoted(shadow, name, number, scope)
        written = ledger.policy_steps.submit(caller, chosen, scope, rationale, cause)
        return pb.SubmitPolicyResponse(appended=appended(written))

    def ApprovePolicy(
        self, request: pb.ApprovePolicyRequest, context: grpc.ServicerContext
    ) -> pb.ApprovePolicyResponse:
        """Approve a version as it was submitted."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        if checks.present("digest", request.digest):
            stated_digest(request.digest, checks)
        checks.identifier("role", request.role, optional=True)
        if request.comment:
            checks.text("comment", request.comment)
        checks.position("submission", request.submission)
        ledger, caller = self._server.append(request, context, checks)
        chosen = ChosenVersion(name, number, request.digest)
        written = ledger.policy_steps.approve(
            caller, chosen, request.role, request.comment, request.submission
        )
        return pb.ApprovePolicyResponse(appended=appended(written))

    def WithdrawApproval(
        self, request: pb.WithdrawApprovalRequest, context: grpc.ServicerContext
    ) -> pb.WithdrawApprovalResponse:
        """Take the caller's approval back."""
        ledger, caller, chosen = self._step(request, context)
        written = ledger.policy_steps.withdraw(caller, chosen, request.reason)
        return pb.WithdrawApprovalResponse(appended=appended(written))

    def RejectPolicy(
        self, request: pb.RejectPolicyRequest, context: grpc.ServicerContext
    ) -> pb.RejectPolicyResponse:
        """Reject a version."""
        ledger, caller, chosen = self._step(request, context)
        written = ledger.policy_steps.reject(caller, chosen, request.reason, request.submission)
        return pb.RejectPolicyResponse(appended=appended(written))

    def RetirePolicy(
        self, request: pb.RetirePolicyRequest, context: grpc.ServicerContext
    ) -> pb.RetirePolicyResponse:
        """Retire a version."""
        ledger, caller, chosen = self._step(request, context)
        written = ledger.policy_steps.retire(caller, chosen, request.reason)
        return pb.RetirePolicyResponse(appended=appended(written))

    def _step(
        self, request: _Step, context: grpc.ServicerContext
    ) -> tuple[LedgerApplication, Caller, ChosenVersion]:
        """Return ledger, caller and version of a step that has a reason."""
        checks = Checks()
        chosen = ChosenVersion(*checks.version_name("name", request.name))
        checks.text("reason", request.reason)
        return *self._server.append(request, context, checks), chosen

    def GetPolicyStatus(
        self, request: pb.GetPolicyStatusRequest, context: grpc.ServicerContext
    ) -> pb.GetPolicyStatusResponse:
        """Return the state of a version, now or as of a position."""
        checks = Checks()
        name, number = checks.version_name("name", request.name, version_optional=True)
        check_moment(request, checks)
        scope = scope_of(request.scope, checks)
        ledger = self._server.read(request, context, checks)
        found = ledger.governance.status(name, number, scope, position_asked(request, ledger))
        return pb.GetPolicyStatusResponse(status=status(found))

    def GetPolicy(
        self, request: pb.GetPolicyRequest, context: grpc.ServicerContext
    ) -> pb.GetPolicyResponse:
        """Return one version and where the policy is in force, now or at an earlier moment."""
        checks = Checks()
        name, number = checks.version_name("name", request.name, version_optional=True)
        check_moment(request, checks)
        ledger = self._server.read(request, context, checks)
        moment = _moment(request, ledger)
        shown = _version(ledger, name, number, moment)
        view = ledger.fleet.policy(name)
        assert view is not None, "a policy with a version is known"
        return pb.GetPolicyResponse(policy=policy(view, moment), version=shown)

    def ListPolicies(
        self, request: pb.ListPoliciesRequest, context: grpc.ServicerContext
    ) -> pb.ListPoliciesResponse:
        """List policies by id, now or at an earlier moment."""
        page, checks = page_of(request), Checks()
        check_moment(request, checks)
        ledger = self._server.read(request, context, checks)
        moment = _moment(request, ledger)
        every = [view for view in ledger.fleet.policies() if moment.versions(view)]
        views, token = cut(page, every, lambda view: view.name)
        return pb.ListPoliciesResponse(
            policies=[policy(view, moment) for view in views], next_page_token=token
        )

    def DiffPolicy(
        self, request: trial_pb2.DiffPolicyRequest, context: grpc.ServicerContext
    ) -> trial_pb2.DiffPolicyResponse:
        """Say what two policies differ in."""
        checks = Checks()
        before = source_of("before", request.before, checks)
        after = source_of("after", request.after, checks)
        ledger = self._server.read(request, context, checks)
        old, new = (ledger.chosen_policies.chosen(each) for each in (before, after))
        return trial_pb2.DiffPolicyResponse(
            before_digest=old.digest,
            after_digest=new.digest,
            changes=changes(policy_changes(old.document, new.document)),
        )

    def TryPolicy(
        self, request: trial_pb2.TryPolicyRequest, context: grpc.ServicerContext
    ) -> trial_pb2.TryPolicyResponse:
        """Try a policy on the history."""
        checks = Checks()
        policy = source_of("policy", request.policy, checks)
        against = (
            source_of("against", request.against, checks) if request.HasField("against") else None
        )
        models = checks.at_most("models", request.models, _MODELS_MAX)
        for index, model in enumerate(models):
            checks.identifier(f"models[{index}]", model)
        span = span_of(request, checks)
        ledger = self._server.read(request, context, checks)
        chosen = ledger.chosen_policies.chosen
        report = ledger.trials.report(
            chosen(policy),
            None if against is None else chosen(against),
            models,
            span,
            lambda: call_of(context).seconds_left != 0,
        )
        return trial(report)

    def ShadowPolicy(
        self, request: shadow_pb2.ShadowPolicyRequest, context: grpc.ServicerContext
    ) -> shadow_pb2.ShadowPolicyResponse:
        """Have a version run in shadow."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        rationale = checks.text("rationale", request.rationale)
        digest = stated_digest(request.digest, checks)
        checks.present("seconds", request.seconds)
        scope = scope_of(request.scope, checks)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.shadowing.begin(
            caller, name, number, digest, scope, request.seconds, rationale
        )
        return shadow_pb2.ShadowPolicyResponse(appended=appended(written))

    def EndShadow(
        self, request: shadow_pb2.EndShadowRequest, context: grpc.ServicerContext
    ) -> shadow_pb2.EndShadowResponse:
        """End a shadow."""
        checks = Checks()
        position = checks.position("shadow", request.shadow, optional=False)
        reason = checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        return shadow_pb2.EndShadowResponse(
            appended=appended(ledger.shadowing.end(caller, position, reason))
        )

    def ListShadows(
        self, request: shadow_pb2.ListShadowsRequest, context: grpc.ServicerContext
    ) -> shadow_pb2.ListShadowsResponse:
        """List the shadows by position."""
        page = page_of(request)
        every = self._server.read(request, context).shadowing.every()
        shown, token = cut(page, every, lambda one: f"{one.position:016d}")
        return shadow_pb2.ListShadowsResponse(
            shadows=[shadow(one) for one in shown], next_page_token=token
        )

    def CompareShadow(
        self, request: shadow_pb2.CompareShadowRequest, context: grpc.ServicerContext
    ) -> shadow_pb2.CompareShadowResponse:
        """Compare a shadow with what was decided."""
        checks = Checks()
        position = checks.position("shadow", request.shadow, optional=False)
        as_of = checks.position("as_of", request.as_of)
        ledger = self._server.read(request, context, checks)
        listed = ledger.shadowing.named(position)
        return comparison(listed, ledger.shadow_comparisons.compare(position, as_of or None))


def _moment(
    request: pb.GetPolicyRequest | pb.ListPoliciesRequest, ledger: LedgerApplication
) -> PolicyMoment:
    """Return the moment that a request asks for; what is known of the fleet is as new."""
    position = position_asked(request, ledger)
    ledger.fleet.refresh()
    life = ledger.governance.as_of(position)
    return PolicyMoment(position, life, answers_in_force(life))


def _version(
    ledger: LedgerApplication, name: str, number: int, moment: PolicyMoment | None = None
) -> policy_pb2.PolicyVersion:
    """Return a version, the newest for 0; POLICY_UNKNOWN where there is none by then."""
    view = ledger.fleet.policy(name)
    known = 0 if view is None else len(view.drafted) if moment is None else moment.versions(view)
    if view is None or not known:
        raise ledger.fleet.policy_unknown(name)
    chosen = number or known
    if not 1 <= chosen <= known:
        raise ledger.fleet.policy_unknown(name, number)
    drafted, placed = view.policy.drafts[chosen - 1], view.drafted[chosen - 1]
    if drafted is None:
        raise ledger.histories.erasures.refusal(placed.position)
    return version(drafted, placed)
