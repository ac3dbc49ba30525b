"""Calls of PolicyService."""

from typing import Final

from ledger.client.call import Call, CallScope, Paged
from ledger.client.calls.pages import appended, page, whole
from ledger.client.inputs import id_of, in_collection
from ledger.client.records import (
    Appended,
    DraftedPolicy,
    Policy,
    PolicyLint,
    PolicyScope,
    PolicyView,
)
from ledger.v1 import policy_pb2, policy_service_pb2

_SERVICE: Final = "/ledger.v1.PolicyService/"


def lint_policy(scope: CallScope, document: str) -> Call[PolicyLint]:
    """Return the call that checks a document and writes nothing."""
    return Call(
        _SERVICE + "LintPolicy",
        policy_service_pb2.LintPolicyRequest(ledger=scope.ledger, document=document),
        policy_service_pb2.LintPolicyResponse,
        whole(PolicyLint),
    )


def draft_policy(
    scope: CallScope, policy: str, document: str, rationale: str
) -> Call[DraftedPolicy]:
    """Return the call that records the next version of a policy."""
    return Call(
        _SERVICE + "DraftPolicy",
        policy_service_pb2.DraftPolicyRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            name=in_collection("policies", policy),
            document=document,
            rationale=rationale,
        ),
        policy_service_pb2.DraftPolicyResponse,
        whole(DraftedPolicy),
        scope.request_id,
    )


def activate_policy(
    scope: CallScope,
    policy: str,
    version: int,
    rationale: str,
    *,
    for_: PolicyScope | None,
    digest: str,
) -> Call[Appended]:
    """Return the call that brings a version into force for a scope."""
    return Call(
        _SERVICE + "ActivatePolicy",
        policy_service_pb2.ActivatePolicyRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            name=_version_name(policy, version),
            rationale=rationale,
            scope=_scope(for_),
            digest=digest,
        ),
        policy_service_pb2.ActivatePolicyResponse,
        appended,
        scope.request_id,
    )


def get_policy(scope: CallScope, policy: str, version: int, min_position: int) -> Call[PolicyView]:
    """Return the call that reads a version of a policy; 0 for the newest."""
    name = _version_name(policy, version) if version else in_collection("policies", policy)
    return Call(
        _SERVICE + "GetPolicy",
        policy_service_pb2.GetPolicyRequest(
            ledger=scope.ledger, name=name, min_position=min_position
        ),
        policy_service_pb2.GetPolicyResponse,
        whole(PolicyView),
    )


def list_policies(scope: CallScope, min_position: int) -> Paged[Policy]:
    """Return the call that lists policies."""
    return Paged(
        Call(
            _SERVICE + "ListPolicies",
            policy_service_pb2.ListPoliciesRequest(ledger=scope.ledger, min_position=min_position),
            policy_service_pb2.ListPoliciesResponse,
            page(Policy, "policies"),
        )
    )


def _version_name(policy: str, version: int) -> str:
    return f"policies/{id_of('policies', policy)}/versions/{version}"


def _scope(scope: PolicyScope | None) -> policy_pb2.PolicyScope | None:
    if scope is None or not (scope.model or scope.labels):
        return None
    if scope.model:
        return policy_pb2.PolicyScope(model=id_of("models", scope.model))
    labels = policy_pb2.LabelSelector(labels=dict(scope.labels))
    return policy_pb2.PolicyScope(labels=labels)
