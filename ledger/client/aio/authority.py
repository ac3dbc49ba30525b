"""Actors, roles, grants and tokens, for asyncio."""

from collections.abc import Sequence
from dataclasses import asdict

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.authority import (
    ActorChange,
    Administrator,
    ApprovedChange,
    AuthorityChange,
    AuthorityScope,
    CallerIdentity,
    ExplainedAuthority,
    IssuedToken,
    LedgerAuthority,
    LimitedActor,
)
from ledger.client.call import Call
from ledger.client.decode import one, whole
from ledger.client.inputs import (
    Time,
    administrator_message,
    authority_scope_message,
    id_of,
    identity_message,
    timestamp_of,
)
from ledger.client.records import Appended
from ledger.v1 import authority_service_pb2 as pb


class AsyncAuthorityCalls(AsyncServiceCalls):
    """Authority: actors and their identities, tokens, roles, grants, and the questions of them.

    A change that waits for a second administrator has `is_proposed`.
    """

    async def name_administrator(
        self, administrator: Administrator, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Name an administrator, as the operator of the machine on the server's Unix socket."""
        request = pb.NameAdministratorRequest(
            administrator=administrator_message(administrator), reason=reason
        )
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def register_actor(
        self, actor: str, person: str, *, meaning: str = "", request_id: str | None = None
    ) -> Appended:
        """Register an actor and the person behind it, by a pseudonym such as a staff number."""
        request = pb.RegisterActorRequest(actor=actor, person=person, meaning=meaning)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def bind_identity(
        self, actor: str, identity: CallerIdentity, reason: str, *, request_id: str | None = None
    ) -> ActorChange:
        """Bind an identity to an actor: a caller who presents it is that actor from here on."""
        request = pb.BindIdentityRequest(
            actor=actor, identity=identity_message(identity), reason=reason
        )
        return await self._connection.run(Call(request, whole(ActorChange), request_id))

    async def unbind_identity(
        self, identity: CallerIdentity, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Take an identity away from its actor, at once."""
        request = pb.UnbindIdentityRequest(identity=identity_message(identity), reason=reason)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def issue_token(
        self,
        actor: str,
        reason: str,
        *,
        expires_at: Time | None = None,
        request_id: str | None = None,
    ) -> IssuedToken:
        """Issue a token to a service; without `expires_at` it has no end.

        Its secret is in this answer alone. Where that was lost on the way and the call was tried
        again, `secret` is empty: revoke the token and issue another.
        """
        request = pb.IssueTokenRequest(
            actor=actor,
            expires_at=None if expires_at is None else timestamp_of(expires_at, "expires_at"),
            reason=reason,
        )
        return await self._connection.run(Call(request, whole(IssuedToken), request_id))

    async def revoke_token(
        self, token: str, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Revoke a token by its name, at once."""
        request = pb.RevokeTokenRequest(token=token, reason=reason)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def define_role(
        self, role: str, actions: Sequence[str], meaning: str, *, request_id: str | None = None
    ) -> AuthorityChange:
        """Define a role of the team's own, or define it otherwise."""
        request = pb.DefineRoleRequest(role=role, actions=actions, meaning=meaning)
        return await self._connection.run(Call(request, whole(AuthorityChange), request_id))

    async def grant_role(
        self,
        actor: str,
        role: str,
        reason: str,
        *,
        scope: AuthorityScope | None = None,
        expires_at: Time | None = None,
        request_id: str | None = None,
    ) -> ActorChange:
        """Grant a role: for the whole ledger unless a scope is given, until it is withdrawn."""
        request = pb.GrantRoleRequest(
            actor=actor,
            role=role,
            scope=authority_scope_message(scope),
            expires_at=None if expires_at is None else timestamp_of(expires_at, "expires_at"),
            reason=reason,
        )
        return await self._connection.run(Call(request, whole(ActorChange), request_id))

    async def withdraw_grant(
        self, grant: int, reason: str, *, request_id: str | None = None
    ) -> AuthorityChange:
        """Withdraw a grant by its position; at once, unless it is an administrator's."""
        request = pb.WithdrawGrantRequest(grant=grant, reason=reason)
        return await self._connection.run(Call(request, whole(AuthorityChange), request_id))

    async def set_limits(
        self, limits: LimitedActor, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Set the limits of an actor, in the place of all before; None for the server's own."""
        request = pb.SetLimitsRequest(**asdict(limits), reason=reason)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def approve_change(
        self, proposal: int, *, request_id: str | None = None
    ) -> ApprovedChange:
        """Approve, by its position, what another administrator proposed, and so carry it out."""
        request = pb.ApproveChangeRequest(proposal=proposal)
        return await self._connection.run(Call(request, whole(ApprovedChange), request_id))

    async def get_authority(
        self, *, as_of_position: int = 0, min_position: int = 0
    ) -> LedgerAuthority:
        """Return actors, identities, tokens, roles, grants and proposals; 0 for the head."""
        request = pb.GetAuthorityRequest(as_of_position=as_of_position, min_position=min_position)
        return await self._connection.run(Call(request, one(LedgerAuthority, "authority")))

    async def explain_authority(
        self,
        actor: str,
        action: str,
        *,
        model: str = "",
        signal: str = "",
        as_of_position: int = 0,
        min_position: int = 0,
    ) -> ExplainedAuthority:
        """Say whether an actor may do something, and by which grants; 0 for the head."""
        request = pb.ExplainAuthorityRequest(
            actor=actor,
            action=action,
            model=id_of("models", model),
            signal=id_of("signals", signal),
            as_of_position=as_of_position,
            min_position=min_position,
        )
        return await self._connection.run(Call(request, whole(ExplainedAuthority)))
