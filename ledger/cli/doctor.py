"""`decision-ledger doctor`: is everything as it should be, and what to do where it is not."""

from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.exits import Exit
from ledger.cli.session import session


def doctor(
    database: Annotated[
        str | None,
        typer.Option("--db", help="The ledger's database, if it is not the one in the settings."),
    ] = None,
) -> None:
    """Check installation, settings, secrets, database, rights, clock, chain, server, projections.

    Writes nothing. Each check is ok, warn or fail, with what to do. Exits with 0 if none failed, 4
    if a chain or read model does not hold, else 1.
    """
    from ledger.operations.examination.examination import examine

    chosen = session()
    checks = examine(chosen.settings, chosen.client, chosen.target, database)
    failed = [check for check in checks if check.state == "fail"]
    rows = [(check.state, check.name, check.found) for check in checks]
    lines = output.table(("STATE", "CHECK", "FOUND"), rows).split("\n")
    lines += [f"{check.name}: {check.remedy}" for check in checks if check.remedy]
    verdict = "fail" if failed else "ok"
    chosen.show({"state": verdict, "checks": checks}, output.lines(lines))
    if failed:
        integrity = any(check.is_integrity for check in failed)
        raise typer.Exit(Exit.INTEGRITY if integrity else Exit.REFUSED)
