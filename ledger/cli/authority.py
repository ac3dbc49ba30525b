"""`decision-ledger authority …`: who may do what, and changes of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import identities, output, values
from ledger.cli.authority_table import shown_table
from ledger.cli.exits import Exit
from ledger.cli.identities import ActorName, Certificate, Jwt, Person, Reason
from ledger.cli.session import session
from ledger.cli.tokens import tokens_table
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.cli.session import Session
    from ledger.client import CallerIdentity
    from ledger.client.authority import (
        AuthorityChange,
        AuthorityProposal,
        LedgerAuthority,
        LimitedActor,
        LiveCredentials,
        RecordedGrant,
    )

_AsOf = Annotated[
    int | None, typer.Option(min=1, help="As it was at this position; as it is if left out.")
]
_MEGA = 1_000_000
_BELIEVED = "No administrator is named: callers are believed, and each may do everything."


# ---- questions -----------------------------------------------------------------------------------


def table() -> None:
    """Print which built-in role may do what; no server is asked.

    Each role has a letter; an action has the letters of the roles with it, and `-` for the others.
    A call asks for one action, and is let in if a grant in force holds it: a role, for the whole
    ledger or a part. `authority list` shows the roles that a team has defined.
    """
    from ledger.operations.authority import authority_table

    found = authority_table()
    session().show(found, shown_table(found))


def why(
    actor: ActorName,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="One of `authority table`.")],
    model: Annotated[str, typer.Option(help="Id of the model that it is about.")] = "",
    signal: Annotated[str, typer.Option(help="Id of the signal that it is about.")] = "",
    as_of: _AsOf = None,
) -> None:
    """Say whether an actor may do something, and by which grants; exits with 1 if it may not.

    Without --model and --signal the question is whether it may for the whole ledger.
    """
    chosen = session()
    found = chosen.client.explain_authority(
        actor, action, model=model, signal=signal, as_of_position=as_of or 0
    )
    lines = [f"{found.reason} As of position {found.as_of_position}."]
    if found.grants:
        lines += ["", f"Grants that hold {action}:", _grants(found.grants)]
    if said := identities.shown_credentials(actor, found.credentials):
        lines += ["", said]
    chosen.show(found, "\n".join(lines))
    if not found.is_allowed:
        raise typer.Exit(Exit.REFUSED)


def list_(as_of: _AsOf = None) -> None:
    """List actors with persons and identities, grants, tokens, and what waits for approval."""
    chosen = session()
    found = chosen.client.get_authority(as_of_position=as_of or 0)
    chosen.show(found, "\n\n".join(_sections(chosen, found)))


def _sections(chosen: "Session", found: "LedgerAuthority") -> list[str]:
    """Return what there is of a ledger's authority, part by part."""
    began = found.began_at_position
    parts = [
        f"As of position {found.as_of_position}: "
        + (f"authority is in force since position {began}." if began else _BELIEVED)
    ]
    if found.actors:
        actors = [
            (one.actor, one.person, each, one.meaning)
            for one in found.actors
            for each in [identities.shown_identity(bound) for bound in one.identities] or ["-"]
        ]
        parts.append(output.table(("ACTOR", "PERSON", "IDENTITY", "MEANING"), actors))
    if found.grants:
        parts.append(_grants(found.grants))
    own = [(one.role, ", ".join(one.actions)) for one in found.roles if not one.is_built_in]
    if own:
        parts.append(output.table(("ROLE OF THE TEAM", "ACTIONS"), own))
    if found.tokens:
        now = values.time_of(chosen.clock.now_micros())
        parts.append(tokens_table(found.tokens, now))
    if found.limits:
        limits = [(one.actor, _limits_of(one)) for one in found.limits]
        parts.append(output.table(("ACTOR", "LIMITS"), limits))
    if found.proposals:
        waiting = [
            (one.position, one.proposed_by, output.when(one.until), _sentence(one))
            for one in found.proposals
        ]
        headings = (">POSITION", "PROPOSED BY", "UNTIL", "WAITS FOR A SECOND ADMINISTRATOR")
        parts.append(output.table(headings, waiting))
        live = {one.change["actor"]: one.credentials for one in found.proposals if one.credentials}
        said = [identities.shown_credentials(actor, each) for actor, each in live.items()]
        parts += ["\n".join(filter(None, said))] if any(said) else []
    return parts


def _grants(grants: "tuple[RecordedGrant, ...]") -> str:
    rows = [
        (
            one.position,
            one.actor,
            one.role,
            identities.shown_scope(one.scope),
            f"{output.when(one.expires_at)}{' (over)' if one.expired else ''}",
            one.granted_by,
        )
        for one in grants
    ]
    return output.table((">POSITION", "ACTOR", "ROLE", "SCOPE", "UNTIL", "GRANTED BY"), rows)


