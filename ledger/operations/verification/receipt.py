"""Verification of a receipt: that a decision and what it rests on are in a signed log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.export.receipt import Receipt, ReceiptError, verify_receipt
from ledger.operations.failures import IntegrityFailure
from ledger.operations.places import named_bytes
from ledger.operations.trust import TrustAnchors
from ledger.reading import RECEIPT_BYTES_MAX

_KEPT: Final = "Keep the file as evidence, and ask the issuer for another."


@dataclass(frozen=True, slots=True)
class CheckedReceipt:
    """What a receipt shows."""

    thing: str
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


def check_receipt(path: Path, given: TrustAnchors) -> CheckedReceipt:
    """Return what a receipt shows; IntegrityFailure if anything of it does not hold."""
    given.require("A receipt")
    data = named_bytes(path, RECEIPT_BYTES_MAX)
    try:
        found = verify_receipt(data, given.keys, given.policy)
    except ReceiptError as error:
        raise IntegrityFailure(f"The receipt does not verify: {error}.", _KEPT) from error
    return _as_checked(found, str(path))


def _as_checked(found: Receipt, path: str) -> CheckedReceipt:
    decision = found.decision
    return CheckedReceipt(
        "receipt",
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
