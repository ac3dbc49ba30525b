"""Authority: what requests state of it, and how a state of it is shown."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.checks import Checks
from ledger.api.convert.basics import timestamp
from ledger.authority.state import AuthorityState, ChangeProposal, Grant, Scope, Token
from ledger.authority.table import ROLES
from ledger.events.authority import ACTIONS, refused_action
from ledger.events.canonical import encode
from ledger.events.values import format_time
from ledger.limits import ActorLimits
from ledger.v1 import authority_pb2 as pb

_BELIEVED: Final = "No administrator is named: callers are believed, and may do this."


def identity_of(message: pb.Identity) -> dict[str, str]:
    """Return an identity as events spell it."""
    return {"method": message.method, "issuer": message.issuer, "subject": message.subject}


def administrator_of(message: pb.Administrator) -> dict[str, Any]:
    """Return the members of an event that names an administrator."""
    return {
        "actor": message.actor,
        "person": message.person,
        "identities": [identity_of(one) for one in message.identities],
    }


def scope_of(message: pb.AuthorityScope) -> dict[str, Any]:
    """Return a scope as events spell it."""
    return {
        "labels": dict(message.labels),
        "models": sorted(set(message.models)),
        "signals": sorted(set(message.signals)),
    }


def limits_of(request: Any) -> dict[str, int | None]:  # noqa: ANN401 - any message with them
    """Return the limits that a request states; None for each that it leaves to the server."""
    return {
        one.name: getattr(request, one.name) if request.HasField(one.name) else None
        for one in fields(ActorLimits)
    }


def time_of(request: Any, field: str) -> str | None:  # noqa: ANN401 - any message
    """Return an optional time as events spell it; FIELD_INVALID for one that cannot be."""
    if not request.HasField(field):
        return None
    checks = Checks()
    micros = checks.time(field, getattr(request, field), given=True)
    checks.done()
    return format_time(micros)


def authority(
    state: AuthorityState, position: int, at: int, last_use: Callable[[str], int | None]
) -> pb.Authority:
    """Return what is shown of a ledger's authority at a position and a time."""
    identities: dict[str, list[pb.Identity]] = {}
    for one, actor in sorted(state.identities.items()):
        identities.setdefault(actor, []).append(pb.Identity(**one._asdict()))
    return pb.Authority(
        as_of_position=position,
        began_at_position=state.began_at,
        actors=[
            pb.RegisteredActor(
                actor=actor,
                person=person,
                meaning=state.meanings[actor],
                identities=identities.get(actor),
            )
            for actor, person in sorted(state.persons.items())
        ],
        tokens=[
            _token(one, last_use)
            for one in sorted(state.tokens.values(), key=lambda one: one.issued_at)
        ],
        roles=[
            pb.Role(role=name, actions=sorted(actions), is_built_in=name in ROLES)
            for name, actions in sorted(state.roles.items())
        ],
        grants=[grant(one, at) for one in state.grants.values()],
        proposals=[
            _proposal(one, credentials_where(state, one.change, at, last_use))
            for one in state.proposals.values()
            if at <= one.until
        ],
        limits=[
            pb.LimitedActor(actor=actor, **asdict(limits))
            for actor, limits in sorted(state.limits.items())
        ],
        actions=[
            pb.AuthorityAction(action=action, meaning=meaning)
            for action, meaning in sorted(ACTIONS.items())
        ],
    )


def grant(one: Grant, at: int) -> pb.Grant:
    """Return what is shown of a grant at a time."""
    return pb.Grant(
        position=one.position,
        actor=one.actor,
        role=one.role,
        scope=_scope(one.scope),
        expires_at=_time(one.expires_at),
        granted_by=one.by,
        expired=not one.is_in_force(at),
    )


def credentials(
    state: AuthorityState, actor: str, at: int, last_use: Callable[[str], int | None]
) -> pb.LiveCredentials:
    """Return what is shown of the credentials by which callers are an actor at a time."""
    return pb.LiveCredentials(
        tokens=[_token(one, last_use) for one in state.live_tokens(actor, at)],
        identities=[pb.Identity(**one._asdict()) for one in state.bound_identities(actor)],
    )


def credentials_where(
    state: AuthorityState, change: dict[str, Any], at: int, last_use: Callable[[str], int | None]
) -> pb.LiveCredentials | None:
    """Return the same of the actor to whom a change gives something; None where it names none."""
    actor = change.get("actor")
    return None if actor is None else credentials(state, actor, at, last_use)


def reason(state: AuthorityState, actor: str, action: str, *, is_allowed: bool) -> str:
    """Return in a sentence why an actor may do something, or may not."""
    if not state.began_at:
        return _BELIEVED
    if is_allowed:
        return f"{actor} may {ACTIONS[action]}: a grant in force covers it."
    if actor not in state.persons:
        return f"{actor} is not registered, so it may do nothing."
    return f"{actor} may not {refused_action(action)}: no grant in force covers it."


def _token(one: Token, last_use: Callable[[str], int | None]) -> pb.Token:
    return pb.Token(
        token=one.name,
        actor=one.actor,
        expires_at=_time(one.expires_at),
        revoked=bool(one.revoked_at),
        position=one.issued_at,
        last_used_at=_time(last_use(one.name)),
    )


def _scope(scope: Scope) -> pb.AuthorityScope:
    return pb.AuthorityScope(
        models=sorted(scope.models), labels=dict(scope.labels), signals=sorted(scope.signals)
    )


def _proposal(one: ChangeProposal, live: pb.LiveCredentials | None) -> pb.AuthorityProposal:
    return pb.AuthorityProposal(
        position=one.position,
        type=one.type,
        change_json=encode(one.change).decode(),
        proposed_by=one.by,
        until=timestamp(one.until),
        credentials=live,
    )


def _time(micros: int | None) -> Timestamp | None:
    return None if micros is None else timestamp(micros)
