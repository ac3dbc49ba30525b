# Generated from ledger/client/aio/policies.py by `tools/dev.py proto`; do not edit.
"""Policies, their versions and where they are in force, for threads."""

from collections.abc import Iterator

from ledger.client.blocking.service import ServiceCalls
from ledger.client.calls import policies as calls
from ledger.client.records import (
    Appended,
    DraftedPolicy,
    Policy,
    PolicyLint,
    PolicyScope,
    PolicyView,
)


class PolicyCalls(ServiceCalls):
    """The rules in force, every version of them."""

    def lint_policy(self, document: str) -> PolicyLint:
        """Check a document as drafting would; problems are the answer, not an error."""
        return self._connection.run(calls.lint_policy(self._scope, document))

    def draft_policy(
        self, policy: str, document: str, rationale: str, *, request_id: str | None = None
    ) -> DraftedPolicy:
        """Record the next version of a policy; it is in force nowhere until it is activated."""
        scope = self._append_scope(request_id)
        return self._connection.run(calls.draft_policy(scope, policy, document, rationale))

    def activate_policy(
        self,
        policy: str,
        version: int,
        rationale: str,
        *,
        scope: PolicyScope | None = None,
        digest: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Bring a version into force for a scope, or without one for the whole ledger."""
        made = self._append_scope(request_id)
        call = calls.activate_policy(made, policy, version, rationale, for_=scope, digest=digest)
        return self._connection.run(call)

    def get_policy(self, policy: str, version: int = 0, *, min_position: int = 0) -> PolicyView:
        """Return a version of a policy, the newest if none is named, and its activations."""
        return self._connection.run(calls.get_policy(self._scope, policy, version, min_position))

    def list_policies(self, *, min_position: int = 0) -> Iterator[Policy]:
        """Iterate over policies by id."""
        return self._connection.items(calls.list_policies(self._scope, min_position))
