"""Who calls: the metadata key `ledger-actor`, until transport security names callers itself.

The server listens on loopback only, so what a caller says of itself is recorded as said. Only
`system/` is not for callers: it names the server's own parts, and only their events carry it.
"""

from typing import Final

import grpc

from ledger.errors import LedgerError, invalid_field
from ledger.events import values

ACTOR_KEY: Final = "ledger-actor"
ANONYMOUS: Final = "users/anonymous"

_CALLERS: Final = ("users/", "services/")


def actor_of(context: grpc.ServicerContext) -> str:
    """Return the actor of a call; FIELD_INVALID where the metadata names none that can be."""
    text = stated_actor(context)
    if not text.startswith(_CALLERS) or values.ACTOR.fullmatch(text) is None:
        raise _refused(text)
    return text


def stated_actor(context: grpc.ServicerContext) -> str:
    """Return what a caller says of itself, whether or not it can be."""
    for key, value in context.invocation_metadata():
        if key == ACTOR_KEY:
            return value if isinstance(value, str) else value.decode("latin-1")
    return ANONYMOUS


def _refused(text: str) -> LedgerError:
    """Return the refusal of a name that no caller can have."""
    return invalid_field(
        ACTOR_KEY,
        f"{text[:80]!r} names no caller",
        remedy="Write users/NAME or services/NAME in a-z, 0-9, '.', '_' and '-'.",
    )
