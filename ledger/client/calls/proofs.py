"""Calls of LedgerService by which it proves itself: checkpoints, proofs, keys, seals, audits."""

from collections.abc import Callable
from typing import Any, Final

from ledger.client.call import Call, CallScope, Paged
from ledger.client.calls.pages import appended, one, page, whole
from ledger.client.enums import AuditSource
from ledger.client.inputs import number_of
from ledger.client.proofs import (
    AuditReport,
    ChangedKey,
    ConsistencyProof,
    InclusionProof,
    Seal,
    SigningKeys,
)
from ledger.client.records import Appended, Checkpoint
from ledger.limits import PAGE_SIZE_MAX
from ledger.v1 import audit_pb2, ledger_service_pb2

_SERVICE: Final = "/ledger.v1.LedgerService/"
_checkpoint: Final[Callable[[Any], Checkpoint]] = one(Checkpoint, "checkpoint")


def get_checkpoint(scope: CallScope, min_position: int = 0, size: int = 0) -> Call[Checkpoint]:
    """Return the call for a checkpoint over all that is recorded, or for the one of a size."""
    return Call(
        _SERVICE + "GetCheckpoint",
        ledger_service_pb2.GetCheckpointRequest(
            ledger=scope.ledger, min_position=min_position, size=size
        ),
        ledger_service_pb2.GetCheckpointResponse,
        _checkpoint,
    )


def list_checkpoints(
    scope: CallScope, after_size: int = 0, page_size: int = PAGE_SIZE_MAX
) -> Paged[Checkpoint]:
    """Return the call that lists what was ever signed."""
    return Paged(
        Call(
            _SERVICE + "ListCheckpoints",
            ledger_service_pb2.ListCheckpointsRequest(
                ledger=scope.ledger, after_size=after_size, page_size=page_size
            ),
            ledger_service_pb2.ListCheckpointsResponse,
            page(Checkpoint, "checkpoints"),
        )
    )


def prove_inclusion(scope: CallScope, position: int, size: int = 0) -> Call[InclusionProof]:
    """Return the call for the proof of one event."""
    return Call(
        _SERVICE + "ProveInclusion",
        ledger_service_pb2.ProveInclusionRequest(ledger=scope.ledger, position=position, size=size),
        ledger_service_pb2.ProveInclusionResponse,
        one(InclusionProof, "proof"),
    )


def prove_consistency(scope: CallScope, from_size: int, to_size: int = 0) -> Call[ConsistencyProof]:
    """Return the call for the proof that joins two trees."""
    return Call(
        _SERVICE + "ProveConsistency",
        ledger_service_pb2.ProveConsistencyRequest(
            ledger=scope.ledger, from_size=from_size, to_size=to_size
        ),
        ledger_service_pb2.ProveConsistencyResponse,
        one(ConsistencyProof, "proof"),
    )


def add_cosignature(scope: CallScope, size: int, line: str) -> Call[Checkpoint]:
    """Return the call that adds a witness's signature line to a checkpoint."""
    return Call(
        _SERVICE + "AddCosignature",
        ledger_service_pb2.AddCosignatureRequest(ledger=scope.ledger, size=size, line=line),
        ledger_service_pb2.AddCosignatureResponse,
        _checkpoint,
    )


def list_keys(scope: CallScope) -> Call[SigningKeys]:
    """Return the call that lists the keys that sign, or have signed."""
    return Call(
        _SERVICE + "ListKeys",
        ledger_service_pb2.ListKeysRequest(ledger=scope.ledger),
        ledger_service_pb2.ListKeysResponse,
        whole(SigningKeys),
    )


def rotate_key(scope: CallScope, overlap: int | None) -> Call[ChangedKey]:
    """Return the call that lets the committed key take over."""
    return Call(
        _SERVICE + "RotateKey",
        ledger_service_pb2.RotateKeyRequest(
            ledger=scope.ledger, overlap=overlap, request_id=scope.request_id
        ),
        ledger_service_pb2.RotateKeyResponse,
        whole(ChangedKey),
        scope.request_id,
    )


def revoke_key(
    scope: CallScope, verifier_key: str, from_position: int, reason: str
) -> Call[ChangedKey]:
    """Return the call that declares a key's later signatures void."""
    return Call(
        _SERVICE + "RevokeKey",
        ledger_service_pb2.RevokeKeyRequest(
            ledger=scope.ledger,
            verifier_key=verifier_key,
            from_position=from_position,
            reason=reason,
            request_id=scope.request_id,
        ),
        ledger_service_pb2.RevokeKeyResponse,
        whole(ChangedKey),
        scope.request_id,
    )


def seal_streams(scope: CallScope) -> Call[Seal]:
    """Return the call that records how far every stream has come."""
    return Call(
        _SERVICE + "SealStreams",
        ledger_service_pb2.SealStreamsRequest(ledger=scope.ledger, request_id=scope.request_id),
        ledger_service_pb2.SealStreamsResponse,
        whole(Seal),
        scope.request_id,
    )


def record_audit(scope: CallScope, report: AuditReport) -> Call[Appended]:
    """Return the call that records what an audit found."""
    source = number_of(report.source, AuditSource, audit_pb2.AuditSource, "report.source")
    return Call(
        _SERVICE + "RecordAudit",
        ledger_service_pb2.RecordAuditRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            report=audit_pb2.AuditReport(
                program=report.program,
                source=audit_pb2.AuditSource.ValueType(source),
                size=report.size,
                root=report.root,
                passed=report.passed,
                checks=[
                    audit_pb2.AuditCheck(
                        rule=check.rule,
                        checked=check.checked,
                        failed=check.failed,
                        unchecked=check.unchecked,
                    )
                    for check in report.checks
                ],
                findings=[
                    audit_pb2.AuditFinding(
                        rule=finding.rule, position=finding.position, what=finding.what
                    )
                    for finding in report.findings
                ],
            ),
        ),
        ledger_service_pb2.RecordAuditResponse,
        appended,
        scope.request_id,
    )
