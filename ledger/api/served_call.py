"""A call as servicers see it: who makes it, how long they wait, whether they are still there.

It takes the place of gRPC's own context, which the servicers' generated signatures name, and has
no more of it than they need: only the front end answers or ends a call.
"""

from typing import Any, Final, cast

import grpc

from ledger.limits import READ_WAIT_SECONDS_MAX

_FOREVER_SECONDS: Final = 10 * 365 * 86_400.0  # what gRPC reports without a deadline is above

# Of what is left until the deadline, so that the reason still reaches the caller.
_WAITING_SHARE: Final = 0.75


class ServedCall:
    """One call. Its members are read on any thread; the event loop alone says that it is over."""

    __slots__ = ("_context", "is_over", "is_patient", "ledger", "method", "peer", "wait_until")

    def __init__(self, method: str, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        self._context = context
        self.method = method
        self.peer = context.peer()
        """The connection: address and port of its other end."""
        self.ledger = ""
        """The ledger that its request names, once there is one."""
        self.is_over = False
        self.wait_until: float | None = None
        """On the event loop's clock, when it has waited long enough; None before it ever did."""
        self.is_patient = True
        """Whether it may go on waiting for what it reads."""

    def invocation_metadata(self) -> Any:  # noqa: ANN401 - as gRPC types it
        """Return what the caller sent along."""
        return self._context.invocation_metadata()

    def time_remaining(self) -> float | None:
        """Return how long the caller still waits, None for ever."""
        return self._context.time_remaining()

    def is_active(self) -> bool:
        """Return whether anybody waits for an answer."""
        return not self.is_over

    @property
    def context(self) -> grpc.ServicerContext:
        """The call by the name of the generated signatures."""
        return cast("grpc.ServicerContext", self)


def seconds_left(context: grpc.ServicerContext) -> float | None:
    """Return how long the caller still waits; None for ever."""
    remaining: float | None = context.time_remaining()
    return remaining if remaining is not None and remaining < _FOREVER_SECONDS else None


def wait_seconds(context: grpc.ServicerContext) -> float:
    """Return how long a read may wait for its position: bounded, and with time left to answer."""
    left = seconds_left(context)
    if left is None:
        return READ_WAIT_SECONDS_MAX
    return min(left * _WAITING_SHARE, READ_WAIT_SECONDS_MAX)
