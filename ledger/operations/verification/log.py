"""Verification of a whole log: hashes, stored tiles, signed checkpoints, one kept before.

A server that is only asked for bytes, a database opened read only and published tiles are verified
alike. Whether what the events say follows from each other is for an audit, which replays it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.audit.hashing import hash_pass
from ledger.audit.source import Finding, LedgerSource
from ledger.audit.trust import SignatureReport, key_history, vouch
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.key_history import KeySpan, open_by_spans
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.errors import chain_broken
from ledger.events.notation import counted
from ledger.operations import Move
from ledger.operations.failures import IntegrityFailure
from ledger.operations.trust import TrustAnchors

_REMEDY: Final = "Stop writing, keep the database as evidence, and call an operator."


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """A log that holds."""

    thing: str
    """`server`, `database` or `tiles`."""
    origin: str
    size: int
    head: bytes
    root: bytes
    signature: str
    """The signers, in a sentence."""


def verify_log(
    source: LedgerSource, given: TrustAnchors, kept: str = "", move: Move | None = None
) -> VerifiedLog:
    """Verify a log; CHAIN_BROKEN or IntegrityFailure says what does not hold, and where.

    Without a key from elsewhere the log's own first key is believed, and that is said. `kept` is
    the text of a checkpoint kept from earlier, which the log must still contain.
    """
    if not source.has_bodies:
        given.require("A log without bodies")
    claimed = _claimed(kept) if kept else None
    joined = VerifiedPrefix()
    extra = () if claimed is None or claimed.size > source.size else (claimed.size,)
    findings = hash_pass(source, joined, extra=extra, progress=move)
    _refuse(source, findings)
    vouched = vouch(source, joined, [str(key) for key in given.keys], given.policy)
    _refuse(source, vouched.findings)
    if claimed is not None:
        _compare(source, joined, vouched, kept, claimed)
    return VerifiedLog(
        source.kind,
        source.origin,
        joined.position,
        joined.head,
        joined.root,
        _said(vouched, given, claimed),
    )


def _refuse(source: LedgerSource, findings: Sequence[Finding]) -> None:
    """Raise the first finding, if there is one."""
    if not findings:
        return
    first = min(findings, key=lambda finding: finding.position)
    if first.rule == "chain":
        raise chain_broken(first.position, first.sentence)
    at = f"at position {first.position}, " if first.position else ""
    raise IntegrityFailure(f"{source.origin} does not hold: {at}{first.sentence}.", _REMEDY)


def _claimed(kept: str) -> CheckpointBody:
    try:
        return parse_checkpoint(parse_note(kept.encode()).text)
    except NoteError as error:
        raise _kept_fails(error) from error


def _kept_fails(why: object) -> IntegrityFailure:
    return IntegrityFailure(f"The checkpoint kept before does not verify: {why}.", _REMEDY)


def _compare(
    source: LedgerSource,
    joined: VerifiedPrefix,
    vouched: SignatureReport,
    kept: str,
    claimed: CheckpointBody,
) -> None:
    """Refuse a log that does not begin with the tree of a checkpoint kept from earlier."""
    spans = key_history(joined)[0].spans if source.has_bodies else ()
    believed = [span for span in spans if span.vkey in vouched.vkeys]
    believed = believed or [KeySpan(vkey, 1) for vkey in vouched.vkeys]
    try:
        open_by_spans(kept.encode(), origin=source.origin, spans=believed)
    except NoteError as error:
        raise _kept_fails(error) from error
    if claimed.size > joined.position:
        raise IntegrityFailure(
            f"The log ends at position {joined.position}; the checkpoint kept before covers "
            f"{counted(claimed.size, 'event')}.",
            _REMEDY,
        )
    if joined.roots.get(claimed.size) != claimed.root:
        raise IntegrityFailure(
            f"The checkpoint at position {claimed.size} has another Merkle root: events up to "
            "there are not those that were signed.",
            _REMEDY,
        )


def _said(vouched: SignatureReport, given: TrustAnchors, claimed: CheckpointBody | None) -> str:
    """Say who vouches for a log that holds."""
    if not vouched.size:
        said = "No checkpoint was signed yet, so nothing vouches for the whole but the chain."
    else:
        said = f"Signed checkpoint over {counted(vouched.size, 'event')} holds."
        if vouched.witnesses:
            over = counted(vouched.witnessed_size, "event")
            said += f" Cosigned over {over} by {', '.join(vouched.witnesses)}."
        if given.is_empty:
            said += " Its key came from the ledger itself: compare it with one obtained elsewhere."
    if claimed is not None:
        said += f" So does the one kept before, over {counted(claimed.size, 'event')}."
    return said