def _sentence(proposal: "AuthorityProposal") -> str:
    """Return what a proposal is of, in a sentence."""
    from ledger.client import AuthorityScope, CallerIdentity
    from ledger.events.authority import GrantWithdrawn, IdentityBound, RoleDefined, RoleGranted

    change = proposal.change
    if proposal.type == RoleGranted.TYPE:
        where = identities.shown_scope(AuthorityScope(**change["scope"]))
        ends = change["expires_at"]
        until = f", until {notation.shown_time(ends)}" if ends else ""
        said = f"grant {change['role']} to {change['actor']} for {where}{until}"
    elif proposal.type == IdentityBound.TYPE:
        bound = identities.shown_identity(CallerIdentity(**change["identity"]))
        said = f"bind {bound} to {change['actor']}"
    elif proposal.type == RoleDefined.TYPE:
        said = f"define {change['role']} as {', '.join(change['actions'])}"
    elif proposal.type == GrantWithdrawn.TYPE:
        said = f"withdraw the grant at position {change['grant']}"
    else:
        return f"{proposal.type} {proposal.change_json}"
    return f"{said}: {change.get('reason') or change.get('meaning')}"


# ---- changes -------------------------------------------------------------------------------------


def begin(
    actor: Annotated[str, typer.Argument(metavar="ACTOR", help="The actor: users/NAME.")],
    person: Person,
    reason: Reason,
    certificate: Certificate = None,
    jwt: Jwt = None,
) -> None:
    """Name an administrator as the operator of the machine, by the server's Unix socket.

    So authority begins on a ledger that believes its callers, and so a lost last administrator is
    replaced. The ledger records for good that the operator did this.
    """
    from ledger.client import Administrator

    chosen = session()
    named = Administrator(actor, person, identities.identities(certificate, jwt))
    if not chosen.target.startswith("unix:"):
        raise MisuseError(
            f"{chosen.target} is not the server's Unix socket, and only the operator of the "
            "machine names an administrator like this.",
            "Name the socket: --server unix:/PATH, as the setting `server.socket` has it.",
        )
    appended = chosen.client.name_administrator(named, reason)
    output.say(
        "This is recorded for good, as done by system/operator: each actor who may see the "
        "authority or the events of the ledger sees it, and the auditor names it."
    )
    live = chosen.client.explain_authority(actor, "roles.grant").credentials
    _warn(actor, live, named.identities)
    if not (live.tokens or live.identities):
        output.say(identities.unbound(named))
    chosen.show(
        appended,
        f"Named {actor}, behind whom is {person}, an administrator at position "
        f"{appended.position}. From there on each call needs a credential and a grant.",
    )


def register(
    actor: ActorName,
    person: Person,
    meaning: Annotated[str, typer.Option(help="Its purpose, for people.")] = "",
) -> None:
    """Register an actor and the person behind it: one person with two accounts counts once."""
    chosen = session()
    appended = chosen.client.register_actor(actor, person, meaning=meaning)
    chosen.show(
        appended,
        f"Registered {actor}, behind whom is {person}, at position {appended.position}. It may do "
        "nothing before `authority grant` gives it a role.",
    )


def bind(
    actor: ActorName, reason: Reason, certificate: Certificate = None, jwt: Jwt = None
) -> None:
    """Bind an identity to an actor: a caller who presents it is that actor from then on."""
    one = identities.identity(certificate, jwt)
    chosen = session()
    change = chosen.client.bind_identity(actor, one, reason)
    _tell(chosen, change, f"Bound {identities.shown_identity(one)} to {actor}")
    _warn(actor, change.credentials, (one,))


def unbind(reason: Reason, certificate: Certificate = None, jwt: Jwt = None) -> None:
    """Take an identity away from its actor, at once."""
    one = identities.identity(certificate, jwt)
    chosen = session()
    appended = chosen.client.unbind_identity(one, reason)
    chosen.show(
        appended,
        f"Took {identities.shown_identity(one)} away, by the event at position "
        f"{appended.position}.",
    )


