"""`decision-ledger erase`: bodies removed for good, after showing what that means."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.cli.exits import Exit
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.operations.erasure import ErasurePreview

_DEADLINE_SECONDS: Final = 3_600.0  # the answer comes when projections were folded again
_STREAMS_SHOWN: Final = 20


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
    what rests on an erased body cannot be replayed. It takes the action `bodies.erase`; without an
    administrator, a name in `erasure.actors`. Answers once the service holds no copy; backups and
    bundles that were handed out are not in its reach.
    """
    from ledger.operations.erasure import preview, ranges_of

    ranges = ranges_of(positions)
    chosen = session()
    with output.progress("Looking at the events") as move:
        found = preview(chosen.client, ranges, move)
    _show(ranges, found)
    if not yes:
        if chosen.as_json:
            raise MisuseError("With --json there is no one to ask.", "Add --yes once you are sure.")
        if not _is_confirmed():
            output.say("Nothing was erased.")
            raise typer.Exit(Exit.REFUSED)
    seconds = chosen.deadline_seconds or _DEADLINE_SECONDS
    erased = chosen.client.using(deadline_seconds=seconds).erase_bodies(
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


def _show(ranges: Sequence[tuple[int, int]], found: "ErasurePreview") -> None:
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
        "This cannot be undone. Later events may repeat what these say: scores, "
        "decisions (owner, tier, labels) and plans are erased only if their positions are named."
    )


def _bodies(count: int) -> str:
    return "1 body" if count == 1 else f"{count} bodies"
