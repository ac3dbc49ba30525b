"""`decision-ledger verify`: one verb for logs, bundles, receipts and proofs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ledger.cli import output, values
from ledger.cli.session import Session, session
from ledger.cli.trust import Keys, PolicyFile, kept_note
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.audit.report import Report
    from ledger.audit.source import LedgerSource
    from ledger.export.reach import AgeBound
    from ledger.operations.trust import TrustAnchors


MaxSealAge: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="For a bundle: refuse it if its end, of a stream its seal, lies longer before the "
        "checkpoint, as 28d or 12h."
    ),
]


def verify(
    thing: Annotated[
        str | None,
        typer.Argument(
            help="A database (file or URL), a bundle, a receipt, a proof, or a folder of tiles; "
            "without it, the server."
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="For server, database and tiles: a checkpoint kept from earlier, which the log "
            "must still contain."
        ),
    ] = None,
    event_hash: Annotated[
        str | None, typer.Option("--event-hash", help="For a proof: the event's hash, in hex.")
    ] = None,
    event_file: Annotated[
        Path | None,
        typer.Option(help="For a proof: the event's canonical header, or its line in a bundle."),
    ] = None,
    max_seal_age: MaxSealAge = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of every verdict, no more.")
    ] = False,
) -> None:
    """Verify a server, a database, a bundle, a receipt, a proof or tiles: hashes and signatures.

    What it is given is looked at, and exits with 4 and the place if anything does not hold. All
    checking happens here: a server is only asked for bytes. The owner of database and signing key
    can rewrite everything; a checkpoint kept elsewhere (--checkpoint) shows that too. Of a log, no
    score, decision or plan may miss what was recorded before it; whether it follows from what was
    observed is for `audit run`.
    """
    from ledger.operations.trust import trusted
    from ledger.operations.verification.files import check_proof, check_receipt
    from ledger.operations.verification.target import thing_at

    if schema:
        from ledger.audit.report import schema_text

        output.write(schema_text().rstrip())
        return
    chosen = session("verification")
    given = trusted(vkey, policy, chosen.times)
    kind = "server" if thing is None else thing_at(thing)
    _refuse_strays(kind, checkpoint, event_hash, event_file, max_seal_age)
    if thing is None or kind in {"server", "database", "tiles"}:
        verdict = _verify_log(chosen, thing, checkpoint, given)
    elif kind == "bundle":
        verdict = _verify_bundle(Path(thing), max_seal_age, given)
    elif kind == "receipt":
        verdict = check_receipt(Path(thing), given)
    else:
        event = values.hash_of(event_hash, "--event-hash") or event_file
        verdict = check_proof(Path(thing), event, given)
    show_verdict(verdict)


def _refuse_strays(
    kind: str,
    checkpoint: Path | None,
    event_hash: str | None,
    event_file: Path | None,
    max_seal_age: str | None,
) -> None:
    """Refuse options that are for another kind of thing, or exclude each other."""
    only_for = {
        "--checkpoint": (checkpoint, {"server", "database", "tiles"}),
        "--event-hash": (event_hash, {"proof"}),
        "--event-file": (event_file, {"proof"}),
        "--max-seal-age": (max_seal_age, {"bundle"}),
    }
    for flag, (value, kinds) in only_for.items():
        if value is not None and kind not in kinds:
            raise MisuseError(f"{flag} is not for a {kind}.", "Leave it out.")
    if event_hash is not None and event_file is not None:
        raise MisuseError("A proof is of one event.", "Give one: --event-hash or --event-file.")


def _verify_bundle(path: Path, max_seal_age: str | None, given: "TrustAnchors") -> "Report":
    from ledger.operations.verification.files import check_bundle

    bound = age_bound(max_seal_age)
    with output.progress("Verifying") as move:
        return check_bundle(path, given, move, bound)


def _verify_log(
    chosen: Session, place: str | None, checkpoint: Path | None, given: "TrustAnchors"
) -> "Report":
    from ledger.operations.verification.log import verify_log

    kept = "" if checkpoint is None else kept_note(checkpoint)
    source = log_source(chosen, place)
    try:
        with output.progress(f"Verifying {source.origin}", source.size) as move:
            return verify_log(source, given, kept, move, place=place or chosen.target)
    finally:
        source.close()


def log_source(chosen: Session, place: str | None) -> "LedgerSource":
    """Return what a path or URL names, opened to read only; the server without one."""
    from ledger.operations.served_ledger import ServedLedger
    from ledger.operations.verification.target import source_at

    if place is None:
        return ServedLedger(chosen.client)
    return source_at(place, chosen.ledger or chosen.settings.client.ledger)


def age_bound(text: str | None) -> "AgeBound | None":
    """Return the bound that --max-seal-age states."""
    from ledger.export.reach import AgeBound

    if text is None:
        return None
    seconds = values.seconds(text, "--max-seal-age")
    return AgeBound(seconds, session().clock.now_micros())


def show_verdict(verdict: "Report", done: str = "") -> None:
    """Show a verdict, with `done` as a line before it; raise what it is where nothing holds."""
    from ledger.operations.verification.verdict import required

    lines = [done] if done and verdict.passed else []
    session().show(verdict, "\n".join([*lines, verdict.text()]))
    required(verdict)
