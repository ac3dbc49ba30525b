"""Verification of a whole log: hashes, stored tiles, signed checkpoints, one kept before, horizons.

A server that is only asked for bytes, a database opened read only and published tiles are verified
alike. Whether what the events say follows from each other is for an audit, which replays it; here
nothing derived may miss what had been recorded before it.
"""

from typing import Final

from ledger.audit.database import DatabaseSource
from ledger.audit.hashing import hash_pass
from ledger.audit.registry import MEANINGS
from ledger.audit.report import Report, RuleCount, UncheckedCount
from ledger.audit.source import Finding, LedgerSource
from ledger.audit.trust import SignatureReport, key_history, verdict_of, vouch
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.chain.checkpoint import CheckpointBody, claim_of
from ledger.chain.key_history import KeySpan, open_by_spans
from ledger.chain.note import NoteError
from ledger.events.horizons import DERIVED_TYPES, Horizons
from ledger.events.notation import counted
from ledger.operations import PROGRAM, Move
from ledger.operations.trust import TrustAnchors
from ledger.operations.verification.verdict import no_rules

_MEMORY: Final = "memory"
_INDEXED: Final = "database.observed_at"
RULES_HELD: Final = {
    "horizons.unbroken": "Nothing that bears on what is derived was recorded between its horizon "
    "and its record.",
    "triggers": "Only the evaluator scores by schedule or on ingest, and it does nothing on "
    "request.",
}
"""The rules about single events that are held here too, since they need only what is hashed.

Their meanings are the auditor's, which a client alone cannot import."""


def verify_log(
    source: LedgerSource,
    given: TrustAnchors,
    kept: str = "",
    move: Move | None = None,
    place: str = "",
) -> Report:
    """Return the verdict on a log: its findings say what does not hold, and where.

    Without a key from elsewhere the log's own first key is believed, and that is said. `kept` is
    the text of a checkpoint kept from earlier, which the log must still contain; `place` says where
    the log was found.
    """
    if not source.has_bodies:
        given.require("A log without bodies")
    joined = VerifiedPrefix()
    claimed, memory = _claimed(kept)
    extra = () if claimed is None or claimed.size > source.size else (claimed.size,)
    findings = hash_pass(source, joined, extra=extra, horizons=Horizons(), progress=move)
    is_whole = not any(one.rule == "chain" for one in findings)
    if isinstance(source, DatabaseSource) and (position := source.misindexed()):
        findings.append(Finding(_INDEXED, position, "its row is indexed as what it is not"))
    keys, until = [str(key) for key in given.keys], None if is_whole else joined.position
    vouched = vouch(source, joined, keys, given.policy, until=until)
    if claimed is not None and is_whole:
        memory += _compare(source, joined, vouched, kept, claimed)
    findings = sorted([*findings, *vouched.findings, *memory], key=lambda one: one.position)
    remarks = list(vouched.remarks)
    if claimed is not None and not memory and is_whole:
        over = counted(claimed.size, "event")
        remarks.append(f"The checkpoint kept before, over {over}, is of the same log.")
    return Report(
        **verdict_of(source, place, joined, vouched, findings),
        program=PROGRAM,
        task="verify",
        rules=_rules(source, joined, vouched, findings, is_kept=bool(kept)),
        gaps=(UncheckedCount("rules", no_rules(is_whole=source.has_bodies), joined.position),),
        remarks=tuple(remarks),
    )


def _rules(
    source: LedgerSource,
    joined: VerifiedPrefix,
    vouched: SignatureReport,
    findings: list[Finding],
    *,
    is_kept: bool,
) -> tuple[RuleCount, ...]:
    checked = {"chain": joined.position, "tiles": joined.tiles_checked, "truncation": 1}
    checked |= vouched.checked | {_MEMORY: int(is_kept)}
    if isinstance(source, DatabaseSource):
        checked[_INDEXED] = joined.position
    if source.has_bodies:
        checked |= dict.fromkeys(
            RULES_HELD, sum(joined.types.get(name, 0) for name in DERIVED_TYPES)
        )
    failed = [one.rule for one in findings]
    meanings = MEANINGS | RULES_HELD
    return tuple(
        RuleCount(
            name, meaning, checked.get(name, 0), failed.count(name), vouched.unchecked.get(name, 0)
        )
        for name, meaning in meanings.items()
        if checked.get(name) or name in failed or name in vouched.unchecked
    )


def _claimed(kept: str) -> tuple[CheckpointBody | None, list[Finding]]:
    """Return what a checkpoint kept from earlier states, or what is wrong with it."""
    if not kept:
        return None, []
    try:
        return claim_of(kept.encode()), []
    except NoteError as error:
        return None, [_unverified(error)]


def _unverified(why: object) -> Finding:
    return Finding(_MEMORY, 0, f"the checkpoint kept before does not verify: {why}")


def _compare(
    source: LedgerSource,
    joined: VerifiedPrefix,
    vouched: SignatureReport,
    kept: str,
    claimed: CheckpointBody,
) -> list[Finding]:
    """Return why a log does not begin with the tree of a checkpoint kept from earlier."""
    spans = key_history(joined)[0].spans if source.has_bodies else ()
    believed = [span for span in spans if span.vkey in vouched.vkeys]
    believed = believed or [KeySpan(vkey, 1) for vkey in vouched.vkeys]
    try:
        open_by_spans(kept.encode(), origin=source.origin, spans=believed)
    except NoteError as error:
        return [_unverified(error)]
    size = joined.position
    if claimed.size > size:
        over = counted(claimed.size, "event")
        what = f"the log ends at position {size}, and the checkpoint kept before covers {over}"
        return [Finding(_MEMORY, size + 1, what, "an event", "none")]
    root = joined.roots.get(claimed.size)
    if root != claimed.root:
        what = f"the first {counted(claimed.size, 'event')} are not those of the checkpoint kept"
        shown = "nothing" if root is None else root.hex()
        return [Finding(_MEMORY, 1, f"{what} before", claimed.root.hex(), shown)]
    return []
