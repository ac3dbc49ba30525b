"""The call of LedgerService that erases bodies."""

from collections.abc import Sequence
from typing import Final

from ledger.client.call import Call, Scope
from ledger.client.calls.pages import whole
from ledger.client.outcomes import Erased
from ledger.v1 import ledger_service_pb2

_SERVICE: Final = "/ledger.v1.LedgerService/"


def erase_bodies(
    scope: Scope, positions: Sequence[tuple[int, int]], *, ground: str, authority: str
) -> Call[Erased]:
    """Return the call that removes body and salt of events."""
    return Call(
        _SERVICE + "EraseBodies",
        ledger_service_pb2.EraseBodiesRequest(
            positions=[
                ledger_service_pb2.PositionRange(first=first, last=last)
                for first, last in positions
            ],
            ground=ground,
            authority=authority,
            ledger=scope.ledger,
            request_id=scope.request_id,
        ),
        ledger_service_pb2.EraseBodiesResponse,
        whole(Erased),
        scope.request_id,
    )
