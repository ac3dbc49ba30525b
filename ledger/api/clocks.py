"""LedgerService, the server's clock: confirmed by whom the operator has named."""

import grpc

from ledger.api.calls import Desk
from ledger.api.checks import Checks
from ledger.api.convert.basics import appended
from ledger.v1 import ledger_service_pb2 as pb


class ClockMethods:
    """The method of LedgerService about the server's clock."""

    _desk: Desk

    def ConfirmClock(
        self, request: pb.ConfirmClockRequest, context: grpc.ServicerContext
    ) -> pb.ConfirmClockResponse:
        """Confirm the server's clock, although it is not where it was expected."""
        self._desk.operator_only(context, "confirm the clock")
        checks = Checks()
        reason = checks.text("reason", request.reason)
        checks.done()
        ledger = self._desk.backend.ledger(request.ledger)
        caller = self._desk.caller(request, request.request_id, "ConfirmClock", context)
        written = ledger.clocks.confirm(caller, reason)
        return pb.ConfirmClockResponse(appended=appended(written))
