"""Policies, their versions and where they are in force, for asyncio."""

from collections.abc import AsyncIterator

from ledger.client.aio.service import AsyncServiceCalls
from ledger.client.calls import policies as calls
from ledger.client.records import (
    Appended,
    DraftedPolicy,
    Policy,
    PolicyLint,
    PolicyScope,
    PolicyView,
)


class AsyncPolicyCalls(AsyncServiceCalls):
    """The rules in force, every version of them."""

    async def lint_policy(self, document: str) -> PolicyLint:
        """Check a document as drafting would; problems are the answer, not an error."""
        return await self._connection.run(calls.lint_policy(self._scope, document))

    async def draft_policy(
        self, policy: str, document: str, rationale: str, *, request_id: str | None = None
    ) -> DraftedPolicy:
        """Record the next version of a policy; it is in force nowhere until it is activated."""
        scope = self._append_scope(request_id)
        return await self._connection.run(calls.draft_policy(scope, policy, document, rationale))

    async def activate_policy(
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
        return await self._connection.run(call)

    async def get_policy(
        self, policy: str, version: int = 0, *, min_position: int = 0
    ) -> PolicyView:
        """Return a version of a policy, the newest if none is named, and its activations."""
        return await self._connection.run(
            calls.get_policy(self._scope, policy, version, min_position)
        )

    def list_policies(self, *, min_position: int = 0) -> AsyncIterator[Policy]:
        """Iterate over policies by id."""
        return self._connection.items(calls.list_policies(self._scope, min_position))
