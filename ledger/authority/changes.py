"""Whether a change of authority may be: judged the same before it is recorded and in an audit.

Three principles. No one grants what they have not: a role's actions and its scope lie within what
the granter may grant, and an administrator may grant any role, but to themself none by which one
decides. Once there are two administrators, by person, what widens authority takes both. Taking away
is immediate, except from an administrator.
"""

from collections.abc import Callable
from typing import Any, Final

from ledger.authority.state import WHOLE, AuthorityState, Scope, identity_of, scope_of, time_of
from ledger.authority.table import ADMINISTRATOR, METHODS, REPORTING, ROLES
from ledger.events.authority import (
    OPERATOR,
    PROPOSABLE,
    ActorRegistered,
    AdministratorNamed,
    AuthorityProposed,
    GrantWithdrawn,
    IdentityBound,
    IdentityUnbound,
    LimitsSet,
    RoleDefined,
    RoleGranted,
    TokenIssued,
    TokenRevoked,
)
from ledger.events.registry import BY_TYPE
from ledger.events.values import SECOND, parse_time

PROPOSAL_SECONDS: Final = 7 * 86_400
"""How long a proposal can be approved."""

_LATE_SECONDS: Final = 600
"""How much later an auditor judges than the service did, at most."""

_BEGINNING: Final = 3
"""Where the first administrator is named with a ledger: behind its creation and configuration."""

Data = dict[str, Any]
_Judge = Callable[[AuthorityState, str, Data, int], str]


def change_fault(
    state: AuthorityState, position: int, type_: str, actor: str, data: Data, at: int
) -> str:
    """Return why an event cannot change authority there; empty where it may.

    `at`: the time by which expiry is judged, microseconds since the epoch.
    """
    if type_ == AdministratorNamed.TYPE:
        return _named_fault(state, position, actor, data)
    if not state.began_at:
        return "no administrator is named: authority is not in force"
    if type_ == AuthorityProposed.TYPE:
        return _proposed_fault(state, actor, data, at)
    if fault := _JUDGES[type_](state, actor, data, at):
        return fault
    proposal = data.get("proposal")
    if proposal is not None:
        return _approval_fault(state, type_, actor, data, proposal, at)
    if needs_second(state, type_, data):
        return "there are several administrators, and it takes the approval of a second one"
    return ""


def needs_second(state: AuthorityState, type_: str, data: Data) -> bool:
    """Whether a change takes a second administrator."""
    if len(state.administrators()) < 2 or type_ not in PROPOSABLE:
        return False
    if type_ != GrantWithdrawn.TYPE:
        return True
    grant = state.grants.get(data["grant"])
    return grant is not None and grant.role == ADMINISTRATOR


# ---- administrators and proposals ----------------------------------------------------------------


def _named_fault(state: AuthorityState, position: int, actor: str, data: Data) -> str:
    if actor != OPERATOR and position != _BEGINNING:
        return f"{actor} cannot name an administrator: that is for the operator of the machine"
    named = data["actor"]
    person = state.persons.get(named, data["person"])
    if person != data["person"]:
        return f"the person behind {named} is {person}"
    for one in data["identities"]:
        bound = state.identities.get(identity_of(one), named)
        if bound != named:
            return f"{one['subject']} is bound to {bound}"
    if state.is_administrator(named):
        return f"{named} is an administrator already"
    return ""


def _proposed_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    type_, change = data["type"], data["change"]
    if at and parse_time(data["until"]) - at > (PROPOSAL_SECONDS + _LATE_SECONDS) * SECOND:
        return "it can be approved for longer than a week"
    if fault := _JUDGES[type_](state, actor, change, at):
        return fault
    if not needs_second(state, type_, change):
        return "it takes no second administrator"
    return ""


def _approval_fault(
    state: AuthorityState, type_: str, actor: str, data: Data, position: int, at: int
) -> str:
    proposal = state.proposals.get(position)
    if proposal is None:
        return f"position {position} holds no proposal that waits for approval"
    if (proposal.type, proposal.change) != (type_, {**data, "proposal": None}):
        return f"the proposal at position {position} is of another change"
    if at > proposal.until:
        return f"the proposal at position {position} could be approved for a week, which is over"
    if not state.is_administrator(actor):
        return f"{actor} is no administrator, and only a second administrator approves"
    if state.persons[actor] == state.persons.get(proposal.by):
        return f"{actor} and {proposal.by}, who proposed it, are one person"
    if not _JUDGES[type_](state, proposal.by, data, at):
        return ""
    return f"{proposal.by}, who proposed it, may not do so any more"


# ---- single changes ------------------------------------------------------------------------------


def _lacks(state: AuthorityState, type_: str, actor: str, at: int) -> str:
    action = METHODS[BY_TYPE[type_].METHOD]
    return "" if state.may(actor, action, at) else f"{actor} lacks the action {action}"


def _registered_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    if data["actor"] in state.persons:
        return f"{data['actor']} is registered already"
    return _lacks(state, ActorRegistered.TYPE, actor, at)


