"""`decision-ledger log …`."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.event_lines import line_of
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, believing, first_use_said

if TYPE_CHECKING:
    from ledger.client.records import Event


def tail(
    after: Annotated[
        int | None, typer.Option(min=0, help="Begin after this position; else near the end.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=output.COUNT_MAX, help="At most so many.")
    ] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come.")] = False,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type, as decision.made.v1.")
    ] = None,
    stream: Annotated[
        list[str] | None, typer.Option(help="Only this stream, as models/fares.")
    ] = None,
) -> None:
    """Print events: the newest ones, or those after a position; with --follow without end.

    A line says what an event says in the notation of people; --json prints the bodies as stored.
    """
    chosen = session()
    types, streams = type_ or (), stream or ()
    client = chosen.client
    start = after
    if start is None:
        head = client.get_ledger().head_position
        start = max(head - limit, 0)
    if follow:
        for event in client.watch_events(after_position=start, types=types, streams=streams):
            _print(event)
        return
    found = client.list_events(after_position=start, types=types, streams=streams)
    for event in islice(found, limit):
        _print(event)


def _print(event: "Event") -> None:
    if session().as_json:
        shown = output.plain(event)
        shown["body"] = event.content or None
        output.write_json(shown, is_line=True)
        return
    said = line_of(event.data, lambda: session().unit_of_cost) if event.body else "(erased)"
    when = output.when(event.recorded_at)
    output.write(f"{event.position}  {when}  {event.stream}  {event.type}  {said}")


def checkpoint(
    out: Annotated[
        Path | None, typer.Option("--output", help="Write the signed note to this file.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="The one of this size, with the cosignatures it has.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--list", help="List what was ever signed, as the server says.")
    ] = False,
    after: Annotated[int, typer.Option(min=0, help="With --list: only larger ones.")] = 0,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Have a checkpoint signed over all that is recorded, verify it, and print it.

    It must be signed by a trusted key and extend the newest one that was verified before, or the
    command exits with 4 and keeps both as evidence. With --witness-policy it must have its quorum.
    """
    chosen = session()
    if all_:
        found = list(chosen.client.list_checkpoints(after_size=after))
        rows = [(one.size, one.root.hex(), ", ".join(one.witnesses)) for one in found]
        chosen.show({"checkpoints": found}, output.table((">SIZE", "ROOT", "WITNESSES"), rows))
        return
    with believing(vkey, policy) as client:
        signed = client.verified_checkpoint(size=size or 0)
    first_use_said(signed)
    if out is not None:
        out.write_text(signed.note, encoding="utf-8")
        output.say(f"Wrote a checkpoint over {output.counted(signed.size, 'event')} to {out}.")
    chosen.show(signed, signed.note.rstrip("\n"))
