"""An audit of a whole log, and its result recorded in the ledger that was audited."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.audit.audit import Audit, Tell
from ledger.audit.report import Report
from ledger.audit.source import LedgerSource
from ledger.audit.state_file import AuditStateFile
from ledger.database_url import shown
from ledger.errors import LedgerError
from ledger.operations import PROGRAM
from ledger.operations.failures import MisuseError
from ledger.operations.trust import TrustAnchors

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.client.records import Appended

_FINDINGS_RECORDED: Final = 100
_WHAT_CHARS: Final = 2_000


def audit_log(
    source: LedgerSource,
    given: TrustAnchors,
    *,
    state: Path | None = None,
    place: str = "",
    is_quick: bool = False,
    max_unseen_seconds: int | None = None,
    tell: Tell | None = None,
) -> Report:
    """Audit a log and return what was found; nothing is written to it.

    `state` is the auditor's own memory of what was verified, made if it is not there; `place` is
    the path, URL or address of the source, by which an interrupted audit is continued.
    `max_unseen_seconds`: how long before a witness that had not seen it an event of a `wall` ledger
    may say that it was recorded.
    """
    try:
        memory = None if state is None else AuditStateFile(state)
    except LedgerError as error:  # a file that was named, and not the ledger
        raise MisuseError(f"--state: {error.message}", error.remedy) from error
    is_path = place and source.kind != "server" and "://" not in place
    return Audit(
        source,
        PROGRAM,
        vkeys=[str(key) for key in given.keys],
        policy=given.policy,
        memory=memory,
        place=os.path.realpath(place) if is_path else shown(place),
        is_quick=is_quick,
        max_unseen_seconds=max_unseen_seconds,
        tell=tell,
    ).run()


def record_audit(client: "LedgerClient", report: Report) -> "Appended":
    """Have the server append the result of an audit; MisuseError where nothing was audited."""
    from ledger.client import proofs

    if not report.size:
        raise MisuseError("--record: an empty ledger has nothing to record an audit of.")
    kept = report.transcript
    assert kept is not None, "every audit has one"
    return client.record_audit(
        proofs.AuditReport(
            program=report.program,
            source=report.thing.upper(),
            size=report.size,
            root=bytes.fromhex(report.root),
            passed=report.passed,
            checks=tuple(
                proofs.AuditCheck(one.rule, one.checked, one.failed, one.unchecked)
                for one in report.rules
            ),
            findings=tuple(
                proofs.AuditFinding(
                    rule=one.rule, position=one.position, what=one.sentence[:_WHAT_CHARS]
                )
                for one in report.findings[:_FINDINGS_RECORDED]
            ),
            transcript=bytes.fromhex(kept.root),
            transcript_parts=tuple(
                proofs.AuditTranscriptPart(name, bytes.fromhex(digest))
                for name, digest in sorted(kept.parts.items())
            ),
        )
    )
