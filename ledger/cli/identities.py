"""Actors and the identities that are bound to them: as options state them, as people read them."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.client import Administrator, AuthorityScope, CallerIdentity
    from ledger.client.authority import LiveCredentials

_SUBJECTS: Final = ("spiffe://", "dns:", "email:")

ActorName = Annotated[
    str, typer.Argument(metavar="ACTOR", help="The actor: users/NAME or services/NAME.")
]
Reason = Annotated[
    str, typer.Option(help="Why; recorded for good, so it must hold no personal data.")
]
Person = Annotated[
    str, typer.Option(help="A pseudonym of the person behind it, such as a staff number.")
]
Certificate = Annotated[
    str | None,
    typer.Option(
        metavar="SUBJECT", help="The name in a client certificate: spiffe://…, dns:… or email:…."
    ),
]
Jwt = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--jwt",
        metavar="ISSUER SUBJECT",
        help="The issuer's URL and its subject, of an OpenID token.",
    ),
]
AdministratorName = Annotated[
    str | None,
    typer.Option(
        "--administrator",
        metavar="ACTOR",
        help="Its first administrator, as users/NAME: with one, each call needs a grant.",
    ),
]
AdministratorPerson = Annotated[
    str | None,
    typer.Option("--person", help="A pseudonym of that person, such as a staff number."),
]
AdministratorCertificate = Annotated[
    str | None,
    typer.Option(
        "--certificate",
        metavar="SUBJECT",
        help="The name in that person's client certificate: spiffe://…, dns:… or email:….",
    ),
]


def identities(
    certificate: str | None, jwt: tuple[str, str] | None
) -> "tuple[CallerIdentity, ...]":
    """Return the identities that --certificate and --jwt state."""
    from ledger.client import CallerIdentity

    found = []
    if certificate is not None:
        if not certificate.startswith(_SUBJECTS):
            raise MisuseError(
                f"--certificate: {certificate[:80]!r} is not a name as certificates are known by.",
                "Write spiffe://…, dns:HOST or email:ADDRESS, as the certificate has it.",
            )
        found.append(CallerIdentity("certificate", certificate))
    if jwt is not None:
        issuer, subject = jwt
        if "://" not in issuer:
            raise MisuseError(
                f"--jwt: {issuer[:80]!r} is not the URL of an issuer.",
                "Write the issuer's URL, then the subject, as the tokens have them.",
            )
        found.append(CallerIdentity("jwt", subject, issuer))
    return tuple(found)


def identity(certificate: str | None, jwt: tuple[str, str] | None) -> "CallerIdentity":
    """Return the one identity that is stated."""
    found = identities(certificate, jwt)
    if len(found) != 1:
        raise MisuseError("Name the one identity: either --certificate or --jwt.")
    return found[0]


def administrator(
    actor: str | None,
    person: str | None,
    certificate: str | None,
    jwt: tuple[str, str] | None,
) -> "Administrator | None":
    """Return the first administrator of a ledger that is created; None where none is named."""
    from ledger.client import Administrator

    bound = identities(certificate, jwt)
    if actor is None:
        if person is not None or bound:
            raise MisuseError("No administrator is named.", "Add --administrator users/NAME.")
        return None
    if person is None:
        raise MisuseError(
            f"Nothing says which person is behind {actor}.",
            "Add --person with a pseudonym, such as a staff number.",
        )
    return Administrator(actor, person, bound)


def unbound(named: "Administrator") -> str:
    """Return what to know of an administrator to whom no identity is bound; empty if one is."""
    if named.identities:
        return ""
    return (
        f"No identity is bound to {named.actor}: until `authority bind` binds one, it can call "
        "only where the setting `authentication.development` lets callers be believed."
    )


# ---- for people ----------------------------------------------------------------------------------


def shown_identity(one: "CallerIdentity") -> str:
    """Return an identity in words."""
    return f"{one.method} {one.subject}" + (f" of {one.issuer}" if one.issuer else "")


def shown_credentials(actor: str, live: "LiveCredentials") -> str:
    """Return by which credentials callers are an actor; empty where there are none."""
    tokens = [
        f"token {one.token} (position {one.position}, "
        + (f"until {output.when(one.expires_at)})" if one.expires_at else "without end)")
        for one in live.tokens
    ]
    found = [*tokens, *(shown_identity(one) for one in live.identities)]
    return f"Callers are {actor} by {', '.join(found)}." if found else ""


def shown_scope(scope: "AuthorityScope") -> str:
    """Return a scope in words."""
    labels = [f"{key}={value}" for key, value in sorted(scope.labels.items())]
    parts = [
        _named("model", scope.models),
        _named("label", labels),
        _named("signal", scope.signals),
    ]
    return "; ".join(filter(None, parts)) or "the whole ledger"


def _named(noun: str, names: "Iterable[str]") -> str:
    found = list(names)
    return f"{noun}{'s' if len(found) > 1 else ''} {', '.join(found)}" if found else ""
