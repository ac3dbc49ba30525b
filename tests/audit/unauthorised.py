"""Forgeries of authority: changes and events of those who had no right to them."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.values import format_time
from tests.audit.paper import Paper

AUTHORITY: Final = "authority/changes"
CREDENTIALS: Final = "authority/credentials"
CLAIMS: Final = "authority/claims"
ANA: Final = "users/ana"
EVE: Final = "users/eve"
WHOLE: Final[dict[str, Any]] = {"labels": {}, "models": [], "signals": []}


def name(paper: Paper, actor: str = ANA, person: str = "staff-1") -> int:
    """Have the machine's operator name an administrator."""
    data = {"actor": actor, "person": person, "identities": [], "reason": "It begins."}
    return paper.append(AUTHORITY, "administrator.named.v1", data, actor="system/operator")


def show(paper: Paper, actor: str = ANA, **changes: object) -> int:
    """Record that an actor was believed."""
    data = {
        "actor": actor, "method": "development", "issuer": "", "subject": actor,
        "fingerprint": None, "address": "127.0.0.1",
        "used_at": format_time(paper.events[-1].recorded_at),
    } | changes  # fmt: skip
    return paper.append(CREDENTIALS, "credential.used.v1", data, actor="system/credentials")


def grant(paper: Paper, actor: str, role: str, by: str = ANA, **changes: object) -> int:
    """Grant a role for the whole ledger."""
    data = {
        "actor": actor, "role": role, "scope": WHOLE, "expires_at": None, "reason": "Work.",
        "proposal": None,
    } | changes  # fmt: skip
    return paper.append(AUTHORITY, "role.granted.v1", data, actor=by)


def register(paper: Paper, actor: str, person: str, by: str = ANA) -> int:
    """Register an actor."""
    data = {"actor": actor, "person": person, "meaning": ""}
    return paper.append(AUTHORITY, "actor.registered.v1", data, actor=by)


def begin(paper: Paper) -> None:
    """Have ana be the administrator, and eve a viewer; both have shown who they are."""
    name(paper)
    show(paper)
    register(paper, EVE, "staff-2")
    grant(paper, EVE, "viewer")
    show(paper, EVE)


def define(paper: Paper, actor: str) -> int:
    """Define a signal again, by an actor."""
    data = paper.at(paper.find("signal.defined.v1")[0]).data
    return paper.append(f"signals/{data['signal']}", "signal.defined.v1", data, actor=actor)


def grant_to_oneself(paper: Paper) -> int:
    begin(paper)
    return grant(paper, ANA, "operator")


def act_without_a_right(paper: Paper) -> int:
    begin(paper)
    return define(paper, EVE)


def use_anothers_credential(paper: Paper) -> int:
    begin(paper)
    return show(paper, EVE, subject=ANA)


def act_without_a_credential(paper: Paper) -> int:
    begin(paper)
    register(paper, "users/max", "staff-3")
    grant(paper, "users/max", "operator")
    return define(paper, "users/max")


def claim_without_a_right(paper: Paper) -> int:
    begin(paper)
    data = {
        "actor": EVE, "on_behalf_of": ANA, "method": "GetModel", "request_id": None,
        "called_at": format_time(paper.events[-1].recorded_at),
    }  # fmt: skip
    return paper.append(CLAIMS, "call.represented.v1", data, actor="system/credentials")


UNAUTHORISED: Final[dict[str, Callable[[Paper], int]]] = {
    "authority.changes": grant_to_oneself,
    "authority.rights": act_without_a_right,
    "authority.credentials": use_anothers_credential,
    "authority.claims": claim_without_a_right,
    "authority.shown": act_without_a_credential,
}
