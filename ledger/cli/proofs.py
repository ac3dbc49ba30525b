"""`log prove`, `log consistency` and `log check-proof`: what the ledger says, proven or refused.

What comes from a server is verified against the trust file, which remembers keys and the newest
checkpoint; `check-proof` asks no server.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.cli.exits import IntegrityFailure, MisuseError
from ledger.cli.session import session
from ledger.cli.vouching import Keys, PolicyFile, keys_of, policy_of
from ledger.reading import NOTE_BYTES_MAX, RECEIPT_BYTES_MAX, read_bytes, read_text

if TYPE_CHECKING:
    from ledger.client import LedgerClient, VerifiedCheckpoint

_HASH_BYTES: Final = 32
_KEPT: Final = "Keep the file as evidence, and ask its giver for another."


@dataclass(frozen=True, slots=True)
class CheckedProof:
    """What an offline proof shows."""

    origin: str
    position: int
    event_hash: bytes
    size: int
    root: bytes
    witnesses: tuple[str, ...]


@contextmanager
def believing(vkeys: Sequence[str] | None, policy: Path | None) -> "Iterator[LedgerClient]":
    """Yield a client that verifies against the trust file; keys that are given are pinned in it.

    That a ledger was taken at its own word is for `first_use_said` to say.
    """
    from ledger.client import FirstUseWarning, TrustStore

    chosen = session()
    store = TrustStore(chosen.trust_file)
    for key in keys_of(vkeys or ()):
        try:
            store.pin(str(key))
        except ValueError as error:
            raise MisuseError(f"--vkey: {error}.", "Give the ledger's own key.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FirstUseWarning)
        yield chosen.client.using(trust=store, witness_policy=policy_of(policy))


def first_use_said(verified: "VerifiedCheckpoint") -> None:
    """Say aloud that a ledger was taken at its own word, if it was."""
    from ledger.client import TrustBasis

    if verified.basis is TrustBasis.FIRST_USE:
        output.say(
            f"First use of {verified.origin}: its key came from the ledger itself. Compare it with "
            f"one obtained elsewhere, then `decision-ledger key pin`: {verified.verifier_key}"
        )


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
    anywhere with `log check-proof` and with any tool that reads tlog-proof.
    """
    chosen, expected = session(), _hash(event_hash, "--event-hash")
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


def check_proof(
    path: Annotated[Path, typer.Argument(help="The proof (.tlog-proof).")],
    event_hash: Annotated[
        str | None, typer.Option("--event-hash", help="The event's hash, in hex.")
    ] = None,
    event_file: Annotated[
        Path | None,
        typer.Option(help="The event: its canonical header, or its line in a bundle."),
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Check an offline proof of an event; no server is asked.

    Exits with 4 unless the checkpoint is signed by one of the keys, or accepted by the policy with
    its witnesses, and the event is in its tree.
    """
    from ledger.chain import proof_text
    from ledger.chain.checkpoint import parse
    from ledger.chain.merkle import ProofError
    from ledger.chain.note import NoteError
    from ledger.chain.note import parse as parse_note

    keys, quorum = keys_of(vkey or ()), policy_of(policy)
    if not keys and quorum is None:
        raise MisuseError(
            "A proof is checked with a key that did not come with it.",
            "Give it with --vkey, or a --policy with `log` lines.",
        )
    stated = _stated(event_hash, event_file)
    witnesses: tuple[str, ...] = ()
    try:
        proof = proof_text.parse(_text(path))
        claim = parse(parse_note(proof.checkpoint.encode()).text)
        origin = claim.origin
        leaf = stated or _leaf(event_file, origin)
        if quorum is not None:
            witnesses = proof_text.check_by_policy(proof, leaf=leaf, policy=quorum).witnesses
        if keys:
            named = [key for key in keys if key.name == origin]
            proof_text.check(proof, leaf=leaf, origin=origin, keys=named)
    except (proof_text.ProofTextError, NoteError, ProofError) as error:
        raise IntegrityFailure(f"{path} proves nothing: {error}.", _KEPT) from error
    found = CheckedProof(origin, proof.index + 1, leaf, claim.size, claim.root, witnesses)
    by = f", cosigned by {', '.join(witnesses)}" if witnesses else ""
    session().show(
        found,
        f"{origin}: position {found.position} is in the signed tree of "
        f"{output.counted(found.size, 'event')}{by}.",
    )


def _stated(text: str | None, path: Path | None) -> bytes | None:
    """Return the hash that was given; None where the event itself was."""
    if (text is None) == (path is None):
        raise MisuseError(
            "A proof says nothing without its event.", "Give one: --event-hash or --event-file."
        )
    return _hash(text, "--event-hash")


def _leaf(path: Path | None, origin: str) -> bytes:
    """Return the hash of the event in a file: its header as hashed, or its line in a bundle."""
    from ledger.chain.link import Digest, Verifier
    from ledger.chain.link import event_hash as hash_of
    from ledger.export.lines import LineError, parse_line

    assert path is not None
    try:
        data = read_bytes(path, RECEIPT_BYTES_MAX)
    except OSError as error:
        raise MisuseError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    if not data.startswith(b'{"body":'):
        return hash_of(data)
    try:
        link = parse_line(data.removesuffix(b"\n") + b"\n", origin)
    except LineError as error:
        raise IntegrityFailure(f"{path} is no event: {error}.", _KEPT) from error
    verifier = Verifier(origin=origin, head=Digest(link.prev_hash), start_position=link.position)
    verifier.feed(link)  # header and body have the hashes that the line states
    return verifier.head


def _hash(text: str | None, flag: str) -> bytes | None:
    if text is None:
        return None
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != _HASH_BYTES:
        raise MisuseError(f"{flag}: {text[:80]!r} is no SHA-256 in hex.", "Give 64 hex digits.")
    return found


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
