"""Authority in an honest life: an administrator, then two, who change what actors may do.

In every third life authority is in force. All who act there have shown who they are on that day,
and have every action, so that each event is its actor's right; what changes is beside that.
"""

from typing import Final

from ledger.application.authority.authority import ClaimedCall, CredentialUse
from ledger.application.commands import Caller
from ledger.events.authority import (
    ACTIONS,
    OPERATOR,
    ActorRegistered,
    AdministratorNamed,
    AuthorityEvent,
    GrantScopePart,
    GrantWithdrawn,
    IdentityBound,
    IdentityPart,
    IdentityUnbound,
    LimitsSet,
    RoleDefined,
    RoleGranted,
    TokenIssued,
    TokenRevoked,
)
from ledger.events.values import DAY, format_time
from tests.support.lives import Life

ADMINISTRATORS: Final = ("users/adm", "users/bea")
ACTORS: Final = (
    "services/a",
    "services/b",
    "services/c",
    "services/monitor-1",
    "users/ana",
    "users/auditor",
    "users/dpo",
)
EVERYWHERE: Final = GrantScopePart(labels={}, models=[], signals=[])
EVERY_ACTION: Final = "every-action"


def begin_authority(life: Life) -> None:
    """Name the first administrator, who lets all others do everything."""
    name_administrator(life, 0)
    change(life, RoleDefined(
        role=EVERY_ACTION, actions=sorted(ACTIONS), meaning="All.", proposal=None,
    ))  # fmt: skip
    for number, actor in enumerate(ACTORS):
        change(life, ActorRegistered(actor=actor, person=f"staff-{number}", meaning=""))
        change(life, granted(actor, EVERY_ACTION))
    show_credentials(life)
    for happens in CHANGES:
        happens(life)
    name_administrator(life, 1)
    life.before_calls += [show_credentials, change_authority]


def show_credentials(life: Life) -> None:
    """Have it on record that each actor called on this day, as a server does before a call."""
    authority = life.world.ledger.authority
    for actor in (*ADMINISTRATORS, *ACTORS):
        if actor in authority.state.persons:
            use = CredentialUse(actor, "development", "", actor, "", "192.0.2.7")
            authority.note_use(use, None)


def change_authority(life: Life) -> None:
    """Now and then, change what actors may do, or claim to call for another."""
    if life.happens(0.2):
        life.any_of(CHANGES)(life)


def grant_and_withdraw(life: Life) -> None:
    """Grant a role until some time, on one model or all, and mostly withdraw it again."""
    until = format_time(life.world.clock.now_micros() + life.any_of((1, 30)) * DAY)
    change(life, granted(life.any_of(ACTORS), "viewer", life.any_of((None, until))))
    grant = max(life.world.ledger.authority.state.grants)
    if life.world.ledger.authority.state.grants[grant].role == "viewer" and life.happens(0.8):
        change(life, GrantWithdrawn(grant=grant, reason="Done.", proposal=None))


def bind_and_unbind(life: Life) -> None:
    """Bind a certificate's name to an actor, and take it away."""
    subject = f"dns:{life.chance.getrandbits(40)}.example.com"
    identity = IdentityPart(method="certificate", issuer="", subject=subject)
    actor = life.any_of(ACTORS)
    change(life, IdentityBound(actor=actor, identity=identity, reason="Theirs.", proposal=None))
    change(life, IdentityUnbound(identity=identity, reason="Another machine."))


def issue_and_revoke(life: Life) -> None:
    """Issue a token and revoke it."""
    token, digest = f"{life.chance.getrandbits(64):016x}", f"{life.chance.getrandbits(256):064x}"
    change(life, TokenIssued(
        token=token, actor="services/a", digest=digest, expires_at=None, reason="It reports.",
    ))  # fmt: skip
    change(life, TokenRevoked(token=token, reason="Lost."))


def limit(life: Life) -> None:
    """Set the limits of an actor."""
    change(life, LimitsSet(
        actor=life.any_of(ACTORS), calls_per_second=life.any_of((None, 50)), bytes_per_second=None,
        observations_per_second=None, streams=None, waits=None, reason="Enough.",
    ))  # fmt: skip


def claim(life: Life) -> None:
    """Have a service say that it calls for a person."""
    called = ClaimedCall("services/c", "users/ana", "GetModel")
    life.world.ledger.authority.note_claim(called, life.any_of((None, "r-1")), None)


CHANGES: Final = (grant_and_withdraw, bind_and_unbind, issue_and_revoke, limit, claim)


def name_administrator(life: Life, number: int) -> None:
    """Have the operator of the machine name an administrator."""
    named = AdministratorNamed(
        actor=ADMINISTRATORS[number], person=f"adm-{number}", identities=[], reason="To begin."
    )
    changes = life.world.ledger.authority_changes
    changes.record(Caller(OPERATOR), AdministratorNamed.METHOD, named)
    show_credentials(life)


def granted(actor: str, role: str, until: str | None = None) -> RoleGranted:
    """Return the grant of a role on the whole ledger."""
    return RoleGranted(
        actor=actor, role=role, scope=EVERYWHERE, expires_at=until, reason="Work.", proposal=None
    )


def change(life: Life, data: AuthorityEvent) -> None:
    """Have the first administrator make a change, which the second one approves if it takes two."""
    changes = life.world.ledger.authority_changes
    outcome = changes.record(Caller(ADMINISTRATORS[0]), data.METHOD, data)
    if outcome.is_proposed:
        approver = Caller(ADMINISTRATORS[1])
        changes.approve(approver, data.METHOD, outcome.written.last_position)
