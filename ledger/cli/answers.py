"""`decision-ledger audit answer`: the questions that auditors ask, answered from events."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import output
from ledger.cli.compliance import source_of
from ledger.cli.moments import parse_time
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, believing, first_use_said
from ledger.operations.failures import MisuseError
from ledger.reading import NOTE_BYTES_MAX, read_bytes

if TYPE_CHECKING:
    from ledger.compliance.inquiry import Answer
    from ledger.operations.compliance import ServerLive

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
    bundle: Annotated[
        Path | None, typer.Option(help="Read this export bundle instead of asking a server.")
    ] = None,
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

    chosen = session()
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
            checkpoint=_read(checkpoint),
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


def _read(checkpoint: Path | None) -> bytes:
    if checkpoint is None:
        return b""
    try:
        note = read_bytes(checkpoint, NOTE_BYTES_MAX)
    except OSError as error:
        raise MisuseError(f"{checkpoint} cannot be read: {error.strerror}.") from error
    if not note:  # nothing would stand for none, and the question be answered without it
        raise MisuseError(f"--checkpoint: {checkpoint} is empty.", "Check the path.")
    return note


def _document(name: str, question: str, given: "Answer") -> dict[str, Any]:
    from ledger.compliance.tables import as_records

    return {
        "name": name,
        "question": question,
        "state": given.state,
        "said": given.said,
        "missing": given.missing,
        "how": given.how,
        "tables": [
            {"name": one.name, "title": one.title, "note": one.note, "rows": as_records(one)}
            for one in given.tables
        ],
    }


def _told(question: str, given: "Answer", unit: str) -> str:
    from ledger.compliance.tables import text_of

    lines = [question, ""]
    lines += given.said
    if given.missing:
        word = "Not answered" if given.state == "not answered" else "Answered in part"
        lines += ["", f"{word}. {given.missing}"] if given.said else [f"{word}. {given.missing}"]
    for table in given.tables:
        lines += ["", f"{table.title}:"]
        rows = text_of(table, _ROWS_SHOWN, unit) if table.rows else ["none"]
        lines += [f"  {line}" for line in rows]
        if table.note:
            lines.append(f"  {table.note}")
    if given.how:
        lines += ["", "To see or prove it:", *(f"  {command}" for command in given.how)]
    return "\n".join(lines)
