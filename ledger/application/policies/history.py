"""Policies as of any position of one ledger: which is in force for whom, and its drafted versions.

An erased activation names no policy and no scope any more, so nothing is in force by it; an erased
draft leaves its version without a document, so requests that need it are refused.
"""

from typing import Final

from ledger.application.commands import policy_stream
from ledger.application.erasure import Erasures
from ledger.application.policies.compiled import CompiledPolicy, PolicyCache, is_version_of
from ledger.application.policies.text import digest as policy_digest
from ledger.errors import LedgerError, Reason, event_unreadable
from ledger.events.decisions import DecisionResult
from ledger.events.envelope import RecordedEvent
from ledger.events.models import ModelDescribed
from ledger.events.policies import (
    ACTIVATED_TYPES,
    DRAFTED_TYPES,
    PolicyActivated,
    PolicyDrafted,
    PolicyDraftedV3,
)
from ledger.events.policy_document import PolicyDocument, PolicyDocumentV3
from ledger.events.registry import typed
from ledger.governance.cases import asks
from ledger.governance.shadows import Shadow, came_into_force
from ledger.storage.events import Events

_SPECIFICITY: Final = {"ledger": 0, "labels": 1, "model": 2}


class PolicyHistory:
    """Reads the policies of one ledger."""

    def __init__(self, events: Events, ledger: str, cache: PolicyCache) -> None:
        self.erasures = Erasures(events, ledger)
        self._events = events
        self._ledger = ledger
        self._cache = cache

    def policy_in_force(self, described: ModelDescribed, as_of: int) -> CompiledPolicy | None:
        """Return the policy for a model at a position: the most specific scope, then the latest."""
        found = self.activation_for(described, as_of)
        if found is None:
            return None
        return self.compiled(found[1].policy, found[1].version, found[1].digest)

    def activation_for(
        self, described: ModelDescribed, as_of: int
    ) -> tuple[RecordedEvent, PolicyActivated] | None:
        """Return the activation by which a policy is in force for a model at a position."""
        in_scope = (
            (event, activated)
            for event, activated in self._activations(as_of)
            if is_in_scope(activated, described)
        )
        return max(
            in_scope,
            key=lambda found: (_SPECIFICITY[found[1].scope.kind], found[0].position),
            default=None,
        )

    def fleet_policy(self, policy: str, as_of: int) -> CompiledPolicy | None:
        """Return the version of a named policy that came into force last, and still is.

        A `policy` of "" means the one in force for the whole ledger.
        """
        chosen: PolicyActivated | None = None
        for activated in self.activations_in_force(as_of):
            if activated.policy == policy if policy else activated.scope.kind == "ledger":
                chosen = activated
        return self.compiled(chosen.policy, chosen.version, chosen.digest) if chosen else None

    def asks_first(self, policy: CompiledPolicy, prior: DecisionResult) -> bool:
        """Whether a policy asks people for what is in force by one that has no governance.

        The type of a draft says whether it has, also where its document is erased.
        """
        is_governed = isinstance(policy.document, PolicyDocumentV3)
        if not is_governed or not asks(prior.action, prior.tier):
            return False
        drafts = self._events.of_types(
            self._ledger,
            DRAFTED_TYPES,
            stream=policy_stream(prior.policy),
            limit=prior.policy_version,
        )
        return len(drafts) < prior.policy_version or drafts[-1].type != PolicyDraftedV3.TYPE

    def scopes(self, policy: CompiledPolicy, as_of: int) -> list[PolicyActivated]:
        """Return the activations by which a policy version is in force at a position."""
        return [
            activated
            for activated in self.activations_in_force(as_of)
            if is_version_of(activated, policy)
        ]

    def activation_of(self, shadow: Shadow) -> int | None:
        """Return where a shadow's version came into force for its very scope; None if nowhere."""
        found = self._events.of_types(self._ledger, ACTIVATED_TYPES, after=shadow.position)
        for event in found:
            if event.body_bytes is not None and came_into_force(shadow, event.data):
                return event.position
        return None

    def activations_in_force(self, as_of: int) -> list[PolicyActivated]:
        """Return the latest activation of each scope, in order of position."""
        latest: dict[tuple[str, str | None, tuple[tuple[str, str], ...]], PolicyActivated] = {}
        for _, activated in self._activations(as_of):
            scope = activated.scope
            key = (scope.kind, scope.model, tuple(sorted(scope.labels.items())))
            latest.pop(key, None)  # so that the order is that of the activations that count
            latest[key] = activated
        return list(latest.values())

    def _activations(self, as_of: int) -> list[tuple[RecordedEvent, PolicyActivated]]:
        events = self._events.of_types(self._ledger, ACTIVATED_TYPES, at_or_before=as_of)
        return [
            (event, typed(event, PolicyActivated))
            for event in events
            if not self.erasures.passes_over(event, as_of)
        ]

    def compiled(self, policy: str, version: int, digest: str) -> CompiledPolicy:
        """Return a drafted version ready for use; POLICY_UNKNOWN where it was never drafted.

        BODY_ERASED where its document was erased.
        """
        return self._cache.get(
            policy, version, digest, lambda: self.draft(policy, version, digest)[1]
        )

    def draft(self, policy: str, version: int, digest: str) -> tuple[int, PolicyDocument]:
        """Return where a version was drafted, and its document.

        POLICY_UNKNOWN where it was never drafted, BODY_ERASED where its document was erased.
        """
        drafts = self._events.of_types(self._ledger, DRAFTED_TYPES, stream=policy_stream(policy))
        for number, event in enumerate(drafts, start=1):
            if event.body_bytes is None:
                if number == version:  # versions count the drafts of their policy
                    raise self.erasures.refusal(event.position)
                continue
            drafted = typed(event, PolicyDrafted)
            if drafted.version == version and drafted.digest == digest:
                if policy_digest(drafted.document) != digest:
                    raise event_unreadable(event.position, "its digest is not its document's")
                return event.position, drafted.document
        raise LedgerError(
            Reason.POLICY_UNKNOWN,
            f"Policy {policy} has no version {version} with digest {digest[:12]}….",
            remedy="List the policy's versions.",
            metadata={"policy": policy, "version": str(version), "digest": digest},
        )


def is_in_scope(activated: PolicyActivated, described: ModelDescribed) -> bool:
    """Whether an activation is for a model."""
    scope = activated.scope
    if scope.kind == "model":
        return scope.model == described.model
    if scope.kind == "labels":
        return all(described.labels.get(key) == value for key, value in scope.labels.items())
    return True


def may_be_in_scope(activated: PolicyActivated, model: str) -> bool:
    """Whether an activation can be for a model of which only the name is known."""
    return activated.scope.kind != "model" or activated.scope.model == model
