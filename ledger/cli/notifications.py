"""`decision-ledger notification …`."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.exits import Exit
from ledger.cli.session import session
from ledger.events import notation

if TYPE_CHECKING:
    from ledger.client.notifications import DeadNotification, Subscriber

_Subscriber = Annotated[
    str, typer.Argument(help="Its name, as `notification list` shows it, such as `pager`.")
]


def list_() -> None:
    """List the subscribers of a ledger: how far each was told, and what is wrong."""
    chosen = session()
    found = list(chosen.client.list_subscribers())
    headings = ("SUBSCRIBER", "KIND", "TO", ">TOLD UP TO", ">BEHIND", ">DEAD", "PROBLEM")
    rows = [
        (
            one.name,
            one.kind.lower(),
            one.address,
            one.cursor_position,
            one.head_position - one.cursor_position,
            one.dead_letters,
            _problem(one),
        )
        for one in found
    ]
    chosen.show({"subscribers": found}, output.table(headings, rows))


def _problem(one: "Subscriber") -> str:
    if not one.problem:
        return ""
    tried = notation.counted(one.attempts, "attempt")
    since = f" since {output.when(one.failing_since)}" if one.failing_since else ""
    return f"{one.problem} ({tried}{since})"


def dead(
    subscriber: Annotated[
        str | None, typer.Argument(help="Name of one subscriber; all of them if left out.")
    ] = None,
) -> None:
    """List the events that could not be delivered and were set aside."""
    chosen = session()
    client = chosen.client
    names = [subscriber] if subscriber else [one.name for one in client.list_subscribers()]
    found = [(name, letter) for name in names for letter in client.list_dead_letters(name)]
    headings = ("SUBSCRIBER", ">POSITION", "TYPE", "SET ASIDE", ">ATTEMPTS", "WHY")
    rows = [
        (
            name,
            letter.position,
            letter.type,
            output.when(letter.died_at),
            letter.attempts,
            _why(letter),
        )
        for name, letter in found
    ]
    letters = [{"subscriber": name, **asdict(letter)} for name, letter in found]
    chosen.show({"dead_letters": letters}, output.table(headings, rows))


def _why(letter: "DeadNotification") -> str:
    return f"{letter.problem} (is sent again)" if letter.is_replayed else letter.problem


def replay(
    subscriber: _Subscriber,
    positions: Annotated[
        list[int] | None,
        typer.Argument(metavar="POSITION…", help="Positions of events; all if none is named."),
    ] = None,
) -> None:
    """Send dead letters of a subscriber again, each once; one that fails again is kept.

    They are sent beside the events of today, so they come out of order: a receiver knows each by
    its id.
    """
    chosen = session()
    count = chosen.client.replay_dead_letters(subscriber, positions or ())
    chosen.show({"count": count}, f"{notation.counted(count, 'dead letter')} will be sent again.")


def test(subscriber: _Subscriber) -> None:
    """Send a subscriber a notification that is no event, once.

    Exits with 1 if it did not take it.
    """
    chosen = session()
    tried = chosen.client.test_subscriber(subscriber)
    said = "took it" if tried.is_delivered else f"did not take it: {tried.problem}"
    chosen.show(tried, f"{subscriber} {said}.")
    if not tried.is_delivered:
        raise typer.Exit(Exit.REFUSED)
