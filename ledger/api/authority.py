"""AuthorityService: actors, identities, tokens, roles and grants, and what they come to."""

from dataclasses import fields
from typing import Any, Final, TypeVar

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import authority as convert
from ledger.api.convert.basics import appended
from ledger.api.server_context import LedgerAppend, Read, Servicer, beyond_head
from ledger.application.authority.changes import ChangeOutcome
from ledger.application.commands import fields_named
from ledger.application.ledger import LedgerApplication
from ledger.authority.state import AuthorityState, Subject
from ledger.authority.tokens import ID_BYTES, SECRET_BYTES, make_token
from ledger.events.authority import (
    ACTIONS,
    ActorRegistered,
    AdministratorNamed,
    AuthorityEvent,
    GrantWithdrawn,
    IdentityBound,
    IdentityUnbound,
    LimitsSet,
    RoleDefined,
    RoleGranted,
    TokenIssued,
    TokenRevoked,
)
from ledger.limits import ActorLimits
from ledger.v1 import authority_pb2, authority_service_pb2_grpc
from ledger.v1 import authority_service_pb2 as pb

E = TypeVar("E", bound=AuthorityEvent)

_OPTIONAL: Final = frozenset({"expires_at", "identities", "proposal", "scope"}) | {
    one.name for one in fields(ActorLimits)
}


