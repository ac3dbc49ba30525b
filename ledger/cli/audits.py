"""`decision-ledger audit …`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger import __version__
from ledger.cli import output
from ledger.cli.session import Session, session
from ledger.cli.trust import Keys, PolicyFile
from ledger.cli.verification import log_source
from ledger.operations.failures import IntegrityFailure, MisuseError

if TYPE_CHECKING:
    from ledger.audit.audit import Tell
    from ledger.audit.memory import Memory
    from ledger.audit.report import Report

PROGRAM: Final = f"decision-ledger {__version__}"
_FINDINGS_RECORDED: Final = 100
_WHAT_CHARS: Final = 2_000


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
    from ledger.audit.audit import Audit
    from ledger.operations.trust import trusted

    chosen = session()
    given = trusted(vkey, policy)
    opened = log_source(chosen, source)
    try:
        with _progress() as tell:
            audit = Audit(
                opened,
                PROGRAM,
                vkeys=[str(one) for one in given.keys],
                policy=given.policy,
                memory=None if state is None else _memory(state),
                place=_place(source, chosen),
                is_quick=quick,
                tell=tell,
            )
            report = audit.run()
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


def _place(source: str | None, chosen: Session) -> str:
    """Return what an interrupted audit knows its source by."""
    if source is None:
        return f"server {chosen.target}"
    return source if "://" in source else os.path.realpath(source)


def _memory(state: Path) -> "Memory":
    from ledger.audit.memory import Memory
    from ledger.errors import LedgerError

    try:
        return Memory(state)
    except LedgerError as error:  # a file that was named, and not the ledger
        raise MisuseError(f"--state: {error.message}", error.remedy) from error


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
    """Have the ledger's server append the result."""
    from ledger.client import proofs

    if not report.size:
        raise MisuseError("--record: an empty ledger has nothing to record an audit of.")
    appended = chosen.client.record_audit(
        proofs.AuditReport(
            program=report.program,
            source=report.source.upper(),
            size=report.size,
            root=bytes.fromhex(report.root),
            passed=report.passed,
            checks=tuple(
                proofs.AuditCheck(one.rule, one.checked, one.failed, one.unchecked)
                for one in report.rules
            ),
            findings=tuple(
                proofs.AuditFinding(
                    rule=one.rule, position=one.position, what=one.sentence[:_WHAT_CHARS]
                )
                for one in report.findings[:_FINDINGS_RECORDED]
            ),
        )
    )
    output.say(f"Recorded as audit.completed at position {appended.position}.")
