"""The activation that a person asks for, and the events that it can become."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.events.policies import Basis, PolicyActivatedV1, PolicyActivatedV2, ScopePart
from ledger.events.values import format_time
from ledger.governance.lifecycle import LifecycleState, ScopeKey, scope_key


@dataclass(frozen=True, slots=True)
class ActivationSpec:
    """The statement of a person: a version by its digest, its scope, and why."""

    policy: str
    version: int
    digest: str
    scope: ScopePart
    rationale: str
    shadow: int | None = None
    """The shadow that it starts from."""

    @property
    def named(self) -> tuple[str, int]:
        """The version as one looks it up."""
        return self.policy, self.version

    @property
    def key(self) -> ScopeKey:
        """The scope as the fold has it."""
        return scope_key(self.scope.model_dump())

    def direct(self) -> PolicyActivatedV1:
        """Return its activation where no governance asks for anything."""
        return PolicyActivatedV1(
            policy=self.policy,
            version=self.version,
            digest=self.digest,
            scope=self.scope,
            rationale=self.rationale,
        )

    def governed(
        self,
        state: LifecycleState,
        basis: Basis,
        approvals: Sequence[int] = (),
        *,
        scheduled: int | None = None,
        ratify_until: int | None = None,
    ) -> PolicyActivatedV2:
        """Return its activation in place of what is in force for its very scope."""
        current = state.in_force.get(self.key)
        return PolicyActivatedV2(
            policy=self.policy,
            version=self.version,
            digest=self.digest,
            scope=self.scope,
            rationale=self.rationale,
            basis=basis,
            approvals=list(approvals),
            replaces=None if current is None else current.position,
            scheduled=scheduled,
            ratify_until=None if ratify_until is None else format_time(ratify_until),
        )
