"""LedgerService, what the ledger signs and proves: checkpoints, proofs, cosignatures."""

from typing import Final

import grpc

from ledger.api.calls import Desk
from ledger.api.checks import Checks
from ledger.api.convert import proofs as convert
from ledger.api.paging import page_of
from ledger.v1 import ledger_service_pb2 as pb

_LINE_CHARS_MAX: Final = 4_000  # a name of 255 bytes and the longest signature fit twice


class CheckpointMethods:
    """The methods of LedgerService that let others verify the ledger."""

    _desk: Desk

    def GetCheckpoint(
        self, request: pb.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> pb.GetCheckpointResponse:
        """Sign a checkpoint over all that is recorded, or return the one of a size."""
        checks = Checks()
        checks.position("min_position", request.min_position)
        checks.position("size", request.size)
        checks.done()
        ledger = self._desk.ledger_at(request.ledger, request.min_position, context)
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
        ledger = self._desk.backend.ledger(request.ledger)
        found = ledger.attestation.checkpoints.after(
            int(page.cursor) if page.cursor else after, page.size + 1
        )
        shown = found[: page.size]
        return pb.ListCheckpointsResponse(
            checkpoints=[convert.checkpoint(ledger.info.origin, signed) for signed in shown],
            next_page_token=page.token(str(shown[-1].size), 0) if len(found) > len(shown) else "",
        )

    def ProveInclusion(
        self, request: pb.ProveInclusionRequest, context: grpc.ServicerContext
    ) -> pb.ProveInclusionResponse:
        """Prove that an event is in the tree of a checkpoint."""
        checks = Checks()
        _counting(checks, "position", request.position)
        checks.position("size", request.size)
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        proof = ledger.attestation.prover.inclusion(request.position, request.size)
        return pb.ProveInclusionResponse(proof=convert.inclusion(ledger.info.origin, proof))

    def ProveConsistency(
        self, request: pb.ProveConsistencyRequest, context: grpc.ServicerContext
    ) -> pb.ProveConsistencyResponse:
        """Prove that a checkpoint extends an earlier tree."""
        checks = Checks()
        _counting(checks, "from_size", request.from_size)
        checks.position("to_size", request.to_size)
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        proof = ledger.attestation.prover.consistency(request.from_size, request.to_size)
        return pb.ProveConsistencyResponse(proof=convert.consistency(ledger.info.origin, proof))

    def AddCosignature(
        self, request: pb.AddCosignatureRequest, context: grpc.ServicerContext
    ) -> pb.AddCosignatureResponse:
        """Add a witness's cosignature to a checkpoint."""
        checks = Checks()
        _counting(checks, "size", request.size)
        checks.text("line", request.line, maximum=_LINE_CHARS_MAX)
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        signed = ledger.attestation.collector.add(request.size, request.line)
        return pb.AddCosignatureResponse(checkpoint=convert.checkpoint(ledger.info.origin, signed))


def _counting(checks: Checks, field: str, value: int) -> None:
    """Require a position or a size, which count from 1."""
    if value == 0:
        checks.refuse(field, "is required")
    else:
        checks.position(field, value)
