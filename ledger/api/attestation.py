"""LedgerService, how a ledger proves itself: checkpoints, proofs, keys, seals, audits, drills."""

from typing import Final

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import ledgers as convert
from ledger.api.convert.basics import appended
from ledger.api.convert.drills import drill_of
from ledger.api.paging import page_of
from ledger.api.server_context import Servicer
from ledger.application.signing.key_commands import OVERLAP_DEFAULT, OVERLAP_MAX
from ledger.chain.keys import KeyFormatError, VerifierKey
from ledger.v1 import ledger_service_pb2 as pb

_LINE_CHARS_MAX: Final = 4_000  # a name of 255 bytes and the longest signature fit twice
_KEY_CHARS_MAX: Final = 1_000


class AttestationMethods(Servicer):
    """The methods of LedgerService that let others verify the ledger."""

    # ---- checkpoints and proofs ------------------------------------------------------------------

    def GetCheckpoint(
        self, request: pb.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> pb.GetCheckpointResponse:
        """Sign a checkpoint over all that is recorded, or return the one of a size."""
        checks = Checks()
        checks.position("size", request.size)
        ledger = self._server.read(request, context, checks)
        signed = (
            ledger.attestation.checkpoints.of_size(request.size)
            if request.size
            else ledger.attestation.checkpoints.sign()
        )
        return pb.GetCheckpointResponse(checkpoint=convert.checkpoint(ledger.info.origin, signed))

    def ListCheckpoints(
        self, request: pb.ListCheckpointsRequest, context: grpc.ServicerContext
    ) -> pb.ListCheckpointsResponse:
        """List what was ever signed, by size."""
        checks = Checks()
        after = checks.position("after_size", request.after_size)
        checks.done()
        page = page_of(request)
        ledger = self._server.backend.ledger(request.ledger)
        found = ledger.attestation.checkpoints.after(
            int(page.cursor) if page.cursor else after, page.size + 1
        )
        shown, token = page.cut(found, lambda signed: signed.size)
        return pb.ListCheckpointsResponse(
            checkpoints=[convert.checkpoint(ledger.info.origin, signed) for signed in shown],
            next_page_token=token,
        )

    def ProveInclusion(
        self, request: pb.ProveInclusionRequest, context: grpc.ServicerContext
    ) -> pb.ProveInclusionResponse:
        """Prove that an event is in the tree of a checkpoint."""
        checks = Checks()
        checks.position("position", request.position, optional=False)
        checks.position("size", request.size)
        checks.done()
        ledger = self._server.backend.ledger(request.ledger)
        proof = ledger.attestation.prover.inclusion(request.position, request.size)
        return pb.ProveInclusionResponse(proof=convert.inclusion(ledger.info.origin, proof))

    def ProveConsistency(
        self, request: pb.ProveConsistencyRequest, context: grpc.ServicerContext
    ) -> pb.ProveConsistencyResponse:
        """Prove that a checkpoint extends an earlier tree."""
        checks = Checks()
        checks.position("from_size", request.from_size, optional=False)
        checks.position("to_size", request.to_size)
        checks.done()
        ledger = self._server.backend.ledger(request.ledger)
        proof = ledger.attestation.prover.consistency(request.from_size, request.to_size)
        return pb.ProveConsistencyResponse(proof=convert.consistency(ledger.info.origin, proof))

    def AddCosignature(
        self, request: pb.AddCosignatureRequest, context: grpc.ServicerContext
    ) -> pb.AddCosignatureResponse:
        """Add a witness's cosignature to a checkpoint."""
        checks = Checks()
        checks.position("size", request.size, optional=False)
        checks.text("line", request.line, maximum=_LINE_CHARS_MAX)
        checks.done()
        ledger = self._server.backend.ledger(request.ledger)
        signed = ledger.attestation.collector.add(request.size, request.line)
        return pb.AddCosignatureResponse(checkpoint=convert.checkpoint(ledger.info.origin, signed))

    # ---- keys ------------------------------------------------------------------------------------

    def ListKeys(
        self, request: pb.ListKeysRequest, context: grpc.ServicerContext
    ) -> pb.ListKeysResponse:
        """List the keys by their first position."""
        keys = self._server.backend.ledger(request.ledger).attestation.keys.keys()
        return pb.ListKeysResponse(
            keys=[convert.key(record) for record in keys.records],
            next_key_digest=keys.next_key_digest,
        )

    def RotateKey(
        self, request: pb.RotateKeyRequest, context: grpc.ServicerContext
    ) -> pb.RotateKeyResponse:
        """Let the committed key take over."""
        checks = Checks()
        overlap = request.overlap if request.HasField("overlap") else OVERLAP_DEFAULT
        if not 0 <= overlap <= OVERLAP_MAX:
            checks.refuse("overlap", f"must be from 0 to {OVERLAP_MAX}")
        ledger, caller = self._server.append(request, context, checks)
        changed = ledger.attestation.keys.rotate(caller, overlap)
        return pb.RotateKeyResponse(
            appended=appended(changed.written), key=convert.key(changed.key)
        )

    def RevokeKey(
        self, request: pb.RevokeKeyRequest, context: grpc.ServicerContext
    ) -> pb.RevokeKeyResponse:
        """Declare that a key's signatures count for nothing from a size on."""
        checks = Checks()
        _verifier_key(checks, request.verifier_key)
        checks.position("from_position", request.from_position, optional=False)
        checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        changed = ledger.attestation.keys.revoke(
            caller, request.verifier_key, request.from_position, request.reason
        )
        return pb.RevokeKeyResponse(
            appended=appended(changed.written), key=convert.key(changed.key)
        )

    # ---- seals, audits, drills -------------------------------------------------------------------

    def SealStreams(
        self, request: pb.SealStreamsRequest, context: grpc.ServicerContext
    ) -> pb.SealStreamsResponse:
        """Record how far every stream has come."""
        ledger, caller = self._server.append(request, context)
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
        audit = convert.audit_of(request.report, checks)
        ledger, caller = self._server.append(request, context)
        return pb.RecordAuditResponse(
            appended=appended(ledger.attestation.record_audit(caller, audit))
        )

    def RecordDrill(
        self, request: pb.RecordDrillRequest, context: grpc.ServicerContext
    ) -> pb.RecordDrillResponse:
        """Record that a drill was held, and what came of it."""
        checks = Checks()
        checks.present("drill", request.HasField("drill"))
        drill = drill_of(request.drill, checks)
        ledger, caller = self._server.append(request, context, checks)
        return pb.RecordDrillResponse(appended=appended(ledger.drills.record(caller, drill)))


def _verifier_key(checks: Checks, text: str) -> None:
    """Require a key in its text form."""
    if not checks.present("verifier_key", text):
        return
    if len(text) > _KEY_CHARS_MAX:
        checks.refuse("verifier_key", f"is {len(text)} characters long")
        return
    try:
        VerifierKey.parse(text)
    except KeyFormatError as error:
        checks.refuse("verifier_key", str(error))
