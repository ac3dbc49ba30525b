"""NotificationService: the receivers of notifications, and what did not reach them."""

from typing import Final

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import notifications as convert
from ledger.api.paging import cut, page_of
from ledger.api.server_context import Servicer
from ledger.v1 import notification_service_pb2 as pb
from ledger.v1 import notification_service_pb2_grpc

_POSITIONS_MAX: Final = 1_000


class NotificationServicer(Servicer, notification_service_pb2_grpc.NotificationServiceServicer):
    """Serves NotificationService."""

    def ListSubscribers(
        self, request: pb.ListSubscribersRequest, context: grpc.ServicerContext
    ) -> pb.ListSubscribersResponse:
        """List subscribers by name."""
        page = page_of(request)
        every = self._server.backend.notifications(request.ledger).status()
        shown, token = cut(page, every, lambda one: one.settings.name)
        return pb.ListSubscribersResponse(
            subscribers=map(convert.subscriber, shown), next_page_token=token
        )

    def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: grpc.ServicerContext
    ) -> pb.ListDeadLettersResponse:
        """List what could not be delivered, by position."""
        page = page_of(request)
        name = _named(Checks(), request)
        found = self._server.backend.notifications(request.ledger).dead_letters(
            name, after=int(page.cursor or 0), limit=page.size + 1
        )
        shown, token = page.cut(found, lambda letter: letter.position)
        return pb.ListDeadLettersResponse(
            dead_letters=map(convert.dead_letter, shown), next_page_token=token
        )

    def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: grpc.ServicerContext
    ) -> pb.ReplayDeadLettersResponse:
        """Have dead letters sent again."""
        checks = Checks()
        for index, position in enumerate(request.positions[:_POSITIONS_MAX]):
            checks.position(f"positions[{index}]", position, optional=False)
        if len(request.positions) > _POSITIONS_MAX:
            checks.refuse("positions", f"has more than {_POSITIONS_MAX}")
        name = _named(checks, request)
        notifications = self._server.backend.notifications(request.ledger)
        return pb.ReplayDeadLettersResponse(
            count=len(notifications.replay(name, request.positions))
        )

    def TestSubscriber(
        self, request: pb.TestSubscriberRequest, context: grpc.ServicerContext
    ) -> pb.TestSubscriberResponse:
        """Send a notification that is no event."""
        name = _named(Checks(), request)
        tried = self._server.backend.notifications(request.ledger).try_out(name)
        return pb.TestSubscriberResponse(
            is_delivered=not tried.problem,
            problem=tried.problem,
            notification_id=tried.id,
            duration_seconds=tried.seconds,
        )


def _named(
    checks: Checks,
    request: pb.ListDeadLettersRequest | pb.ReplayDeadLettersRequest | pb.TestSubscriberRequest,
) -> str:
    """Return the subscriber that a request names; FIELD_INVALID names all that is wrong."""
    checks.present("subscriber", request.subscriber)
    checks.done()
    return request.subscriber
