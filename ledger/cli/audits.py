"""`decision-ledger audit …`: a whole ledger checked again, and the questions that auditors ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import output
from ledger.cli.compliance import source_of
from ledger.cli.session import Session, session
from ledger.cli.trust import Bundle, Keys, PolicyFile, believing, first_use_said, kept_note
from ledger.cli.values import parse_time, seconds
from ledger.cli.verification import log_source
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.audit.report import Report
    from ledger.compliance.inquiry import Answer
    from ledger.operations.compliance import ServerLive


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


_ROWS_SHOWN = 20


def answer(
    name: Annotated[
        str, typer.Argument(metavar="[QUESTION]", help="Which question; none lists them.")
    ] = "",
    model: Annotated[str, typer.Option(help="The model that the question is about.")] = "",
    at: Annotated[str | None, typer.Option(help="The time that it is about.")] = None,
    position: Annotated[
        int | None, typer.Option(min=1, help="The event or decision that it is about.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3_650, help="For `incidents`: so soon after.")
    ] = 14,
    checkpoint: Annotated[
        Path | None, typer.Option(help="For `whole-history`: a checkpoint kept from earlier.")
    ] = None,
    bundle: Bundle = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Answer a question that auditors ask, from the ledger's events alone.

    Says what is not recorded. Without a name: lists the questions. With --vkey or --witness-policy
    a bundle is verified first, and the server's checkpoint that `whole-history` compares with
    yours; exits with 4 if it does not hold.
    """
    from ledger.client.inputs import micros_of_datetime
    from ledger.compliance.facts import unit_of_cost
    from ledger.compliance.inquiry import Inquiry, QuestionError
    from ledger.compliance.questions import QUESTIONS
    from ledger.compliance.questions import answer as answer_to

    chosen = session("audit answer")
    if not name:
        texts = {key: question.text for key, question in QUESTIONS.items()}
        chosen.show({"questions": texts}, output.table(("NAME", "QUESTION"), list(texts.items())))
        return
    is_compared = checkpoint is not None and bundle is None and name == "whole-history"
    with _asking(bundle, vkey, policy, is_compared=is_compared) as live:
        inquiry = Inquiry(
            model=model.removeprefix("models/"),
            at=micros_of_datetime(parse_time(at, "--at")) if at else None,
            position=position,
            days=days,
            checkpoint=kept_note(checkpoint).encode() if checkpoint else b"",
            live=live,
        )
        source = source_of(bundle, *((None, None) if is_compared else (vkey, policy)))
        try:
            given = answer_to(name, source, inquiry)
        except QuestionError as error:
            raise MisuseError(str(error)) from error
    if live is not None and live.newest is not None:
        first_use_said(live.newest)
    text = QUESTIONS[name].text
    chosen.show(_document(name, text, given), _told(text, given, unit_of_cost(source)))


@contextmanager
def _asking(
    bundle: Path | None, vkey: list[str] | None, policy: Path | None, *, is_compared: bool
) -> "Iterator[ServerLive | None]":
    """Yield the server, if it is one that answers; verified only for what it is compared with."""
    from ledger.operations.compliance import ServerLive

    if bundle is not None:
        yield None
    elif is_compared:
        with believing(vkey, policy) as client:
            yield ServerLive(client)
    else:
        yield ServerLive(session().client)


def _document(name: str, question: str, given: "Answer") -> dict[str, Any]:
    from ledger.compliance.tables import as_records

    return {
        "name": name,
        "question": question,
        "state": given.state,
        "said": given.said,
        "missing": given.missing,
        "callers": given.callers,
        "how": given.how,
        "tables": [
            {"name": one.name, "title": one.title, "note": one.note, "rows": as_records(one)}
            for one in given.tables
        ],
    }


def _told(question: str, given: "Answer", unit: str) -> str:
    from ledger.compliance.tables import cell_text, heading_of

    lines = [question, ""]
    lines += given.said
    if given.missing:
        word = "Not answered" if given.state == "not answered" else "Answered in part"
        lines += ["", f"{word}. {given.missing}"] if given.said else [f"{word}. {given.missing}"]
    lines += given.callers
    for table in given.tables:
        lines += ["", f"{table.title}:"]
        rows = [
            [cell_text(row[at], one.kind, unit) or "-" for at, one in enumerate(table.columns)]
            for row in table.rows[:_ROWS_SHOWN]
        ]
        shown = output.table([heading_of(one) for one in table.columns], rows) if rows else "none"
        lines += [f"  {line}" for line in shown.split("\n")]
        if (more := len(table.rows) - len(rows)) > 0:
            lines.append(f"  … and {more} more rows; write them to a file")
        if table.note:
            lines.append(f"  {table.note}")
    if given.how:
        lines += ["", "To see or prove it:", *(f"  {command}" for command in given.how)]
    return output.lines(lines)
