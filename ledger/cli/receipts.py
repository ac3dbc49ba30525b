"""Receipts: one small file for one decision, fetched from a server and verified without one."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.exits import IntegrityFailure, MisuseError
from ledger.cli.session import session
from ledger.private import make_folder, open_file
from ledger.reading import RECEIPT_BYTES_MAX, read_bytes

if TYPE_CHECKING:
    from ledger.chain.link import Link
    from ledger.client import LedgerClient
    from ledger.client.records import Event
    from ledger.export.receipt import Receipt

_KEPT = "Keep the file as evidence, and ask the issuer for another."


@dataclass(frozen=True, slots=True)
class Received:
    """What a receipt shows."""

    path: str
    origin: str
    model: str
    position: int
    action: str
    tier: str
    rule: str
    evaluated_at: str
    historical: bool
    score_position: int
    policy: str
    policy_version: int
    policy_position: int
    input_positions: tuple[int, ...]
    checkpoint_size: int
    root: bytes
    signed_by: tuple[str, ...]
    witnesses: tuple[str, ...]


def receipt(
    decision: Annotated[
        str,
        typer.Argument(
            help="models/MODEL/decisions/POSITION, a position, or MODEL (the one in force)."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    vkey: Annotated[
        list[str] | None,
        typer.Option("--vkey", help="A verifier key of the ledger, obtained elsewhere."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="A tlog-policy file: logs, witnesses, quorum.")
    ] = None,
) -> None:
    """Write a receipt of one decision: the event, what it rests on, and proofs of all of it.

    It verifies anywhere, without this service: `decision-ledger export verify-receipt`.
    """
    from ledger.cli.decisions import resolved
    from ledger.cli.vouching import keys_of, policy_of

    if out.exists():
        raise MisuseError(f"{out} is there already.", "Name another file, or move it away.")
    chosen = session()
    quorum, keys = policy_of(policy), keys_of(vkey or [])
    data = _fetched(chosen.client, resolved(decision))
    if not keys and quorum is None:
        keys = keys_of([chosen.client.get_checkpoint().verifier_key])
        output.say("Its key came from the ledger itself: compare it with one obtained elsewhere.")
    make_folder(out.parent)
    with open_file(out) as file:  # it holds bodies, as a bundle does
        file.write(data)
    from ledger.export.receipt import ReceiptError, verify_receipt

    try:
        found = _received(verify_receipt(data, keys, quorum), str(out))
    except ReceiptError as error:
        raise IntegrityFailure(f"What came does not verify: {error}.", _KEPT) from error
    chosen.show(found, f"Wrote {out} ({len(data):,} bytes), and verified it.\n{_told(found)}")


def verify_receipt(
    path: Annotated[Path, typer.Argument(help="The receipt.")],
    vkey: Annotated[
        list[str] | None,
        typer.Option("--vkey", help="A verifier key of the ledger, obtained elsewhere."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="A tlog-policy file: logs, witnesses, quorum.")
    ] = None,
) -> None:
    """Verify a receipt of a decision, without any server.

    Exits with 4 if anything does not hold. That the decision follows from its inputs shows a
    replay; that it was recorded so, and when, shows the receipt.
    """
    from ledger.cli.vouching import keys_of, policy_of
    from ledger.export.receipt import ReceiptError
    from ledger.export.receipt import verify_receipt as verify

    keys, quorum = keys_of(vkey or []), policy_of(policy)
    if not keys and quorum is None:
        raise MisuseError(
            "A receipt is verified with a key that did not come with it.",
            "Give it with --vkey, or a --policy with `log` lines.",
        )
    try:
        found = _received(verify(read_bytes(path, RECEIPT_BYTES_MAX), keys, quorum), str(path))
    except OSError as error:
        raise MisuseError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except ReceiptError as error:
        raise IntegrityFailure(f"The receipt does not verify: {error}.", _KEPT) from error
    session().show(found, _told(found))


def _fetched(client: "LedgerClient", name: str) -> bytes:
    """Return the receipt of a decision, put together from what a server answers."""
    from ledger.client import FirstUseWarning
    from ledger.export.receipt import write_receipt

    position = int(name.rpartition("/")[2])
    replayed = client.replay(name)
    if replayed.outcome != "IDENTICAL":
        why = replayed.why or "it comes out differently"
        raise IntegrityFailure(
            f"{name} cannot be replayed, so its inputs cannot be told: {why}.",
            "See `decision-ledger decision replay`.",
        )
    event = _event(client, position)
    score = _event(client, event.data["score_position"])
    policy = _policy_event(client, event.data["policy"], event.data["policy_version"])
    checkpoint = client.get_checkpoint()
    with warnings.catch_warnings():
        # Whose key it is says this command itself, of what it wrote.
        warnings.simplefilter("ignore", FirstUseWarning)
        proofs = {
            at: client.prove_inclusion(at, size=checkpoint.size)
            for at in {
                event.position,
                score.position,
                policy.position,
                *replayed.evidence_positions,
            }
        }
    return write_receipt(
        next(iter(proofs.values())).checkpoint.note.encode(),
        checkpoint.origin,
        [_link(each) for each in (event, score, policy)],
        lambda at: proofs[at].hashes,
        [(at, proofs[at].event_hash) for at in replayed.evidence_positions],
    )


def _event(client: "LedgerClient", position: int) -> "Event":
    return next(client.list_events(after_position=position - 1, until_position=position))


def _policy_event(client: "LedgerClient", policy: str, version: int) -> "Event":
    from ledger.events.policies import DRAFTED_TYPES

    drafted = client.list_events(types=list(DRAFTED_TYPES), streams=[f"policies/{policy}"])
    return next(event for event in drafted if event.data["version"] == version)


def _link(event: "Event") -> "Link":
    from ledger.chain.link import Link

    return Link(
        event.position,
        event.stream,
        event.stream_version,
        event.type,
        output.iso(event.recorded_at),
        event.body or None,
        event.salt or None,
        event.body_hash,
        event.prev_hash,
        event.event_hash,
    )


def _received(found: "Receipt", path: str) -> Received:
    decision = found.decision
    return Received(
        path,
        found.origin,
        found.model,
        found.position,
        decision.action,
        decision.tier,
        decision.rule,
        decision.evaluated_at,
        decision.historical,
        found.score_position,
        decision.policy,
        decision.policy_version,
        found.policy_position,
        found.input_positions,
        found.checkpoint_size,
        found.root,
        found.signed_by,
        found.witnesses,
    )


def _told(found: Received) -> str:
    from ledger.events import notation

    rule = f"rule {found.rule}" if found.rule else "no rule"
    policy = f"policy {found.policy} version {found.policy_version}"
    inputs = output.counted(len(found.input_positions), "observation")
    lines = [
        f"{found.origin}: the decision about {found.model} at position {found.position} is proven.",
        f"{found.action}, evaluated {notation.shown_time(found.evaluated_at)}"
        + (", historical: it changes nothing in force" if found.historical else ""),
        f"by {rule} of {policy}, recorded at position {found.policy_position}",
        f"from the score at position {found.score_position}, computed from {inputs}",
        f"checkpoint over {output.counted(found.checkpoint_size, 'event')}",
        *(f"signed by {key}" for key in found.signed_by),
    ]
    if found.witnesses:
        lines.append(f"cosigned by {', '.join(found.witnesses)}")
    return "\n".join(lines)
