"""`log prove` and `log consistency`: what the ledger says, proven or refused.

What comes from a server is verified against the trust file, which remembers keys and the newest
checkpoint.
"""

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, believing, first_use_said
from ledger.cli.verification import hash_of
from ledger.operations.failures import MisuseError
from ledger.reading import NOTE_BYTES_MAX, read_text


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
    chosen, expected = session(), hash_of(event_hash, "--event-hash")
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
    chosen = session()
    with believing(vkey, policy) as client:
        if earlier.isascii() and earlier.isdigit():
            old = client.verified_checkpoint(size=int(earlier))
            size, root = old.size, old.root
        else:
            size, root = _kept(Path(earlier), client.get_ledger().origin)
        joined = client.verify_consistency(size, root, to_size=later or 0)
    new = joined.checkpoint
    first_use_said(new)
    chosen.show(
        joined,
        f"{new.origin}: the tree of {new.size} events begins with that of {size}.",
    )


def _kept(path: Path, origin: str) -> tuple[int, bytes]:
    """Return size and root of a checkpoint that was kept; its tree is what is asked about."""
    from ledger.chain.checkpoint import parse
    from ledger.chain.note import NoteError
    from ledger.chain.note import parse as parse_note

    try:
        claim = parse(parse_note(_text(path).encode()).text)
    except NoteError as error:
        raise MisuseError(f"{path} is no checkpoint: {error}.", "Check the path.") from error
    if claim.origin != origin:
        raise MisuseError(f"{path} is of {claim.origin}, not {origin}.", "Name that ledger.")
    return claim.size, claim.root


def _text(path: Path) -> str:
    try:
        return read_text(path, NOTE_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise MisuseError(f"{path} cannot be read: {error}.", "Check the path.") from error
