"""The calls of PolicyService about the review of a policy in force."""

import grpc

from ledger.api.calls import call_of
from ledger.api.checks import Checks
from ledger.api.convert.basics import appended
from ledger.api.convert.policies import scope_of, stated_digest
from ledger.api.convert.reviews import period_of, review_pack
from ledger.api.server_context import Servicer
from ledger.application.policies.reviews import SignOff
from ledger.governance.lifecycle import scope_key
from ledger.v1 import review_pb2


class ReviewCalls(Servicer):
    """Serves what is about reviews."""

    def GetReviewPack(
        self, request: review_pb2.GetReviewPackRequest, context: grpc.ServicerContext
    ) -> review_pb2.GetReviewPackResponse:
        """Make the review pack of a version in force."""
        checks = Checks()
        named = checks.version_name("name", request.name, version_optional=True)
        period = period_of(request, checks)
        scope = scope_of(request.scope, checks)
        ledger = self._server.read(request, context, checks)
        made = ledger.reviews.packs.pack(
            named,
            scope_key(scope.model_dump()),
            period,
            lambda: call_of(context).seconds_left != 0,
        )
        return review_pb2.GetReviewPackResponse(pack=review_pack(made))

    def SignOffPolicy(
        self, request: review_pb2.SignOffPolicyRequest, context: grpc.ServicerContext
    ) -> review_pb2.SignOffPolicyResponse:
        """Sign the review of a version in force."""
        checks = Checks()
        name, number = checks.version_name("name", request.name)
        as_of = checks.position("as_of", request.as_of, optional=False)
        if checks.present("digest", request.digest):
            stated_digest(request.digest, checks)
        reason = checks.text("reason", request.reason)
        follow_up = None
        if request.follow_up:
            follow_up = checks.version_name("follow_up", request.follow_up)
        scope = scope_key(scope_of(request.scope, checks).model_dump())
        ledger, caller = self._server.append(request, context, checks)
        wanted = SignOff(name, number, scope, as_of, request.digest, reason, follow_up)
        written = ledger.reviews.sign_off(caller, wanted)
        return review_pb2.SignOffPolicyResponse(appended=appended(written))
