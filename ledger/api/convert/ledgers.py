"""Ledgers and their events, checkpoints, proofs, keys and audit reports."""

from typing import Final, Literal

from pydantic import ValidationError

from ledger.api.checks import Checks
from ledger.api.convert.basics import inverse, message_of, numbers, timestamp
from ledger.application.signing.checkpoints import SignedCheckpoint
from ledger.application.signing.key_commands import KeyRecord, KeyState
from ledger.application.signing.prover import Consistency, Inclusion
from ledger.chain import proof_text
from ledger.chain.link import DIGEST_BYTES
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import AuditCompleted, AuditCompletedV1, AuditCompletedV2
from ledger.storage.records import Head, LedgerInfo
from ledger.v1 import audit_pb2, checkpoint_pb2, event_pb2, ledger_pb2

CLOCKS: Final = numbers(ledger_pb2.LedgerClock, Literal["wall", "data"])
_STATES: Final = numbers(checkpoint_pb2.KeyState, KeyState)
_Source = Literal["server", "database", "bundle", "tiles"]
_SOURCES: Final = inverse(numbers(audit_pb2.AuditSource, _Source))
_SHOWN_MAX: Final = 1_000  # of a list that is too long, so many are looked at one by one


def event(recorded: RecordedEvent) -> event_pb2.Event:
    """Return an event with the bytes that were hashed."""
    return event_pb2.Event(
        position=recorded.position,
        stream=recorded.stream,
        stream_version=recorded.stream_version,
        type=recorded.type,
        recorded_at=timestamp(recorded.recorded_at),
        body=recorded.body_bytes or b"",
        salt=recorded.salt or b"",
        body_hash=recorded.body_hash,
        prev_hash=recorded.prev_hash,
        event_hash=recorded.event_hash,
    )


def ledger(info: LedgerInfo, head: Head) -> ledger_pb2.Ledger:
    """Return a ledger and where its head is."""
    observed = head.newest_observed_at
    return message_of(
        ledger_pb2.Ledger,
        info,
        verifier_key=info.vkey,
        head_position=head.position,
        head_hash=head.event_hash,
        head_recorded_at=timestamp(head.recorded_at),
        newest_observed_at=None if observed is None else timestamp(observed),
    )


def checkpoint(origin: str, signed: SignedCheckpoint) -> checkpoint_pb2.Checkpoint:
    """Return a signed checkpoint."""
    return message_of(checkpoint_pb2.Checkpoint, signed, origin=origin, verifier_key=signed.vkey)


def inclusion(origin: str, proof: Inclusion) -> checkpoint_pb2.InclusionProof:
    """Return the proof of one event, as fields and as text."""
    return message_of(
        checkpoint_pb2.InclusionProof,
        proof,
        checkpoint=checkpoint(origin, proof.checkpoint),
        text=proof_text.encode(proof.position - 1, proof.hashes, proof.checkpoint.note.encode()),
    )


def consistency(origin: str, proof: Consistency) -> checkpoint_pb2.ConsistencyProof:
    """Return the proof that joins two trees."""
    shown = checkpoint(origin, proof.checkpoint)
    return message_of(checkpoint_pb2.ConsistencyProof, proof, checkpoint=shown)


def key(record: KeyRecord) -> checkpoint_pb2.SigningKey:
    """Return a key."""
    return message_of(
        checkpoint_pb2.SigningKey,
        record.span,
        verifier_key=record.span.vkey,
        state=_STATES[record.state],
        recorded_at=timestamp(record.recorded_at),
        revoked_reason=record.span.reason,
    )


def audit_of(report: audit_pb2.AuditReport, checks: Checks) -> AuditCompleted:
    """Return the audit that a report states; FIELD_INVALID names everything wrong with it.

    Whether size and root are those of the ledger is for the application to say.
    """
    checks.present("report.program", report.program.strip())
    if report.source not in _SOURCES:
        checks.refuse("report.source", "is required")
    if len(report.root) != DIGEST_BYTES:
        checks.refuse("report.root", f"has {len(report.root)} bytes instead of {DIGEST_BYTES}")
    for index, check in enumerate(report.checks[:_SHOWN_MAX]):
        checks.present(f"report.checks.{index}.rule", check.rule)
    for index, finding in enumerate(report.findings[:_SHOWN_MAX]):
        checks.present(f"report.findings.{index}.rule", finding.rule)
        checks.present(f"report.findings.{index}.what", finding.what)
    _check_transcript(report, checks)
    stated = {
        "program": report.program,
        "source": _SOURCES.get(report.source, "server"),
        "size": report.size,
        "root": _hex(report.root),
        "passed": report.passed,
        "checks": [
            {"rule": c.rule, "checked": c.checked, "failed": c.failed, "unchecked": c.unchecked}
            for c in report.checks
        ],
        "findings": [
            {"rule": f.rule, "position": f.position, "what": f.what} for f in report.findings
        ],
    }
    kept = {
        "transcript": _hex(report.transcript),
        "transcript_parts": [
            {"name": part.name, "digest": _hex(part.digest)} for part in report.transcript_parts
        ],
    }
    audit: AuditCompleted
    try:
        if report.transcript:
            audit = AuditCompletedV2.from_data(stated | kept)
        else:
            audit = AuditCompletedV1.from_data(stated)
    except ValidationError as error:
        checks.model_errors("report", error)
    checks.done()
    return audit


def _check_transcript(report: audit_pb2.AuditReport, checks: Checks) -> None:
    """Note what is wrong with the form of a transcript."""
    if not report.transcript:
        if report.transcript_parts:
            checks.refuse("report.transcript", "is required with report.transcript_parts")
        return
    if len(report.transcript) != DIGEST_BYTES:
        size = f"has {len(report.transcript)} bytes instead of {DIGEST_BYTES}"
        checks.refuse("report.transcript", size)
    for index, part in enumerate(report.transcript_parts[:_SHOWN_MAX]):
        checks.present(f"report.transcript_parts.{index}.name", part.name)
        if len(part.digest) != DIGEST_BYTES:
            size = f"has {len(part.digest)} bytes instead of {DIGEST_BYTES}"
            checks.refuse(f"report.transcript_parts.{index}.digest", size)


def _hex(digest: bytes) -> str:
    return digest.hex() if len(digest) == DIGEST_BYTES else "0" * 64
