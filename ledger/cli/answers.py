"""`decision-ledger audit answer` and `audit controls`: the questions that auditors ask, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import output
from ledger.cli.compliance import source_of
from ledger.cli.session import session
from ledger.cli.trust import Bundle, Keys, PolicyFile, believing, first_use_said, kept_note
from ledger.cli.values import parse_time
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.compliance.facts import FactSource
    from ledger.compliance.inquiry import Answer, Inquiry
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
    is_all: Annotated[bool, typer.Option("--all", help="Every question.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --all: write the answers as one page.")
    ] = None,
    bundle: Bundle = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Answer a question that auditors ask, or all of them, from the ledger's events alone.

    Says what is not recorded. Without a name: lists the questions. With --vkey or --witness-policy
    a bundle is verified first, and the server's checkpoint that `whole-history` compares with
    yours; exits with 4 if it does not hold.
    """
    from ledger.client.inputs import micros_of_datetime
    from ledger.compliance.inquiry import Inquiry
    from ledger.compliance.questions import QUESTIONS

    chosen = session("audit answer")
    _refuse_unclear(name, html, is_all=is_all)
    if not name and not is_all:
        texts = {key: question.text for key, question in QUESTIONS.items()}
        chosen.show({"questions": texts}, output.table(("NAME", "QUESTION"), list(texts.items())))
        return
    is_compared = checkpoint is not None and bundle is None and (is_all or name == "whole-history")
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
        if is_all:
            _show_all(source, inquiry, html)
        else:
            _show_one(name, source, inquiry)
    if live is not None and live.newest is not None:
        first_use_said(live.newest)


def _refuse_unclear(name: str, html: Path | None, *, is_all: bool) -> None:
    """Raise MisuseError where it is not clear which questions are meant."""
    if name and is_all:
        raise MisuseError(f"{name[:80]!r} and --all ask for one question and for all of them.")
    if html is not None and not is_all:
        raise MisuseError("--html is the page of all answers.", "Add --all.")


def _show_one(name: str, source: "FactSource", inquiry: "Inquiry") -> None:
    from ledger.compliance.facts import unit_of_cost
    from ledger.compliance.inquiry import QuestionError
    from ledger.compliance.questions import QUESTIONS
    from ledger.compliance.questions import answer as answer_to

    try:
        given = answer_to(name, source, inquiry)
    except QuestionError as error:
        raise MisuseError(str(error)) from error
    text = QUESTIONS[name].text
    told = [_told(text, given, unit_of_cost(source)), *given.callers]
    session().show(_document(name, text, given), "\n".join(told))


def _show_all(source: "FactSource", inquiry: "Inquiry", html: Path | None) -> None:
    from ledger.compliance.facts import unit_of_cost
    from ledger.compliance.questions import QUESTIONS, answer_all
    from ledger.operations.compliance import write_answers

    given = answer_all(source, inquiry) if html is None else write_answers(source, inquiry, html)
    texts = {name: QUESTIONS[name].text for name in given}
    document = {
        "ledger": source.origin,
        "answers": [_document(name, texts[name], one) for name, one in given.items()],
    }
    if html is not None:
        session().show(document, f"{len(given)} answers are in {html}.")
        return
    unit = unit_of_cost(source)
    told = [_told(texts[name], one, unit) for name, one in given.items()]
    callers = [line for one in given.values() for line in one.callers]
    told += ["\n".join(dict.fromkeys(callers))] if callers else []
    session().show(document, "\n\n\n".join(told))


def controls(
    framework: Annotated[
        str, typer.Argument(metavar="[FRAMEWORK]", help="Which law or standard; all if none.")
    ] = "",
) -> None:
    """Show the control map: the events, commands, tables and questions for each clause.

    No server is asked: `audit answer controls` says what a ledger holds for each. The map is in
    words of its own and no legal advice.
    """
    from ledger.compliance.controls import frameworks

    known = frameworks()
    if framework and framework not in known:
        raise MisuseError(f"There is no map of {framework[:80]!r}.", f"Maps: {', '.join(known)}.")
    chosen = [one for name, one in known.items() if framework in {"", name}]
    parts = []
    for one in chosen:
        parts += [
            "",
            f"{one.title} ({one.edition}), map of {one.map_version}: {one.name}",
            one.note,
        ]
        for clause in one.clauses:
            parts += ["", f"  {clause.clause}: {clause.asks}"]
            parts += [
                f"    {word}: {', '.join(names)}"
                for word, names in (
                    ("events", clause.events),
                    ("commands", clause.commands),
                    ("tables", clause.tables),
                    ("questions", clause.questions),
                )
                if names
            ]
    session().show({"frameworks": chosen}, output.lines(parts[1:]))


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
