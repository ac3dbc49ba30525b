"""`decision-ledger certificate …`: certificates for trying TLS out."""

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session


def dev(
    folder: Annotated[Path, typer.Argument(help="Folder for the CA and what it issues.")],
    name: Annotated[
        list[str] | None,
        typer.Option(help="A further name of the server, beside localhost; may be repeated."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(metavar="ACTOR", help="An actor that gets a certificate; may be repeated."),
    ] = None,
) -> None:
    """Make a CA with certificates of a server and of callers, for trying TLS out only.

    They end after 90 days, and the CA's key lies beside them unencrypted. A CA that is there goes
    on to issue. For a service that others rely on, have your own CA issue certificates.
    """
    from ledger.certificate_files import CertificateError
    from ledger.operations.failures import MisuseError
    from ledger.operations.trial_certificates import make_trial_certificates

    chosen = session()
    try:
        made = make_trial_certificates(folder, chosen.clock, names=name or (), clients=client or ())
    except CertificateError as error:
        raise MisuseError(f"{error.path} {error.why}.", "Name another folder.") from error
    rows = [("CA", made.ca, ""), ("server", made.certificate, made.key)]
    rows += [(actor, *files) for actor, files in made.clients.items()]
    found = [dict(zip(("of", "certificate", "key"), map(str, row), strict=True)) for row in rows]
    lines = output.table(("OF", "CERTIFICATE", "KEY"), [tuple(one.values()) for one in found])
    chosen.show({"certificates": found}, lines)
    output.say(
        "These certificates are for trying out only: their CA's key lies beside them, and they end "
        "after 90 days."
    )
