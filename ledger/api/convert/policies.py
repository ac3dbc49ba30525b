"""Policies: versions, activations, scopes and what the linter found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.api.checks import Checks
from ledger.api.convert.basics import message_of, timestamp
from ledger.api.convert.policy_answers import policy_answer
from ledger.application.documents.problems import Problem
from ledger.application.fleet.fleet import PlacedEvent, PolicyRecord
from ledger.application.policies.source_bounds import told_bounds
from ledger.application.policies.text import to_text
from ledger.events.canonical import encode
from ledger.events.policies import PolicyActivated, PolicyDrafted, ScopePart
from ledger.governance.answers import ActivationAnswer
from ledger.governance.lifecycle import ScopeKey
from ledger.governance.status import VersionStatus
from ledger.governance.steps import scope_part
from ledger.v1 import policy_pb2

_DIGEST_CHARS = 64


def scope_of(message: policy_pb2.PolicyScope, checks: Checks) -> ScopePart:
    """Return the scope a request states; the whole ledger if it states none."""
    which = message.WhichOneof("scope")
    if which == "model":
        model = checks.identifier("scope.model", message.model)
        checks.done()
        return ScopePart(kind="model", model=model, labels={})
    if which == "labels":
        labels = dict(message.labels.labels)
        checks.present("scope.labels.labels", labels)
        for key in labels:
            checks.identifier(f"scope.labels.labels[{key[:40]!r}]", key)
        checks.done()
        return ScopePart(kind="labels", model=None, labels=labels)
    return ScopePart(kind="ledger", model=None, labels={})


def stated_digest(digest: str, checks: Checks) -> str:
    """Return a digest, which is whole or empty."""
    if digest and len(digest) != _DIGEST_CHARS:
        checks.refuse("digest", "must be 64 hexadecimal digits, or empty")
    return digest


def scope(value: ScopePart) -> policy_pb2.PolicyScope:
    """Return a scope."""
    if value.kind == "model":
        return policy_pb2.PolicyScope(model=value.model or "")
    if value.kind == "labels":
        selector = policy_pb2.LabelSelector(labels=value.labels)
        return policy_pb2.PolicyScope(labels=selector)
    return policy_pb2.PolicyScope()


def problems(found: Iterable[Problem]) -> Iterator[policy_pb2.PolicyProblem]:
    """Yield what the linter found."""
    for problem in found:
        yield message_of(policy_pb2.PolicyProblem, problem)


def version(drafted: PolicyDrafted, placed: PlacedEvent) -> policy_pb2.PolicyVersion:
    """Return one version, with its document as stored and in human units."""
    return message_of(
        policy_pb2.PolicyVersion,
        drafted,
        name=f"policies/{drafted.policy}/versions/{drafted.version}",
        canonical_json=encode(drafted.document.model_dump(mode="json")).decode(),
        document=to_text(drafted.document),
        author=placed.actor,
        drafted_at=timestamp(placed.recorded_at),
        position=placed.position,
        title=drafted.document.title,
        bounds=told_bounds(drafted.document),
    )


@dataclass(frozen=True, slots=True)
class ActivationFlags:
    """The positions of activations that nothing has replaced, and of those what is to be done."""

    in_force: frozenset[int]
    unratified: frozenset[int]
    """Those that wait for ratification."""
    overdue: frozenset[int]
    """Those whose review is overdue."""
    answers: Mapping[int, ActivationAnswer]
    """By position, the persons who answer for each."""


def policy(view: PolicyRecord, flags: ActivationFlags) -> policy_pb2.Policy:
    """Return a policy with all its activations."""
    known = view.policy
    newest = known.drafts[-1]
    return policy_pb2.Policy(
        name=f"policies/{view.name}",
        policy=view.name,
        title=newest.document.title if newest is not None else "",  # erased
        newest_version=len(known.drafts),
        activations=[
            _activation(activated, placed, flags)
            for activated, placed in zip(known.activations, view.activated, strict=True)
        ],
    )


def status(found: VersionStatus) -> policy_pb2.PolicyStatus:
    """Return the state of a version."""
    return policy_pb2.PolicyStatus(
        policy=found.policy,
        version=found.version,
        state=found.state,
        author=found.author,
        digest=found.digest,
        scope=_of_key(found.scope),
        submission=0 if found.submission is None else found.submission.position,
        needs=[
            message_of(
                policy_pb2.ApprovalNeed,
                one,
                policy=one.requirement.policy,
                version=one.requirement.version,
            )
            for one in found.roles
        ],
        approvals=[
            message_of(policy_pb2.PolicyApproval, one.approval, fault=one.fault)
            for one in found.approvals
        ],
        in_force=[_of_key(one) for one in found.in_force],
        overlaps=[
            message_of(policy_pb2.ScopeOverlap, one, scope=_of_key(one.scope))
            for one in found.overlaps
        ],
        reviews=[
            message_of(policy_pb2.PolicyReviewTurn, one, scope=_of_key(one.scope))
            for one in found.reviews
        ],
    )


def _of_key(key: ScopeKey) -> policy_pb2.PolicyScope:
    return scope(scope_part(key))


def positions_in_force(views: Iterable[PolicyRecord]) -> frozenset[int]:
    """Return where the activations in force stand: the latest for each scope, of any policy."""
    newest: dict[tuple[str, str | None, tuple[tuple[str, str], ...]], int] = {}
    for view in views:
        for activated, placed in zip(view.policy.activations, view.activated, strict=True):
            key = (
                activated.scope.kind,
                activated.scope.model,
                tuple(sorted(activated.scope.labels.items())),
            )
            newest[key] = max(newest.get(key, 0), placed.position)
    return frozenset(newest.values())


def _activation(
    activated: PolicyActivated, placed: PlacedEvent, flags: ActivationFlags
) -> policy_pb2.PolicyActivation:
    answer = flags.answers.get(placed.position)
    return message_of(
        policy_pb2.PolicyActivation,
        activated,
        scope=scope(activated.scope),
        actor=placed.actor,
        activated_at=timestamp(placed.recorded_at),
        position=placed.position,
        in_force=placed.position in flags.in_force,
        unratified=placed.position in flags.unratified,
        review_overdue=placed.position in flags.overdue,
        answer=None if answer is None else policy_answer(answer),
        shadow=placed.cause or 0,
    )
