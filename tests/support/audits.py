"""An audit of what a test made, and what it finds wrong with a database itself.

The latter for tests whose events are made up: rules about what events say would object to those.
"""

from pathlib import Path
from typing import Any

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.registry import MEANINGS
from ledger.audit.report import Report
from ledger.audit.source import Finding, LedgerSource
from ledger.chain import transcript
from ledger.events.drills import DrillRecorded, FollowUpPart
from ledger.events.proving import (
    AuditCompleted,
    AuditCompletedV1,
    AuditCompletedV2,
    TranscriptPart,
)
from ledger.events.values import format_time

ABOUT_BODIES = {"bodies.present", "erasures"}


def audited(place: Path | LedgerSource, **options: Any) -> Report:  # noqa: ANN401 - as `Audit`
    """Audit the database at a path, or another source, and close it."""
    source = DatabaseSource(str(place)) if isinstance(place, Path) else place
    try:
        return Audit(source, "test", **options).run()
    finally:
        source.close()


def holds_but_for(path: Path, rule: str) -> None:
    """Require of a ledger that an audit finds nothing wrong but what one rule objects to."""
    report = audited(path)
    assert {one.rule for one in report.findings} <= {rule}, report.text()


def damage(url: str, origin: str = "") -> list[Finding]:
    """Return what does not hold of hashes, signatures, tables and erasures; by position."""
    report = audited(DatabaseSource(url, origin), cores=1)
    return [one for one in report.findings if one.rule in MEANINGS.keys() | ABOUT_BODIES]


def audit_event(origin: str, size: int, root: bytes, *, has_transcript: bool) -> AuditCompleted:
    """Return an audit to be put on record, with a transcript or by a program that keeps none."""
    plain = AuditCompletedV1(
        program="test",
        source="database",
        size=size,
        root=root.hex(),
        passed=True,
        checks=[],
        findings=[],
    )
    if not has_transcript:
        return plain
    parts = {
        "events": transcript.events_digest(origin, size, plain.root),
        "results": transcript.results_digest([]),
        "source": transcript.source_digest("database", []),
    }
    return AuditCompletedV2(
        **plain.to_data(),
        transcript=transcript.transcript_root(parts).hex(),
        transcript_parts=[TranscriptPart(name=name, digest=parts[name]) for name in sorted(parts)],
    )


def drill_event(held_at: int) -> DrillRecorded:
    """Return a drill that was held at a time, with a follow-up due by then."""
    at = format_time(held_at)
    return DrillRecorded(
        drill="restored-backup",
        kind="red_team",
        scenario="The backup of last night is put back.",
        held_at=at,
        participants=["staff-7"],
        program="",
        detected=True,
        detected_by=["LEDGER_BEHIND"],
        micros_to_detect=1,
        findings=["It was seen at once."],
        follow_ups=[FollowUpPart(what="Nothing.", owner="staff-7", due_at=at)],
    )
