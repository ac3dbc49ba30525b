"""LedgerService, what is recorded about the ledger as a whole: seals and audits."""

import grpc

from ledger.api.calls import Desk
from ledger.api.checks import Checks
from ledger.api.convert.basics import appended
from ledger.api.convert.proofs import audit_of
from ledger.v1 import ledger_service_pb2 as pb


class AttestingMethods:
    """The methods of LedgerService that put on record how far it has come, and what was audited."""

    _desk: Desk

    def SealStreams(
        self, request: pb.SealStreamsRequest, context: grpc.ServicerContext
    ) -> pb.SealStreamsResponse:
        """Record how far every stream has come."""
        ledger = self._desk.backend.ledger(request.ledger)
        caller = self._desk.caller(request, request.request_id, "SealStreams", context)
        seal = ledger.attestation.seals.seal(caller)
        return pb.SealStreamsResponse(
            appended=appended(seal.written), as_of=seal.as_of, root=seal.root, streams=seal.streams
        )

    def RecordAudit(
        self, request: pb.RecordAuditRequest, context: grpc.ServicerContext
    ) -> pb.RecordAuditResponse:
        """Record that an audit was completed, and what it found."""
        checks = Checks()
        checks.present("report", request.HasField("report"))
        audit = audit_of(request.report, checks)
        ledger = self._desk.backend.ledger(request.ledger)
        caller = self._desk.caller(request, request.request_id, "RecordAudit", context)
        return pb.RecordAuditResponse(
            appended=appended(ledger.attestation.audits.record(caller, audit))
        )
