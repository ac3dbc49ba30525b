# Generated from ledger/client/aio/notifications.py by `tools/dev.py proto`; do not edit.
"""The receivers of notifications, for threads."""

from collections.abc import Iterator, Sequence
from typing import Final

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import paged, whole
from ledger.client.notifications import DeadNotification, Subscriber, SubscriberTest
from ledger.v1 import notification_service_pb2 as pb

_TEST_SECONDS: Final = 20.0


class NotificationCalls(ServiceCalls):
    """Subscribers, and what could not be delivered to them."""

    def list_subscribers(self) -> Iterator[Subscriber]:
        """Iterate over the subscribers of the ledger by name."""
        request = pb.ListSubscribersRequest()
        return self._connection.items(paged(request, Subscriber, "subscribers"))

    def list_dead_letters(self, subscriber: str) -> Iterator[DeadNotification]:
        """Iterate over the events that could not be delivered to a subscriber, by position."""
        request = pb.ListDeadLettersRequest(subscriber=subscriber)
        return self._connection.items(paged(request, DeadNotification, "dead_letters"))

    def replay_dead_letters(self, subscriber: str, positions: Sequence[int] = ()) -> int:
        """Have dead letters sent again, all if none is named; return how many."""
        request = pb.ReplayDeadLettersRequest(subscriber=subscriber, positions=positions)
        return self._connection.run(Call(request, _count))

    def test_subscriber(self, subscriber: str) -> SubscriberTest:
        """Send a subscriber a notification that is no event, once, and return how it went."""
        request = pb.TestSubscriberRequest(subscriber=subscriber)
        call = Call(request, whole(SubscriberTest), deadline_seconds_min=_TEST_SECONDS)
        return self._connection.run(call)


def _count(answer: pb.ReplayDeadLettersResponse) -> int:
    return answer.count
