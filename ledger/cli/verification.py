"""`decision-ledger verify`: one verb for logs, bundles, receipts and proofs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ledger.cli import output, values
from ledger.cli.session import Session, session
from ledger.cli.trust import Keys, PolicyFile, kept_note
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.audit.source import LedgerSource
    from ledger.export.reach import AgeBound
    from ledger.export.receipt import Receipt
    from ledger.export.verify import VerifiedBundle
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
) -> None:
    """Verify a server, a database, a bundle, a receipt, a proof or tiles: hashes and signatures.

    What it is given is looked at, and exits with 4 and the place if anything does not hold. All
    checking happens here: a server is only asked for bytes. The owner of database and signing key
    can rewrite everything; a checkpoint kept elsewhere (--checkpoint) shows that too. Whether
    decisions follow from what was observed is for `audit run`.
    """
    from ledger.operations.trust import trusted
    from ledger.operations.verification.files import check_receipt
    from ledger.operations.verification.target import thing_at

    chosen, given = session(), trusted(vkey, policy)
    kind = "server" if thing is None else thing_at(thing)
    only_for = {
        "--checkpoint": (checkpoint, {"server", "database", "tiles"}),
        "--event-hash": (event_hash, {"proof"}),
        "--event-file": (event_file, {"proof"}),
        "--max-seal-age": (max_seal_age, {"bundle"}),
    }
    for flag, (value, kinds) in only_for.items():
        if value is not None and kind not in kinds:
            raise MisuseError(f"{flag} is not for a {kind}.", "Leave it out.")
    if kind in {"server", "database", "tiles"}:
        _verify_log(chosen, thing, checkpoint, given)
        return
    assert thing is not None
    path = Path(thing)
    if kind == "bundle":
        _verify_bundle(path, max_seal_age, given)
    elif kind == "receipt":
        show_receipt(check_receipt(path, given), path)
    else:
        _verify_proof(path, event_hash, event_file, given)


def _verify_bundle(path: Path, max_seal_age: str | None, given: "TrustAnchors") -> None:
    from ledger.operations.verification.files import check_bundle

    bound = age_bound(max_seal_age)
    with output.progress("Verifying") as move:
        bundle = check_bundle(path, given, move, bound)
    show_bundle(bundle, path)


def _verify_proof(
    path: Path, event_hash: str | None, event_file: Path | None, given: "TrustAnchors"
) -> None:
    from ledger.operations.verification.files import check_proof

    if event_hash is not None and event_file is not None:
        raise MisuseError("A proof is of one event.", "Give one: --event-hash or --event-file.")
    proof = check_proof(path, values.hash_of(event_hash, "--event-hash") or event_file, given)
    by = f", cosigned by {', '.join(proof.witnesses)}" if proof.witnesses else ""
    tree = f"the signed tree of {notation.counted(proof.size, 'event')}"
    session().show(proof, f"{proof.origin}: position {proof.position} is in {tree}{by}.")


def _verify_log(
    chosen: Session, place: str | None, checkpoint: Path | None, given: "TrustAnchors"
) -> None:
    from ledger.operations.verification.log import verify_log

    kept = "" if checkpoint is None else kept_note(checkpoint)
    source = log_source(chosen, place)
    try:
        with output.progress(f"Verifying {source.origin}", source.size) as move:
            found = verify_log(source, given, kept, move)
    finally:
        source.close()
    events = notation.counted(found.size, "event")
    chosen.show(
        found,
        f"{found.origin}: {events} verified, up to position {found.size}.\n"
        f"head {found.head.hex()}\nroot {found.root.hex()}\n{found.signature}",
    )


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


def _signed(found: "VerifiedBundle | Receipt") -> list[str]:
    lines = [f"signed by {key}" for key in found.signed_by]
    return lines + ([f"cosigned by {', '.join(found.witnesses)}"] if found.witnesses else [])


def show_bundle(found: "VerifiedBundle", path: Path, done: str = "") -> None:
    """Show what a bundle is; `done` is a line before it."""
    scope, missing = found.scope, found.missing
    reasons = {reason: ranges.count() for reason, ranges in scope.withheld}
    document = {
        "thing": "bundle",
        "path": str(path),
        "origin": found.origin,
        "kind": scope.kind,
        "stream": scope.stream or "",
        "first_position": scope.first_position,
        "last_position": scope.last_position,
        "events": found.events,
        "checkpoint_size": found.checkpoint_size,
        "root": found.root,
        "signed_by": found.signed_by,
        "witnesses": found.witnesses,
        "erased_proven": missing.erased_proven,
        "erased_stated": missing.erased_stated,
        "withheld": missing.withheld,
        "withheld_reasons": reasons,
        "unknown_types": found.unknown_types,
        "manifest_digest": found.manifest_digest,
        "complete_up_to": found.reach.position,
        "recorded_at": found.reach.recorded_at,
        "events_newer": found.reach.events_newer,
        "report": found.report_verdict,
        "not_signed": found.unsigned,
    }
    events = notation.counted(found.events, "event") + (
        f" of {scope.stream}" if scope.stream else ""
    )
    covers = f"positions {scope.first_position} to {scope.last_position}"
    erased = f"{missing.erased_proven} erased (proven), {missing.erased_stated} erased (as stated)"
    lines = [
        *([done] if done else []),
        f"{found.origin}: {events} verified, {covers}.",
        str(found.reach),
        f"checkpoint over {notation.counted(found.checkpoint_size, 'event')}",
        f"root {found.root.hex()}",
        *_signed(found),
        f"bodies missing: {erased}, {missing.withheld} withheld",
        *(f"  {count}: {reason}" for reason, count in reasons.items()),
        *(
            f"unknown to this release, hashed and counted: {count} of {type_}"
            for type_, count in found.unknown_types.items()
        ),
        f"manifest {found.manifest_digest.hex()}, which export.issued names in the ledger",
        f"data/report.html: {found.report_verdict}",
        *(f"not signed: {name}" for name in found.unsigned),
    ]
    session().show(document, "\n".join(lines))


def show_receipt(found: "Receipt", path: Path, done: str = "") -> None:
    """Show what a receipt shows; `done` is a line before it."""
    decision = found.decision
    document = {
        "thing": "receipt",
        "path": str(path),
        "origin": found.origin,
        "model": found.model,
        "position": found.position,
        "action": decision.action,
        "tier": decision.tier,
        "rule": decision.rule,
        "evaluated_at": decision.evaluated_at,
        "historical": decision.historical,
        "score_position": found.score_position,
        "policy": decision.policy,
        "policy_version": decision.policy_version,
        "policy_position": found.policy_position,
        "input_positions": found.input_positions,
        "checkpoint_size": found.checkpoint_size,
        "root": found.root,
        "signed_by": found.signed_by,
        "witnesses": found.witnesses,
    }
    rule = f"rule {decision.rule}" if decision.rule else "no rule"
    policy = f"policy {decision.policy} version {decision.policy_version}"
    inputs = notation.counted(len(found.input_positions), "observation")
    place = f"the decision about {found.model} at position {found.position}"
    lines = [
        *([done] if done else []),
        f"{found.origin}: {place} is proven.",
        f"{decision.action}, evaluated {notation.shown_time(decision.evaluated_at)}"
        + (", historical: it changes nothing in force" if decision.historical else ""),
        f"by {rule} of {policy}, recorded at position {found.policy_position}",
        f"from the score at position {found.score_position}, computed from {inputs}",
        f"checkpoint over {notation.counted(found.checkpoint_size, 'event')}",
        *_signed(found),
    ]
    session().show(document, "\n".join(lines))
