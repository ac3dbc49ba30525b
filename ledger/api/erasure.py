"""LedgerService, erasure: bodies removed for good by whom the operator has authorised."""

import grpc

from ledger.api.calls import Desk
from ledger.api.checks import Checks
from ledger.api.convert.basics import appended
from ledger.limits import ERASED_RANGES_MAX
from ledger.v1 import ledger_service_pb2 as pb


class ErasureMethods:
    """The method of LedgerService that erases."""

    _desk: Desk

    def EraseBodies(
        self, request: pb.EraseBodiesRequest, context: grpc.ServicerContext
    ) -> pb.EraseBodiesResponse:
        """Remove body and salt of events, under a recorded legal ground."""
        checks = Checks()
        count = len(request.positions)
        if checks.present("positions", count) and count > ERASED_RANGES_MAX:
            checks.refuse("positions", f"has {count} ranges; at most {ERASED_RANGES_MAX} are taken")
        ranges = request.positions[:ERASED_RANGES_MAX]
        for index, each in enumerate(ranges):
            for name in ("first", "last"):
                if checks.position(f"positions[{index}].{name}", getattr(each, name)) == 0:
                    checks.refuse(f"positions[{index}].{name}", "is required: positions start at 1")
        ground = checks.text("ground", request.ground)
        authority = checks.text("authority", request.authority)
        checks.done()
        named = [(each.first, each.last) for each in ranges]
        ledger = self._desk.backend.ledger(request.ledger)
        caller = self._desk.caller(request, request.request_id, "EraseBodies", context)
        erased = ledger.erasure.erase_bodies(caller, named, ground, authority)
        return pb.EraseBodiesResponse(appended=appended(erased.written), erased=erased.bodies)