def grant(
    actor: ActorName,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="One of `authority table`, or own.")],
    reason: Reason,
    model: Annotated[
        list[str] | None, typer.Option(help="For this model alone; repeat it for several.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="For models with this label; all of several."),
    ] = None,
    signal: Annotated[
        list[str] | None, typer.Option(help="For this signal alone; repeat it for several.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="For how long, such as 90d, or until when; without end if left out."),
    ] = None,
) -> None:
    """Grant a role to an actor: for the whole ledger, or for the part that the options name."""
    from ledger.client import AuthorityScope

    chosen = session()
    scope = AuthorityScope(tuple(model or ()), values.labels(label), tuple(signal or ()))
    until = values.end(expires, "--expires", chosen.clock.now_micros())
    change = chosen.client.grant_role(actor, role, reason, scope=scope, expires_at=until)
    span = f", until {output.when(until)}" if until else ""
    _tell(chosen, change, f"Granted {role} to {actor} for {identities.shown_scope(scope)}{span}")
    _warn(actor, change.credentials)


def withdraw(
    position: Annotated[
        int, typer.Argument(min=1, metavar="POSITION", help="Of the grant: see `authority list`.")
    ],
    reason: Reason,
) -> None:
    """Withdraw a grant: at once, unless it is one of several administrators'."""
    chosen = session()
    change = chosen.client.withdraw_grant(position, reason)
    _tell(chosen, change, f"Withdrew the grant at position {position}")


def role(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name, none of the product's own.")
    ],
    action: Annotated[
        list[str], typer.Option(help="An action of `authority table`; repeat it for several.")
    ],
    meaning: Annotated[str, typer.Option(help="Its purpose, for people.")],
) -> None:
    """Define a role of the team's own, or define it otherwise, for all who hold it."""
    chosen = session()
    change = chosen.client.define_role(name, action, meaning)
    _tell(chosen, change, f"Defined {name} as {', '.join(sorted(set(action)))}")


def limit(
    actor: ActorName,
    reason: Reason,
    calls: Annotated[
        int | None, typer.Option(min=1, help="Calls, and batches of streams, a second.")
    ] = None,
    observations: Annotated[int | None, typer.Option(min=1, help="Observations a second.")] = None,
    megabytes: Annotated[
        float | None, typer.Option(min=0.001, help="Size of its requests a second.")
    ] = None,
    streams: Annotated[
        int | None,
        typer.Option(min=0, help="Streams of observations at once; likewise watches, long calls."),
    ] = None,
    waits: Annotated[
        int | None, typer.Option(min=0, help="Reads at once that wait for a position.")
    ] = None,
) -> None:
    """Set what an actor may send and keep open; without an option the server's own limit holds.

    It holds at once, in the place of all that was set for the actor before.
    """
    from ledger.client import LimitedActor

    chosen = session()
    size = None if megabytes is None else round(megabytes * _MEGA)
    one = LimitedActor(actor, calls, size, observations, streams, waits)
    appended = chosen.client.set_limits(one, reason)
    chosen.show(appended, f"Limited {actor} at position {appended.position}: {_limits_of(one)}.")


def _limits_of(one: "LimitedActor") -> str:
    """Return the limits that are stated for an actor."""
    size = None if one.bytes_per_second is None else f"{one.bytes_per_second / _MEGA:g}"
    stated = {
        "calls/s": one.calls_per_second,
        "observations/s": one.observations_per_second,
        "MB/s": size,
        "streams": one.streams,
        "waits": one.waits,
    }
    said = [f"{value} {unit}" for unit, value in stated.items() if value is not None]
    return ", ".join(said) or "the server's own limits"


def approve(
    position: Annotated[
        int,
        typer.Argument(min=1, metavar="POSITION", help="Of the proposal: see `authority list`."),
    ],
) -> None:
    """Approve what another administrator proposed, and so carry it out."""
    chosen = session()
    proposals = chosen.client.get_authority().proposals
    waiting = next((one for one in proposals if one.position == position), None)
    said = _sentence(waiting) if waiting else ""
    approved = chosen.client.approve_change(position)
    done = f"Approved the proposal at position {position}, and carried it out at position"
    told = f"{done} {approved.position}" + (f": {said}" if said else ".")
    chosen.show(approved, output.lines([told]))  # another one has written the reason
    if waiting and approved.credentials is not None:
        _warn(str(waiting.change["actor"]), approved.credentials)


def _warn(actor: str, live: "LiveCredentials", new: "tuple[CallerIdentity, ...]" = ()) -> None:
    """Say by which credentials callers are an actor already, to those who give it more."""
    from ledger.client.authority import LiveCredentials

    live = LiveCredentials(live.tokens, tuple(one for one in live.identities if one not in new))
    if said := identities.shown_credentials(actor, live):
        output.say(said)


def _tell(chosen: "Session", change: "AuthorityChange", done: str) -> None:
    """Show a change of authority, or that it waits."""
    if change.is_proposed:
        output.say(
            "There are several administrators, so this waits for a second one, for a week: "
            f"`authority approve {change.position}`."
        )
        said = f"Proposed at position {change.position}, and not yet in force."
    else:
        said = f"{done}, at position {change.position}."
    chosen.show(change, said)
