"""`decision-ledger audit …`: a whole ledger checked again; `answers` has the questions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.answers import answer, controls
from ledger.cli.session import Session, session
from ledger.cli.trust import Keys, PolicyFile
from ledger.cli.values import seconds
from ledger.cli.verification import log_source
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.audit.report import Report

__all__ = ["answer", "controls", "run"]


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
    max_unseen: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help="How long before a witness that had not seen it an event may say that it was "
            "recorded, such as 1h; any time if left out.",
        ),
    ] = None,
) -> None:
    """Check a whole ledger again: hashes, keys, seals, and every score, decision and plan.

    Nothing is written to what is audited. With --state the auditor remembers what it verified, and
    reports a ledger that fell behind it or tells another past. Exits with 4 if anything does not
    hold, and names the first bad position.
    """
    from ledger.operations.audits import audit_log
    from ledger.operations.trust import trusted
    from ledger.operations.verification.verdict import required

    chosen = session("audit")
    given = trusted(vkey, policy, chosen.times)
    unseen = None if max_unseen is None else seconds(max_unseen, "--max-unseen")
    opened = log_source(chosen, source)
    try:
        with output.audit_progress() as tell:
            place = source or f"server {chosen.target}"
            report = audit_log(
                opened,
                given,
                state=state,
                place=place,
                is_quick=quick,
                max_unseen_seconds=unseen,
                tell=tell,
            )
    finally:
        opened.close()
    chosen.show(report, report.text())
    if record:
        _record(report, chosen)
    required(report)


def _record(report: "Report", chosen: Session) -> None:
    """Record an audit; of one that does not hold, say where it could not: what it found counts."""
    from ledger.client.errors import ClientError
    from ledger.operations.audits import record_audit

    try:
        appended = record_audit(chosen.client, report)
    except (ClientError, MisuseError) as error:
        if report.passed:
            raise
        output.say(f"It could not be recorded: {error}")
        return
    output.say(f"Recorded as audit.completed at position {appended.position}.")
