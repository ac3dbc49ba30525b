"""`decision-ledger audit …`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import Session, session
from ledger.cli.trust import Keys, PolicyFile
from ledger.cli.verification import log_source
from ledger.operations.failures import IntegrityFailure, MisuseError

if TYPE_CHECKING:
    from ledger.audit.audit import Tell
    from ledger.audit.report import Report


def run(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A database file or URL, a bundle, or a folder of tiles; without it, the server."
        ),
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
    state: Annotated[
        Path | None, typer.Option(help="The auditor's own memory; created if it is not there.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Have the server append the result to the ledger.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Only hashes and signatures of what is new to --state."),
    ] = False,
) -> None:
    """Check a whole ledger again: hashes, keys, seals, and every score, decision and plan.

    Nothing is written to what is audited. With --state the auditor remembers what it verified, and
    reports a ledger that fell behind it or tells another past. Exits with 4 if anything does not
    hold, and names the first bad position.
    """
    from ledger.operations.audits import audit_log
    from ledger.operations.trust import trusted

    chosen = session()
    given = trusted(vkey, policy)
    opened = log_source(chosen, source)
    try:
        with _progress() as tell:
            place = source or f"server {chosen.target}"
            report = audit_log(opened, given, state=state, place=place, is_quick=quick, tell=tell)
    finally:
        opened.close()
    chosen.show(report, report.text())
    if report.passed:
        if record:
            _record(report, chosen)
        return
    failure = _failure(report)
    if record:
        _record_failed(report, chosen, failure)
    raise failure


def _failure(report: "Report") -> IntegrityFailure:
    at = report.first_bad_position
    where = f" The first bad position is {at}." if at else ""
    return IntegrityFailure(
        f"{report.origin} does not hold: {output.counted(len(report.findings), 'finding')}.{where}",
        "Stop writing, keep this ledger and the report as evidence, and call an operator.",
    )


@contextmanager
def _progress() -> "Iterator[Tell]":
    """Show one bar for each pass."""
    with output.progress("Auditing") as move:
        passes: list[str] = []

        def tell(what: str, done: int, total: int) -> None:
            if what not in passes:
                passes.append(what)
            # Two passes of equal length on one bar: the second begins in its middle.
            move(done + total * (len(passes) - 1), 2 * total)

        yield tell


def _record_failed(report: "Report", chosen: Session, failure: IntegrityFailure) -> None:
    """Record what does not hold if the server takes it: what was found counts either way."""
    from ledger.client.errors import ClientError

    try:
        _record(report, chosen)
    except (ClientError, MisuseError) as error:
        failure.message += f" It could not be recorded: {error}"


def _record(report: "Report", chosen: Session) -> None:
    from ledger.operations.audits import record_audit

    appended = record_audit(chosen.client, report)
    output.say(f"Recorded as audit.completed at position {appended.position}.")
