"""Seals under the master key: heads adopted after a verification, everything sealed again.

Both work on a database that no server serves, with the master key at hand.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.audit.database import DatabaseSource
from ledger.chain.merkle import CompactRange
from ledger.clock import SystemClock
from ledger.database_url import shown
from ledger.operations.audits import audit_log
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.places import check_file
from ledger.operations.trust import TrustAnchors
from ledger.setting_sections import KeySettings
from ledger.storage import Store, open_store
from ledger.storage.vault import Vault, chosen_vault

if TYPE_CHECKING:
    from ledger.audit.audit import Tell
    from ledger.audit.report import Report


@dataclass(frozen=True)
class AdoptedHead:
    """A head that was verified and sealed; `unchecked` counts what the audit could not look at."""

    origin: str
    position: int
    event_hash: bytes
    root: bytes
    unchecked: int


def adopt_heads(
    place: str, keys: KeySettings, given: TrustAnchors, tell: "Tell | None" = None
) -> list[AdoptedHead]:
    """Audit every ledger of a database whole, then seal the heads that the audits ended at.

    IntegrityFailure where anything does not hold: then no head is sealed.
    """
    with _opened(place, keys) as store:
        found = []
        for info in store.ledgers.all():
            head = store.events.head(info.origin)
            tree = CompactRange.from_bytes(head.tree)
            source = DatabaseSource(place, info.origin)
            try:
                report = audit_log(source, given, tell=tell)
            finally:
                source.close()
            if not report.passed or (report.size, report.root) != (tree.size, tree.root().hex()):
                raise _not_adopted(report)
            unchecked = sum(gap.count for gap in report.gaps)
            at = AdoptedHead(info.origin, head.position, head.event_hash, tree.root(), unchecked)
            found.append((head, at))
        for head, one in found:
            store.keys.adopt(one.origin, head)
        return [one for _, one in found]


def reseal(place: str, keys: KeySettings, other: Path | Sequence[str]) -> int:
    """Seal keys and heads under another master key, in a file or from a command; return how many.

    The key is drawn where the file is not there yet. From then on the database opens with the new
    key only: name its file in `keys.file` or its command in `keys.command`, or put the file in the
    old one's place.
    """
    with _opened(place, keys) as store:
        return store.keys.reseal(_other_vault(other))


def _other_vault(other: Path | Sequence[str]) -> Vault:
    if not isinstance(other, Path):
        return Vault.from_command(other)
    return Vault.from_file(other) if other.exists() else Vault.create_file(other, SystemClock())


@contextmanager
def _opened(place: str, keys: KeySettings) -> Iterator[Store]:
    check_file(place, "DATABASE")
    store = open_store(place, SystemClock(), vault=chosen_vault(keys))
    try:
        if not store.ledgers.all():
            raise MisuseError(f"{shown(place)} holds no ledger.", "Check the path.")
        yield store
    finally:
        store.close()


def _not_adopted(report: "Report") -> IntegrityFailure:
    what = report.findings[0].sentence if report.findings else "its head is not what was audited"
    return IntegrityFailure(
        f"{report.origin} does not hold, so no head was sealed: {what}",
        "Keep the database as evidence; `decision-ledger audit run` lists every finding.",
    )
