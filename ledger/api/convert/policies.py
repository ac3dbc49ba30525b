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
from ledger.governance.lifecycle import LifecycleState, Schedule, ScopeKey
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
class PolicyMoment:
    """The moment that policies are shown as of: a position, None for now, and their life by it."""

    position: int | None
    life: LifecycleState
    answers: Mapping[int, ActivationAnswer]
    """By position, the persons who answer for each activation in force."""

    def versions(self, view: PolicyRecord) -> int:
        """Return how many versions of a policy were drafted by then."""
        return sum(self.has(placed) for placed in view.drafted)

    def has(self, placed: PlacedEvent) -> bool:
        """Whether an event was there by then."""
        return self.position is None or placed.position <= self.position


def policy(view: PolicyRecord, moment: PolicyMoment) -> policy_pb2.Policy:
    """Return a policy with all its activations, and the times that are set for others."""
    known, versions = view.policy, moment.versions(view)
    newest = known.drafts[versions - 1]
    return policy_pb2.Policy(
        name=f"policies/{view.name}",
        policy=view.name,
        title=newest.document.title if newest is not None else "",  # erased
        newest_version=versions,
        activations=[
            _activation(activated, placed, moment)
            for activated, placed in zip(known.activations, view.activated, strict=True)
            if moment.has(placed)
        ],
        schedules=[
            _schedule(one) for one in moment.life.schedules.values() if one.policy == view.name
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
        schedules=[_schedule(one) for one in found.schedules],
    )


def _of_key(key: ScopeKey) -> policy_pb2.PolicyScope:
    return scope(scope_part(key))


def _activation(
    activated: PolicyActivated, placed: PlacedEvent, moment: PolicyMoment
) -> policy_pb2.PolicyActivation:
    at, life = placed.position, moment.life
    answer = moment.answers.get(at)
    return message_of(
        policy_pb2.PolicyActivation,
        activated,
        scope=scope(activated.scope),
        actor=placed.actor,
        activated_at=timestamp(placed.recorded_at),
        position=at,
        in_force=any(one.position == at for one in life.in_force.values()),
        unratified=any(one.position == at for one in life.waiting()),
        review_overdue=any(one.activation.position == at for one in life.turns.values() if one.due),
        answer=None if answer is None else policy_answer(answer),
        shadow=placed.cause or 0,
    )


def _schedule(one: Schedule) -> policy_pb2.PolicySchedule:
    return message_of(
        policy_pb2.PolicySchedule,
        one,
        scope=_of_key(one.scope),
        effective_time=timestamp(one.effective_at),
    )