class AuthorityServicer(Servicer, authority_service_pb2_grpc.AuthorityServiceServicer):
    """Serves AuthorityService."""

    # ---- changes ---------------------------------------------------------------------------------

    def NameAdministrator(
        self, request: pb.NameAdministratorRequest, context: grpc.ServicerContext
    ) -> pb.NameAdministratorResponse:
        """Name an administrator."""
        checks = Checks()
        checks.present("administrator", request.HasField("administrator"))
        checks.text("reason", request.reason)
        checks.done()
        named = convert.administrator_of(request.administrator)
        outcome = self._change(request, context, AdministratorNamed, **named, reason=request.reason)
        return pb.NameAdministratorResponse(appended=appended(outcome.written))

    def RegisterActor(
        self, request: pb.RegisterActorRequest, context: grpc.ServicerContext
    ) -> pb.RegisterActorResponse:
        """Register an actor."""
        outcome = self._change(
            request,
            context,
            ActorRegistered,
            actor=request.actor,
            person=request.person,
            meaning=request.meaning,
        )
        return pb.RegisterActorResponse(appended=appended(outcome.written))

    def BindIdentity(
        self, request: pb.BindIdentityRequest, context: grpc.ServicerContext
    ) -> pb.BindIdentityResponse:
        """Bind an identity."""
        outcome = self._change(
            request,
            context,
            IdentityBound,
            actor=request.actor,
            identity=convert.identity_of(request.identity),
            reason=request.reason,
            proposal=None,
        )
        return pb.BindIdentityResponse(
            appended=appended(outcome.written),
            is_proposed=outcome.is_proposed,
            credentials=self._credentials(request, {"actor": request.actor}),
        )

    def UnbindIdentity(
        self, request: pb.UnbindIdentityRequest, context: grpc.ServicerContext
    ) -> pb.UnbindIdentityResponse:
        """Take an identity away."""
        identity = convert.identity_of(request.identity)
        outcome = self._change(
            request, context, IdentityUnbound, identity=identity, reason=request.reason
        )
        return pb.UnbindIdentityResponse(appended=appended(outcome.written))

    def IssueToken(
        self, request: pb.IssueTokenRequest, context: grpc.ServicerContext
    ) -> pb.IssueTokenResponse:
        """Issue a token, whose secret is in this answer alone."""
        made = make_token(self._server.clock.random_bytes(ID_BYTES + SECRET_BYTES))
        expires_at = convert.time_of(request, "expires_at")
        outcome = self._change(
            request,
            context,
            TokenIssued,
            token=made.id,
            actor=request.actor,
            digest=made.digest,
            expires_at=expires_at,
            reason=request.reason,
        )
        if not outcome.written.repeated:
            return pb.IssueTokenResponse(
                appended=appended(outcome.written), token=made.id, secret=made.text
            )
        ledger = self._server.backend.ledger(request.ledger)
        event = ledger.log.event(outcome.written.last_position)
        assert event is not None, "what was recorded is there"
        return pb.IssueTokenResponse(
            appended=appended(outcome.written), token=event.data["token"], secret=""
        )

    def RevokeToken(
        self, request: pb.RevokeTokenRequest, context: grpc.ServicerContext
    ) -> pb.RevokeTokenResponse:
        """Revoke a token."""
        outcome = self._change(
            request, context, TokenRevoked, token=request.token, reason=request.reason
        )
        return pb.RevokeTokenResponse(appended=appended(outcome.written))

    def DefineRole(
        self, request: pb.DefineRoleRequest, context: grpc.ServicerContext
    ) -> pb.DefineRoleResponse:
        """Define a role."""
        outcome = self._change(
            request,
            context,
            RoleDefined,
            role=request.role,
            actions=sorted(set(request.actions)),
            meaning=request.meaning,
            proposal=None,
        )
        return pb.DefineRoleResponse(
            appended=appended(outcome.written), is_proposed=outcome.is_proposed
        )

    def GrantRole(
        self, request: pb.GrantRoleRequest, context: grpc.ServicerContext
    ) -> pb.GrantRoleResponse:
        """Grant a role."""
        expires_at = convert.time_of(request, "expires_at")
        outcome = self._change(
            request,
            context,
            RoleGranted,
            actor=request.actor,
            role=request.role,
            scope=convert.scope_of(request.scope),
            expires_at=expires_at,
            reason=request.reason,
            proposal=None,
        )
        return pb.GrantRoleResponse(
            appended=appended(outcome.written),
            is_proposed=outcome.is_proposed,
            credentials=self._credentials(request, {"actor": request.actor}),
        )

    def WithdrawGrant(
        self, request: pb.WithdrawGrantRequest, context: grpc.ServicerContext
    ) -> pb.WithdrawGrantResponse:
        """Withdraw a grant."""
        outcome = self._change(
            request,
            context,
            GrantWithdrawn,
            grant=request.grant,
            reason=request.reason,
            proposal=None,
        )
        return pb.WithdrawGrantResponse(
            appended=appended(outcome.written), is_proposed=outcome.is_proposed
        )

    def ApproveChange(
        self, request: pb.ApproveChangeRequest, context: grpc.ServicerContext
    ) -> pb.ApproveChangeResponse:
        """Approve a proposal."""
        checks = Checks()
        position = checks.position("proposal", request.proposal, optional=False)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.authority_changes.approve(caller, "ApproveChange", position)
        event = ledger.log.event(written.last_position)
        assert event is not None, "what was recorded is there"
        return pb.ApproveChangeResponse(
            appended=appended(written),
            credentials=self._credentials(request, event.data),
        )

    def SetLimits(
        self, request: pb.SetLimitsRequest, context: grpc.ServicerContext
    ) -> pb.SetLimitsResponse:
        """Set the limits of an actor."""
        stated = convert.limits_of(request)
        outcome = self._change(
            request, context, LimitsSet, actor=request.actor, reason=request.reason, **stated
        )
        return pb.SetLimitsResponse(appended=appended(outcome.written))

    def _credentials(
        self, request: LedgerAppend, change: dict[str, Any]
    ) -> authority_pb2.LiveCredentials | None:
        """Return by what callers are the actor now to whom a change gives something."""
        authority, now = self._server.backend.ledger(request.ledger).authority, self._server.clock
        return convert.credentials_where(
            authority.state, change, now.now_micros(), authority.last_use
        )

    def _change(
        self,
        request: LedgerAppend,
        context: grpc.ServicerContext,
        kind: type[E],
        **members: Any,  # noqa: ANN401 - of any event
    ) -> ChangeOutcome:
        """Record a change of authority whose members were sent."""
        checks = Checks()
        for name, value in members.items():
            if name in _OPTIONAL or (name == "meaning" and kind is ActorRegistered):
                continue
            stated = any(value.values()) if isinstance(value, dict) else value
            if name in ("reason", "meaning"):
                checks.text(name, value)
            else:
                checks.present(name, stated)
        checks.done()
        with fields_named():
            data = kind.from_data(members)
        ledger, caller = self._server.append(request, context)
        return ledger.authority_changes.record(caller, kind.METHOD, data)

    # ---- questions -------------------------------------------------------------------------------

    def GetAuthority(
        self, request: pb.GetAuthorityRequest, context: grpc.ServicerContext
    ) -> pb.GetAuthorityResponse:
        """Return the authority as of a position."""
        ledger, state, position, at = self._as_of(request, context, request.as_of_position)
        return pb.GetAuthorityResponse(
            authority=convert.authority(state, position, at, ledger.authority.last_use)
        )

    def ExplainAuthority(
        self, request: pb.ExplainAuthorityRequest, context: grpc.ServicerContext
    ) -> pb.ExplainAuthorityResponse:
        """Say whether an actor may do something, and by which grants."""
        checks = Checks()
        if checks.present("action", request.action) and request.action not in ACTIONS:
            checks.refuse("action", f"{request.action[:80]!r} is no action")
        checks.present("actor", request.actor)
        checks.identifier("model", request.model, optional=True)
        checks.identifier("signal", request.signal, optional=True)
        checks.done()
        ledger, state, position, at = self._as_of(request, context, request.as_of_position)
        labels = ledger.authority.labels_as_of(request.model, position) if request.model else {}
        subject = Subject(request.model or None, request.signal or None, labels)
        subjects = [subject] if request.model or request.signal else []
        is_allowed = state.may(request.actor, request.action, at, subjects)
        found = [
            one
            for one in state.grants_of.get(request.actor, ())
            if request.action in state.roles[one.role]
        ]
        reason = convert.reason(state, request.actor, request.action, is_allowed=is_allowed)
        return pb.ExplainAuthorityResponse(
            is_allowed=is_allowed or not state.began_at,
            reason=reason,
            grants=[convert.grant(one, at) for one in found],
            as_of_position=position,
            credentials=convert.credentials(state, request.actor, at, ledger.authority.last_use),
        )

    def _as_of(
        self, request: Read, context: grpc.ServicerContext, position: int
    ) -> tuple[LedgerApplication, AuthorityState, int, int]:
        """Return a ledger, its authority at a position, that position, and the time there."""
        checks = Checks()
        checks.position("as_of_position", position)
        ledger = self._server.read(request, context, checks)
        head = ledger.log.head().position
        if position > head:
            raise beyond_head("as_of_position", position, head)
        if not position:
            ledger.authority.refresh()
            return ledger, ledger.authority.state, head, self._server.clock.now_micros()
        event = ledger.log.event(position)
        assert event is not None, "a position up to the head holds an event"
        return ledger, ledger.authority.as_of(position), position, event.recorded_at
