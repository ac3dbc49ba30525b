"""`decision-ledger erase`: bodies removed for good, after showing what that means."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.cli.exits import Exit
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import LedgerClient

_Ranges = list[tuple[int, int]]

_DEADLINE_SECONDS: Final = 3_600.0  # the answer comes when projections were folded again
_STREAMS_SHOWN: Final = 20
_DIGITS_MAX: Final = 16


@dataclass
class _Found:
    """What is in the ranges, and who was handed copies of it."""

    types: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    bundles: list[str] = field(default_factory=list)


def erase(
    positions: Annotated[
        str, typer.Option(metavar="RANGES", help="Which events, as 5-9,12: ascending and apart.")
    ],
    ground: Annotated[
        str, typer.Option(help="The legal ground; recorded for good, so no personal data.")
    ],
    authority: Annotated[
        str, typer.Option(help="In whose name, an office or role; recorded for good.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase the bodies of events, for good: they cannot be brought back.

    Shows what would be erased and asks, unless --yes. Headers, hashes and proofs stay and verify;
    what rests on an erased body cannot be replayed. Only actors that the operator names in
    `erasure.actors` may do this. Answers once the service holds no copy; backups and bundles that
    were handed out are not in its reach.
    """
    ranges = ranges_of(positions)
    chosen = session()
    client = chosen.client
    _show(ranges, _look(client, ranges))
    if not yes:
        if chosen.as_json:
            raise MisuseError("With --json there is no one to ask.", "Add --yes once you are sure.")
        if not _is_confirmed():
            output.say("Nothing was erased.")
            raise typer.Exit(Exit.REFUSED)
    seconds = chosen.deadline_seconds or _DEADLINE_SECONDS
    erased = client.using(deadline_seconds=seconds).erase_bodies(
        ranges, ground=ground, authority=authority
    )
    bodies = _bodies(erased.erased)
    chosen.show(
        erased,
        f"Erased {bodies} for good. The event at position {erased.appended.position} says so.",
    )


def _is_confirmed() -> bool:
    """Ask; no answer at all is a no."""
    try:
        return typer.confirm("Erase them for good?", err=True)
    except typer.Abort:
        return False


def ranges_of(text: str) -> _Ranges:
    """Return the ranges that a text like `5-9,12` names; MisuseError where it names none."""
    ranges: _Ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = [first, last if dash else first]
        if not all(each.isascii() and each.isdigit() for each in numbers) or any(
            len(each) > _DIGITS_MAX for each in numbers
        ):
            raise MisuseError(
                f"--positions: {part.strip()[:40]!r} is no position and no range.", "Write 5-9,12."
            )
        low, high = int(numbers[0]), int(numbers[1])
        if low < 1 or high < low or (ranges and low <= ranges[-1][1]):
            raise MisuseError(
                f"--positions: {part.strip()!r} does not ascend from position 1 on, apart from "
                "what is before it.",
                "Write 5-9,12.",
            )
        ranges.append((low, high))
    return ranges


def _look(client: "LedgerClient", ranges: _Ranges) -> _Found:
    """Return what is at the positions; whatever lies beyond the head the ledger refuses."""
    from ledger.events.proving import ExportIssued

    found = _Found()
    head = client.get_ledger().head_position
    total = sum(last - first + 1 for first, last in ranges)
    seen = 0
    with output.progress("Looking at the events", total) as move:
        for first, last in ranges:
            if first > head:
                break
            for event in client.list_events(
                after_position=first - 1, until_position=min(last, head)
            ):
                seen += 1
                if event.body:
                    found.types[event.type] += 1
                    found.streams[event.stream] += 1
                else:
                    found.gone += 1
                move(seen)
    for event in client.list_events(types=[ExportIssued.TYPE]):
        if event.body and _meets(ranges, event.data["first_position"], event.data["last_position"]):
            found.bundles.append(str(event.data["export"]))
    return found


def _meets(ranges: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    return any(low <= last and high >= first for low, high in ranges)


def _show(ranges: _Ranges, found: _Found) -> None:
    """Tell what would be erased and what follows from it."""
    from ledger.events.registry import BY_TYPE

    total = found.types.total()
    named = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
    output.say(f"Positions {named}: {_bodies(total)} would be erased.")
    if found.gone:
        output.say(f"Erased already: {found.gone}.")
    for type_, count in sorted(found.types.items()):
        meaning = BY_TYPE[type_].ONCE_ERASED if type_ in BY_TYPE else ""
        output.say(f"  {count} {type_}" + (f": {meaning}" if meaning else ""))
    if found.streams:
        shown = [name for name, _ in found.streams.most_common(_STREAMS_SHOWN)]
        more = len(found.streams) - len(shown)
        output.say("Streams: " + ", ".join(shown) + (f" and {more} more" if more else ""))
    if found.bundles:
        output.say(
            "Bundles that were issued over these positions: " + ", ".join(found.bundles) + ". The "
            "service deletes its own copies; holders of others have to be told."
        )
    output.say(
        "This cannot be undone. What was recorded after them may repeat what they say: scores, "
        "decisions (owner, tier, labels) and plans are erased only if their positions are named."
    )


def _bodies(count: int) -> str:
    return "1 body" if count == 1 else f"{count} bodies"
