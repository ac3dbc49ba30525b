"""`decision-ledger log …`: events, their proofs, and their publication.

Answers of a server are verified against the trust file, which remembers keys and the newest
checkpoint.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.compliance import Since, Until, scoped
from ledger.cli.event_lines import line_of
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, believing, first_use_said
from ledger.events import notation

if TYPE_CHECKING:
    from ledger.client.records import Event
    from ledger.compliance.tables import Cell
    from ledger.operations.publication import PublishableLog


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
    line = f"{event.position}  {when}  {event.stream}  {event.type}  {said}"
    output.write(output.lines([line]))


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
        output.say(f"Wrote a checkpoint over {notation.counted(signed.size, 'event')} to {out}.")
    chosen.show(signed, signed.note.rstrip("\n"))


def prove(
    position: Annotated[int, typer.Argument(min=1, help="Position of the event.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the proof to this file (.tlog-proof).")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="In the signed tree of this size; else in the newest.")
    ] = None,
    event_hash: Annotated[
        str | None, typer.Option("--event-hash", help="The hash you know the event by, in hex.")
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Prove that an event is in the ledger, and print or write the proof (tlog-proof).

    The proof is verified before it is shown, against the trust file and the policy; it verifies
    anywhere with `decision-ledger verify` and with any tool that reads tlog-proof.
    """
    chosen, expected = session(), values.hash_of(event_hash, "--event-hash")
    with believing(vkey, policy) as client:
        proof = client.prove_inclusion(position, size=size or 0, event_hash=expected)
    first_use_said(proof.checkpoint)
    if out is not None:
        out.write_text(proof.text, encoding="utf-8")
        output.say(f"Wrote the proof of position {position} to {out}.")
    shown = proof.text.rstrip("\n") if out is None else f"event hash {proof.event_hash.hex()}"
    chosen.show(proof, shown)


def consistency(
    earlier: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="A kept checkpoint's file, or the size of a signed one."
        ),
    ],
    later: Annotated[
        int | None,
        typer.Argument(metavar="TO", min=1, help="Size of a signed one; else the newest."),
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Verify that the ledger extends an earlier checkpoint; exits with 4 if it does not."""
    from ledger.operations.places import named_bytes, named_checkpoint

    chosen = session()
    with believing(vkey, policy) as client:
        if earlier.isascii() and earlier.isdigit():
            old = client.verified_checkpoint(size=int(earlier))
            size, root = old.size, old.root
        else:
            origin = client.get_ledger().origin
            kept = named_checkpoint(named_bytes(Path(earlier)), origin, earlier)
            size, root = kept.size, kept.root
        joined = client.verify_consistency(size, root, to_size=later or 0)
    new = joined.checkpoint
    first_use_said(new)
    chosen.show(
        joined,
        f"{new.origin}: the tree of {new.size} events begins with that of {size}.",
    )


def publish(
    folder: Annotated[Path, typer.Argument(help="The folder to publish into.")],
    database: Annotated[
        str | None,
        typer.Option("--db", help="Publish from this database, read only, without a server."),
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Publish the ledger as static tiles (C2SP tlog-tiles), for mirrors, CDNs and any follower.

    Writes what is new since the last run; the checkpoint comes last. Entries are the canonical
    headers: bodies never leave this way. With --witness-policy only a checkpoint that has its
    quorum. Exits with 4, and changes nothing that is served, if the ledger does not extend what was
    published.
    """
    from ledger.operations import publication

    log = _served(vkey, policy) if database is None else _stored(database, vkey, policy)
    with log as found, output.progress(f"Publishing into {folder}", found.size) as move:
        done = publication.publish(folder, found, move)
    session().show(
        done,
        f"{done.origin}: {notation.counted(done.size, 'event')} published in {folder}, "
        f"{done.size - done.previous_size} of them new.",
    )


@contextmanager
def _served(vkey: list[str] | None, policy: Path | None) -> "Iterator[PublishableLog]":
    """Yield the log of the server, under a checkpoint that it signs now."""
    from ledger.operations.publication import served_log

    with believing(vkey, policy) as client:
        signed = client.verified_checkpoint()
        first_use_said(signed)
        yield served_log(client, signed)


@contextmanager
def _stored(
    database: str, vkey: list[str] | None, policy: Path | None
) -> "Iterator[PublishableLog]":
    from ledger.operations.publication import stored_log
    from ledger.operations.trust import trusted

    chosen = session()
    origin = chosen.ledger or chosen.settings.client.ledger
    with stored_log(database, origin, trusted(vkey, policy, chosen.times)) as log:
        if log.is_taken_at_its_word:
            output.say(
                f"The key came from {log.origin} itself: compare it with one obtained elsewhere."
            )
        yield log


def seal() -> None:
    """Record how far every stream has come, so that an export of one can prove itself complete."""
    chosen = session()
    made = chosen.client.seal_streams()
    chosen.show(
        made,
        f"{notation.counted(made.streams, 'stream')} sealed as of position {made.as_of}, by the "
        f"event at position {made.appended.position}.\nroot {made.root.hex()}",
    )


def access(
    by: Annotated[
        str, typer.Option("--by", metavar="ACTOR", help="Only what this person or service did.")
    ] = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """List who read what, and whose calls were refused: from where, how often, and why.

    Exports, audits and mass reads are listed one by one, ordinary reads by day. An access is
    recorded a minute after its last read, counts once an hour, and both at the end of the server
    (`access.recorded`, `access.seconds`); refusals once a minute (`refusals.seconds`). The purpose
    is what the caller stated.
    """
    from ledger.compliance.access import accesses_table, reads_table
    from ledger.compliance.conduct import refusals_table
    from ledger.compliance.tables import as_records
    from ledger.operations.compliance import ServerFacts

    chosen = session()
    scope, source = scoped("", by, since, until), ServerFacts(chosen.client)
    accesses, reads = accesses_table(source, scope), reads_table(source, scope)
    refusals = refusals_table(source, scope)
    found, days, refused = as_records(accesses), as_records(reads), as_records(refusals)
    listed = [
        (
            notation.shown_time(str(one["started_at"])),
            one["actor"],
            one["address"],
            _what(one),
            one["purpose"],
        )
        for one in found
    ]
    counted = [(one["day"], one["actor"], one["method"], one["count"]) for one in days]
    turned = [
        (
            notation.shown_time(str(one["last_at"])),
            *(one[name] or "-" for name in ("actor", "address", "method", "reason")),
            one["count"],
        )
        for one in refused
    ]
    parts = [
        output.table(("STARTED", "ACTOR", "ADDRESS", "READ", "PURPOSE"), listed),
        output.table(("DAY", "ACTOR", "METHOD", ">READS"), counted),
        *([reads.note] if reads.note else []),
        output.table(("LAST REFUSED", "ACTOR", "ADDRESS", "METHOD", "REASON", ">CALLS"), turned),
        *([refusals.note] if refusals.note else []),
    ]
    document = {"accesses": found, "reads": days, "refusals": refused}
    chosen.show(document, "\n\n".join(parts))


def _what(access: "dict[str, Cell]") -> str:
    """Return what was read, in a few words."""
    if access["export"]:
        return f"{access['method']}: {access['archive_bytes']} bytes of export {access['export']}"
    events = notation.counted(int(access["events"] or 0), "event")
    if not access["last_position"]:
        return f"{access['method']}: {events}"
    return f"{access['method']}: {events}, {access['first_position']} to {access['last_position']}"
