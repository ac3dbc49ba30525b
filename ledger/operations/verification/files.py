"""Verification of what was handed over: a bundle, a receipt, an offline proof; without a server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.chain import proof_text
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.link import ChainVerifier, Digest
from ledger.chain.link import event_hash as hash_of
from ledger.chain.merkle import ProofError
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.export.files import BundleError, open_bundle
from ledger.export.lines import LineError, parse_line
from ledger.export.reach import AgeBound
from ledger.export.receipt import Receipt, ReceiptError, verify_receipt
from ledger.export.verify import VerifiedBundle, verify_opened
from ledger.operations import Move
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.places import named_bytes, named_text
from ledger.operations.trust import TrustAnchors
from ledger.operations.verification.bundle_report import with_report
from ledger.reading import RECEIPT_BYTES_MAX

_KEPT: Final = "Keep the file as evidence, and ask its giver for another."
_KEPT_RECEIPT: Final = "Keep the file as evidence, and ask the issuer for another."
_KEPT_BUNDLE: Final = "Keep it as evidence, and ask the issuer for another."


def check_bundle(
    path: Path, given: TrustAnchors, move: Move | None = None, age: AgeBound | None = None
) -> VerifiedBundle:
    """Return what a bundle is, a folder or a tar archive, verified to the byte.

    IntegrityFailure names file and line of what does not hold, also where the bundle ends longer
    before its checkpoint than `age` says.
    """
    given.require("A bundle")
    try:
        bundle = open_bundle(path)
        found = verify_opened(bundle, given.keys, given.policy, move, age)
        return with_report(bundle, found)
    except BundleError as error:
        raise IntegrityFailure(f"The bundle does not verify: {error}.", _KEPT_BUNDLE) from error


def check_receipt(path: Path, given: TrustAnchors) -> Receipt:
    """Return what a receipt shows of a decision; IntegrityFailure if anything does not hold."""
    given.require("A receipt")
    data = named_bytes(path, RECEIPT_BYTES_MAX)
    try:
        return verify_receipt(data, given.keys, given.policy)
    except ReceiptError as error:
        raise IntegrityFailure(f"The receipt does not verify: {error}.", _KEPT_RECEIPT) from error


@dataclass(frozen=True, slots=True)
class CheckedProof:
    """The result of an offline proof."""

    thing: str
    path: str
    origin: str
    position: int
    event_hash: bytes
    size: int
    root: bytes
    witnesses: tuple[str, ...]


def check_proof(path: Path, event: bytes | Path | None, given: TrustAnchors) -> CheckedProof:
    """Return what a proof shows about an event: its hash, or a file with its header or its line.

    IntegrityFailure unless the checkpoint is signed by one of the keys, or accepted by the policy
    with its witnesses, and the event is in its tree.
    """
    given.require("A proof")
    if event is None:
        raise MisuseError(
            "A proof says nothing without its event.", "Give one: --event-hash or --event-file."
        )
    witnesses: tuple[str, ...] = ()
    try:
        proof = proof_text.parse(named_text(path))
        claim = parse_checkpoint(parse_note(proof.checkpoint.encode()).text)
        origin = claim.origin
        leaf = _leaf(event, origin) if isinstance(event, Path) else event
        if given.policy is not None:
            verdict = proof_text.check_by_policy(proof, leaf=leaf, policy=given.policy)
            witnesses = verdict.witnesses
        if given.keys:
            named = [key for key in given.keys if key.name == origin]
            proof_text.check(proof, leaf=leaf, origin=origin, keys=named)
    except (proof_text.ProofTextError, NoteError, ProofError) as error:
        raise IntegrityFailure(f"{path} proves nothing: {error}.", _KEPT) from error
    position = proof.index + 1
    return CheckedProof(
        "proof", str(path), origin, position, leaf, claim.size, claim.root, witnesses
    )


def _leaf(path: Path, origin: str) -> bytes:
    """Return the hash of the event in a file: its header as hashed, or its line in a bundle."""
    data = named_bytes(path, RECEIPT_BYTES_MAX)
    if not data.startswith(b'{"body":'):
        return hash_of(data)
    try:
        link = parse_line(data.removesuffix(b"\n") + b"\n", origin)
    except LineError as error:
        raise IntegrityFailure(f"{path} is not an event: {error}.", _KEPT) from error
    verifier = ChainVerifier(
        origin=origin, head=Digest(link.prev_hash), start_position=link.position
    )
    verifier.feed(link)  # header and body have the hashes that the line states
    return verifier.head
