"""`decision-ledger drill run`: the built-in drills, on a copy of the ledger."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import Session, session
from ledger.events import notation
from ledger.operations.failures import IntegrityFailure, MisuseError

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.operations.drills.performance import DrillResult
    from ledger.setting_sections import Settings


def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[DRILL]...", help="Which; all if none is named.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--db", help="The ledger's database, if it is not the one in the settings."),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Whether the server records the results.")
    ] = True,
) -> None:
    """Attack a copy of the ledger in each built-in way, and say what noticed each and how fast.

    The ledger itself is only read: a SQLite file is copied as a backup is, for PostgreSQL and
    where there is no file a small ledger is made. Exits with 4 if an attack was not detected.
    """
    from ledger.clock import SystemClock
    from ledger.operations.drills.performance import chosen_drills, perform
    from ledger.operations.drills.record import record_result

    chosen, clock = session("drills"), SystemClock()
    wanted = chosen_drills(names or ())
    client = chosen.client if record else None
    origin = _origin(chosen, client)
    results: list[DrillResult] = []
    positions: list[int] = []
    with _quiet(), _interruptible(), output.progress("Drilling", len(wanted)) as move:
        performed = perform(
            wanted, _attacked(chosen.settings, database), origin, clock, lambda _, done: move(done)
        )
        with closing(performed):
            for result in performed:
                results.append(result)
                if client is not None:
                    positions.append(record_result(client, result).position)
    document = [{**output.plain(one), "position": at} for one, at in _placed(results, positions)]
    chosen.show({"drills": document}, _told(results))
    if positions:
        output.say(f"Recorded as drill.recorded at positions {', '.join(map(str, positions))}.")
    missed = [one.drill for one in results if not one.detected]
    if missed:
        raise IntegrityFailure(
            f"Not detected: {notation.listed(missed)}.",
            "See the findings above; correct the cause, then drill again.",
        )


def _origin(chosen: Session, client: "LedgerClient | None") -> str:
    """Return the ledger whose copy is attacked: that in which the results are recorded."""
    if client is not None:
        return client.get_ledger().origin
    return chosen.ledger or chosen.settings.client.ledger


def _attacked(settings: "Settings", database: str | None) -> "Settings":
    from ledger.storage.database import sqlite_file

    if database is None:
        return settings
    file = sqlite_file(database)
    if file is not None and not file.is_file():
        raise MisuseError(f"--db: there is no file {file}.")
    storage = settings.storage.model_copy(update={"database": database})
    return settings.model_copy(update={"storage": storage})


def _placed(
    results: "list[DrillResult]", positions: list[int]
) -> "Iterator[tuple[DrillResult, int | None]]":
    for number, result in enumerate(results):
        yield result, positions[number] if positions else None


def _told(results: "list[DrillResult]") -> str:
    rows = [
        (
            one.drill,
            f"by {', '.join(one.detected_by)}" if one.detected else "NO",
            "-" if one.micros_to_detect is None else notation.short_span(one.micros_to_detect),
        )
        for one in results
    ]
    lines = output.table(("DRILL", "DETECTED", ">AFTER"), rows).split("\n")
    for one in results:
        lines += ["", f"{one.drill}: {one.scenario}", *(f"  {what}" for what in one.findings)]
    return output.lines(lines)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the attacked servers log out of the answer."""
    import structlog

    def drop(*_: object) -> structlog.typing.EventDict:
        raise structlog.DropEvent

    usual = structlog.get_config()
    structlog.configure(processors=[drop])
    try:
        yield
    finally:
        structlog.configure(**usual)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, so that no copy of the ledger is left behind."""
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)
