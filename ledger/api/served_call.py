"""A call as servicers see it: who makes it, how long they wait, whether they are still there.

It takes the place of gRPC's own context, which the servicers' generated signatures name, and has
no more of it than they need: only the front end answers or ends a call.

A caller names itself in the metadata key `ledger-actor`, until transport security does. The server
listens on loopback only, so what a caller says of itself is recorded as said. Only `system/` is not
for callers: it names the server's own parts, and only their events carry it.
"""

from typing import Any, Final

import grpc

from ledger.errors import invalid_field
from ledger.events import values
from ledger.limits import READ_WAIT_SECONDS_MAX

ACTOR_KEY: Final = "ledger-actor"
ANONYMOUS: Final = "users/anonymous"

_CALLERS: Final = ("users/", "services/")
_FOREVER_SECONDS: Final = 10 * 365 * 86_400.0  # what gRPC reports without a deadline is above

# Of what is left until the deadline, so that the reason still reaches the caller.
_WAITING_SHARE: Final = 0.75


class ServedCall:
    """One call. Its members are read on any thread; the event loop alone says that it is over."""

    __slots__ = ("_context", "is_over", "is_patient", "ledger", "method", "peer", "wait_until")

    def __init__(self, method: str, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        self._context = context
        self.method = method
        """Its full name, such as `/ledger.v1.ModelService/GetModel`."""
        self.peer = context.peer()
        """The connection: address and port of its other end."""
        self.ledger = ""
        """The ledger that its request names, once there is one."""
        self.is_over = False
        self.wait_until: float | None = None
        """On the event loop's clock, when it has waited long enough; None before it ever did."""
        self.is_patient = True
        """Whether it may go on waiting for what it reads."""

    @property
    def method_name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    @property
    def stated_actor(self) -> str:
        """What the caller says of itself, whether or not it can be."""
        for key, value in self._context.invocation_metadata() or ():
            if key == ACTOR_KEY:
                return value if isinstance(value, str) else value.decode("latin-1")
        return ANONYMOUS

    @property
    def actor(self) -> str:
        """The actor; FIELD_INVALID where the metadata names none that can be."""
        text = self.stated_actor
        if not text.startswith(_CALLERS) or values.ACTOR.fullmatch(text) is None:
            raise invalid_field(
                ACTOR_KEY,
                f"{text[:80]!r} names no caller",
                remedy="Write users/NAME or services/NAME in a-z, 0-9, '.', '_' and '-'.",
            )
        return text

    @property
    def seconds_left(self) -> float | None:
        """How long the caller still waits; None for ever."""
        remaining: float | None = self._context.time_remaining()
        return remaining if remaining is not None and remaining < _FOREVER_SECONDS else None

    @property
    def wait_seconds(self) -> float:
        """How long a read may wait for its position: bounded, and with time left to answer."""
        left = self.seconds_left
        if left is None:
            return READ_WAIT_SECONDS_MAX
        return min(left * _WAITING_SHARE, READ_WAIT_SECONDS_MAX)


def call_of(context: grpc.ServicerContext) -> ServedCall:
    """Return the call that a context of the generated signatures is."""
    call: object = context
    assert isinstance(call, ServedCall), "the front end makes every call"
    return call