def _bound_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    if data["actor"] not in state.persons:
        return f"{data['actor']} is not registered"
    if bound := state.identities.get(identity_of(data["identity"])):
        return f"it is bound to {bound}"
    return _lacks(state, IdentityBound.TYPE, actor, at)


def _unbound_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    if identity_of(data["identity"]) not in state.identities:
        return "it is bound to no actor"
    return _lacks(state, IdentityUnbound.TYPE, actor, at)


def _issued_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    if data["actor"] not in state.persons:
        return f"{data['actor']} is not registered"
    if data["token"] in state.tokens:
        return f"token {data['token']} was issued before"
    if fault := _lacks(state, TokenIssued.TYPE, actor, at):
        return fault
    # By a token one calls as the service, and so by what two administrators have granted to it.
    person = state.persons[data["actor"]]
    if len(state.administrators()) < 2 or state.persons[actor] == person:
        return ""
    held = (
        state.roles.get(one.role, frozenset()) for one in state.grants_of.get(data["actor"], ())
    )
    if frozenset[str]().union(*held) <= REPORTING:
        return ""
    return (
        f"{data['actor']} may do more than report: with several administrators only {person}, "
        "who answers for it, issues its tokens"
    )


def _revoked_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    token = state.tokens.get(data["token"])
    if token is None:
        return f"there is no token {data['token']}"
    if token.revoked_at:
        return f"token {data['token']} was revoked at position {token.revoked_at}"
    return _lacks(state, TokenRevoked.TYPE, actor, at)


def _defined_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    if data["role"] in ROLES:
        return f"{data['role']} is a role of the product"
    if fault := _lacks(state, RoleDefined.TYPE, actor, at):
        return fault
    actions = frozenset(data["actions"])
    added = actions - state.roles.get(data["role"], frozenset())
    for grant in state.grants.values():  # whether it has expired or not: the last word is later
        if added and grant.role == data["role"] and _is_own(state, actor, grant.actor, actions):
            return f"{actor} and {grant.actor}, who holds it, are one person"
    return _beyond(state, actor, actions, WHOLE, at)


def _granted_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    to, role, scope = data["actor"], data["role"], scope_of(data["scope"])
    if to not in state.persons:
        return f"{to} is not registered"
    actions = state.roles.get(role)
    if actions is None:
        return f"there is no role {role}"
    expires_at = time_of(data["expires_at"])
    if role == ADMINISTRATOR and (to.startswith("services/") or not scope.is_whole or expires_at):
        return "administrators are users, of the whole ledger, until that is withdrawn"
    if not any(held.contains(scope) for held in state.scopes(actor, "roles.grant", at)):
        return f"{actor} lacks the action roles.grant in that scope"
    if _is_own(state, actor, to, actions):
        return f"{actor} and {to} are one person, and no one grants to themself"
    return _beyond(state, actor, actions, scope, at)


def _withdrawn_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    grant = state.grants.get(data["grant"])
    if grant is None:
        return f"position {data['grant']} holds no grant in force"
    held = state.scopes(actor, "roles.grant", at)
    if grant.actor != actor and not any(scope.contains(grant.scope) for scope in held):
        return f"{actor} lacks the action roles.grant in that scope"
    if state.administering == (grant,):
        return "it is the last administrator's"
    return ""


def _is_own(state: AuthorityState, actor: str, to: str, actions: frozenset[str]) -> bool:
    """Whether a person would have actions of their own giving, by whichever account.

    Not where their service reports; nor with a second administrator's approval, since the two are
    different persons, and that is enough.
    """
    is_one = state.persons.get(actor) == state.persons[to] and len(state.administrators()) < 2
    return is_one and not (to.startswith("services/") and actions <= REPORTING)


def _limits_fault(state: AuthorityState, actor: str, data: Data, at: int) -> str:
    if data["actor"] not in state.persons:
        return f"{data['actor']} is not registered"
    return _lacks(state, LimitsSet.TYPE, actor, at)


def _beyond(
    state: AuthorityState, actor: str, actions: frozenset[str], scope: Scope, at: int
) -> str:
    """Return which actions an actor has not to grant within a scope; an administrator has all."""
    if state.is_administrator(actor):
        return ""
    lacking = [
        action
        for action in sorted(actions)
        if not any(held.contains(scope) for held in state.scopes(actor, action, at))
    ]
    return f"{actor} has not itself, in that scope: {', '.join(lacking)}" if lacking else ""


_JUDGES: Final[dict[str, _Judge]] = {
    ActorRegistered.TYPE: _registered_fault,
    IdentityBound.TYPE: _bound_fault,
    IdentityUnbound.TYPE: _unbound_fault,
    TokenIssued.TYPE: _issued_fault,
    TokenRevoked.TYPE: _revoked_fault,
    RoleDefined.TYPE: _defined_fault,
    RoleGranted.TYPE: _granted_fault,
    GrantWithdrawn.TYPE: _withdrawn_fault,
    LimitsSet.TYPE: _limits_fault,
}
