"""`decision-ledger verify`: one verb for whatever a person was given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.session import Session, session
from ledger.cli.trust import Keys, PolicyFile, kept_note
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.audit.source import LedgerSource
    from ledger.operations.trust import TrustAnchors
    from ledger.operations.verification.bundle import CheckedBundle
    from ledger.operations.verification.log import VerifiedLog
    from ledger.operations.verification.proof import CheckedProof
    from ledger.operations.verification.receipt import CheckedReceipt
    from ledger.operations.verification.thing import Thing

    Verified = CheckedBundle | CheckedProof | CheckedReceipt | VerifiedLog


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
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Verify a server, a database, a bundle, a receipt, a proof or tiles: hashes and signatures.

    What it is given is looked at, and exits with 4 and the place if anything does not hold. All
    checking happens here: a server is only asked for bytes. The owner of database and signing key
    can rewrite everything; a checkpoint kept elsewhere (--checkpoint) shows that too. Whether
    decisions follow from what was observed is for `audit run`.
    """
    from ledger.operations.trust import trusted
    from ledger.operations.verification.thing import thing_at

    chosen, given = session(), trusted(vkey, policy)
    kind: Thing = "server" if thing is None else thing_at(thing)
    only_for = {
        "--checkpoint": (checkpoint, {"server", "database", "tiles"}),
        "--event-hash": (event_hash, {"proof"}),
        "--event-file": (event_file, {"proof"}),
    }
    for flag, (value, kinds) in only_for.items():
        if value is not None and kind not in kinds:
            raise MisuseError(f"{flag} is not for a {kind}.", "Leave it out.")
    if kind in {"server", "database", "tiles"}:
        found: Verified = _log(chosen, thing, checkpoint, given)
    else:
        assert thing is not None
        found = _file(kind, Path(thing), event_hash, event_file, given)
    chosen.show(found, told(found))


def _log(
    chosen: Session, place: str | None, checkpoint: Path | None, given: "TrustAnchors"
) -> "VerifiedLog":
    from ledger.operations.verification.log import verify_log

    kept = "" if checkpoint is None else kept_note(checkpoint)
    source = log_source(chosen, place)
    try:
        with output.progress(f"Verifying {source.origin}", source.size) as move:
            return verify_log(source, given, kept, move)
    finally:
        source.close()


def log_source(chosen: Session, place: str | None) -> "LedgerSource":
    """Return what a path or URL names, opened to read only; the server without one."""
    from ledger.operations.served_ledger import ServedLedger
    from ledger.operations.verification.thing import source_at

    if place is None:
        return ServedLedger(chosen.client)
    return source_at(place, chosen.ledger or chosen.settings.client.ledger)


def _file(
    kind: "Thing",
    path: Path,
    event_hash: str | None,
    event_file: Path | None,
    given: "TrustAnchors",
) -> "CheckedBundle | CheckedProof | CheckedReceipt":
    from ledger.operations.verification.bundle import check_bundle
    from ledger.operations.verification.proof import check_proof
    from ledger.operations.verification.receipt import check_receipt

    if kind == "bundle":
        with output.progress("Verifying") as move:
            return check_bundle(path, given, move)
    if kind == "receipt":
        return check_receipt(path, given)
    if event_hash is not None and event_file is not None:
        raise MisuseError("A proof is of one event.", "Give one: --event-hash or --event-file.")
    return check_proof(path, values.hash_of(event_hash, "--event-hash") or event_file, given)


def told(found: "Verified") -> str:
    """Return for a person what was found."""
    from ledger.operations.verification.bundle import CheckedBundle
    from ledger.operations.verification.log import VerifiedLog
    from ledger.operations.verification.proof import CheckedProof

    if isinstance(found, CheckedBundle):
        return _bundle_told(found)
    if isinstance(found, VerifiedLog):
        events = output.counted(found.size, "event")
        return (
            f"{found.origin}: {events} verified, up to position {found.size}.\n"
            f"head {found.head.hex()}\nroot {found.root.hex()}\n{found.signature}"
        )
    if isinstance(found, CheckedProof):
        by = f", cosigned by {', '.join(found.witnesses)}" if found.witnesses else ""
        tree = f"the signed tree of {output.counted(found.size, 'event')}"
        return f"{found.origin}: position {found.position} is in {tree}{by}."
    return _receipt_told(found)


def _signed(found: "CheckedBundle | CheckedReceipt") -> list[str]:
    lines = [f"signed by {key}" for key in found.signed_by]
    return lines + ([f"cosigned by {', '.join(found.witnesses)}"] if found.witnesses else [])


def _bundle_told(found: "CheckedBundle") -> str:
    events = output.counted(found.events, "event") + (f" of {found.stream}" if found.stream else "")
    covers = f"positions {found.first_position} to {found.last_position}"
    erased = f"{found.erased_proven} erased (proven), {found.erased_stated} erased (as stated)"
    missing = f"{erased}, {found.withheld} withheld"
    return "\n".join(
        [
            f"{found.origin}: {events} verified, {covers}.",
            f"checkpoint over {output.counted(found.checkpoint_size, 'event')}",
            f"root {found.root.hex()}",
            *_signed(found),
            f"bodies missing: {missing}",
            *(f"  {count}: {reason}" for reason, count in found.withheld_reasons.items()),
            *(
                f"unknown to this release, hashed and counted: {count} of {type_}"
                for type_, count in found.unknown_types.items()
            ),
        ]
    )


def _receipt_told(found: "CheckedReceipt") -> str:
    from ledger.events import notation

    rule = f"rule {found.rule}" if found.rule else "no rule"
    policy = f"policy {found.policy} version {found.policy_version}"
    inputs = output.counted(len(found.input_positions), "observation")
    place = f"the decision about {found.model} at position {found.position}"
    return "\n".join(
        [
            f"{found.origin}: {place} is proven.",
            f"{found.action}, evaluated {notation.shown_time(found.evaluated_at)}"
            + (", historical: it changes nothing in force" if found.historical else ""),
            f"by {rule} of {policy}, recorded at position {found.policy_position}",
            f"from the score at position {found.score_position}, computed from {inputs}",
            f"checkpoint over {output.counted(found.checkpoint_size, 'event')}",
            *_signed(found),
        ]
    )
