"""The golden instances of the events about proving a ledger: keys, seals, exports, audits.

Roots and digests in them are those of the golden ledger itself, so they can be computed again.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol

from ledger.chain import transcript
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import root_of
from ledger.chain.seal import seal_record, seal_root
from ledger.chain.transcript import part_digest, transcript_root
from ledger.events.base import EventData
from ledger.events.envelope import RecordedEvent
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.proving import (
    OTHER_ADDRESSES,
    AuditCheckPart,
    AuditCompletedV1,
    AuditCompletedV2,
    AuditFindingPart,
    BodyErased,
    ExportIssued,
    RefusalPart,
    RefusalPartV2,
    RequestsRefused,
    RequestsRefusedV2,
    ServiceAccountedV1,
    StreamsSealed,
    TranscriptPart,
)
from ledger.events.system import ClockStepped, LedgerConfiguredV2, LedgerConfiguredV3


class Appender(Protocol):
    """The golden ledger, as far as it is needed here."""

    events: list[RecordedEvent]

    def append(self, data: EventData, stream: str, recorded_at: str, *, actor: str = ...) -> int:
        """Append one event and return its position."""
        ...


def record(ledger: Appender, origin: str) -> None:
    """Record what proving the ledger to others leaves behind; every root and digest is real."""
    minutes = iter(range(60))

    def note(data: EventData, actor: str = "users/ada") -> None:
        at = f"2026-07-01T09:{next(minutes):02d}:00.000000Z"
        ledger.append(data, "ledger", at, actor=actor)

    _keys(ledger, origin, note)
    note(_sealed(ledger), "system/sealer")
    note(
        BodyErased(
            authority="Data protection officer of Example Ltd",
            ground="GDPR Art. 17(1)(a)",
            positions=[[4, 4]],
        )
    )
    size, root = len(ledger.events), root_of(event.event_hash for event in ledger.events)
    note(_audited(size, root), "users/auditor")
    note(_exported(size), "users/auditor")
    note(_refused(), "system/refusals")
    note(
        LedgerConfiguredV3(
            clock="data",
            leap_seconds=2_678_400,
            next_key_digest=_sha256_hex(b"the key after next"),
            skew_seconds=300,
            unit_of_cost="EUR",
        )
    )


def confirm_clock(ledger: Appender) -> None:
    """Record that the clock was confirmed: two hours ahead of what the server expected."""
    ledger.append(
        ClockStepped(
            clock_at="2026-07-02T11:06:00.000000Z",
            expected_at="2026-07-02T09:06:00.000000Z",
            head_at="2026-07-02T09:05:00.000000Z",
            reason="The machine's clock was two hours behind when the server started.",
        ),
        "ledger",
        "2026-07-02T11:06:00.000000Z",
        actor="users/ops",
    )


def account(ledger: Appender) -> None:
    """Record the last account of a service that evaluated and sealed on that ledger."""
    end = len(ledger.events)
    ledger.append(
        ServiceAccountedV1(
            service="019f1d5c-9a11-7cc0-8a51-0123456789ab",
            number=1,
            is_last=True,
            program="decision-ledger 0.1.0",
            at="2026-07-02T11:07:00.000000Z",
            ran_seconds=7_500,
            after=2,
            evaluated_through=end,
            scores=1,
            decisions=1,
            seals=1,
            seal_seconds=3_600,
            refused=3,
        ),
        "ledger",
        "2026-07-02T11:07:00.000000Z",
        actor="system/service",
    )


def audit_whole(ledger: Appender, origin: str) -> None:
    """Record an audit of all that came before, with its transcript."""
    size = len(ledger.events)
    root = root_of(event.event_hash for event in ledger.events).hex()
    checks = [("chain", size, 0, 0), ("database.head", 1, 0, 0), ("replay.plan", 0, 0, 1)]
    parts = {
        "bodies": part_digest([[4, 4]]),
        transcript.EVENTS: transcript.events_digest(origin, size, root),
        transcript.RESULTS: transcript.results_digest(checks),
        transcript.SOURCE: transcript.source_digest("database", checks),
        "unchecked": part_digest([["replay.plan", "erased: the body is not there", 1]]),
    }
    audit = AuditCompletedV2(
        program="decision-ledger 0.2.0",
        source="database",
        size=size,
        root=root,
        passed=True,
        checks=[
            AuditCheckPart(rule=rule, checked=checked, failed=failed, unchecked=unchecked)
            for rule, checked, failed, unchecked in checks
        ],
        findings=[],
        transcript=transcript_root(parts).hex(),
        transcript_parts=[
            TranscriptPart(name=name, digest=digest) for name, digest in sorted(parts.items())
        ],
    )
    ledger.append(audit, "ledger", "2026-07-02T11:08:00.000000Z", actor="users/auditor")


def _keys(ledger: Appender, origin: str, note: Callable[[EventData], None]) -> None:
    """Record a rotation to the committed key, the commitment after it, and a revocation."""
    first, second, third = (str(SecretKey(origin, bytes([n]) * 32).verifier_key) for n in range(3))
    digest = _sha256_hex(second.encode())
    note(LedgerConfiguredV2(clock="wall", skew_seconds=300, next_key_digest=digest))
    note(
        KeyRotated(
            from_position=len(ledger.events) + 1,
            previous_until_position=len(ledger.events) + 10,
            vkey=second,
        )
    )
    note(KeyCommitted(next_key_digest=_sha256_hex(third.encode())))
    note(
        KeyRevoked(
            vkey=first,
            from_position=len(ledger.events) + 1,
            reason="The machine that held it was sold.",
        )
    )


def _sealed(ledger: Appender) -> StreamsSealed:
    """Return the seal over all streams as they are now."""
    newest = {event.stream: event for event in ledger.events}
    heads = [
        seal_record(
            event_hash=newest[stream].event_hash.hex(),
            stream=stream,
            stream_version=newest[stream].stream_version,
        )
        for stream in sorted(newest)
    ]
    return StreamsSealed(as_of=len(ledger.events), root=seal_root(heads).hex(), streams=len(heads))


def _audited(size: int, root: bytes) -> AuditCompletedV1:
    return AuditCompletedV1(
        program="decision-ledger 0.2.0",
        source="server",
        size=size,
        root=root.hex(),
        passed=False,
        checks=[AuditCheckPart(rule="replay.decision", checked=1, failed=1, unchecked=0)],
        findings=[
            AuditFindingPart(rule="replay.decision", position=10, what="its tier comes out as none")
        ],
    )


def _exported(size: int) -> ExportIssued:
    return ExportIssued(
        export="019f1d5c-9a11-7cc0-8a51-0123456789ab",
        kind="full",
        first_position=1,
        last_position=size,
        stream=None,
        events=size,
        withheld=1,
        checkpoint_size=size,
        manifest_digest=_sha256_hex(b""),
        requested_by="users/auditor",
        purpose="Yearly review of the fraud models.",
    )


def _refused() -> RequestsRefused:
    return RequestsRefused(
        since="2026-07-01T09:00:00.000000Z",
        until="2026-07-01T09:01:00.000000Z",
        total=3,
        refusals=[
            RefusalPart(
                actor="services/monitor-7",
                method="SubmitSignals",
                reason="MODEL_RETIRED",
                count=3,
                first_at="2026-07-01T09:00:01.500000Z",
                last_at="2026-07-01T09:00:41.250000Z",
            )
        ],
    )


def count_hosts(ledger: Appender) -> None:
    """Record a minute in which a monitor was limited and strangers tried their luck."""
    data = RequestsRefusedV2(
        since="2026-07-06T10:00:00.000000Z",
        until="2026-07-06T10:01:00.000000Z",
        total=63,
        refusals=[
            _refused_from("services/monitor-7", "SubmitSignals", "LIMIT_REACHED", "192.0.2.7", 3),
            _refused_from("unknown", "GetModel", "CREDENTIAL_INVALID", "2001:db8::7", 20),
            _refused_from("unknown", "GetModel", "CREDENTIAL_INVALID", OTHER_ADDRESSES, 40),
        ],
    )
    ledger.append(data, "ledger", "2026-07-06T10:01:00.000000Z", actor="system/refusals")


def _refused_from(actor: str, method: str, reason: str, address: str, times: int) -> RefusalPartV2:
    return RefusalPartV2(
        actor=actor,
        address=address,
        method=method,
        reason=reason,
        count=times,
        first_at="2026-07-06T10:00:01.500000Z",
        last_at="2026-07-06T10:00:41.250000Z",
    )


def _sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
