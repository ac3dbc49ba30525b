"""The facts of a call before its message is read: where it comes from, metadata, certificate."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import LedgerError, invalid_field
from ledger.events import values

if TYPE_CHECKING:
    import grpc

ACTOR_KEY: Final = "ledger-actor"
_CALLERS: Final = ("users/", "services/")


@dataclass(frozen=True, slots=True)
class CallFacts:
    """The facts of one call. None of them is proved but those of `tls`."""

    peer: str
    """gRPC's name for the other end, such as `ipv4:10.1.2.3:5050`."""
    metadata: Sequence[tuple[str, str | bytes]] = field(repr=False)
    tls: Mapping[str, Iterable[bytes]] = field(repr=False)
    """gRPC's authentication context; its certificate was verified against `client_ca`."""
    is_patient: bool = False
    """Whether the call can be made again once something it needs is there (`NotYetError`)."""

    def values_of(self, key: str) -> list[str | bytes]:
        """Return every value that the metadata has under a key, in order."""
        return [value for name, value in self.metadata if name == key]

    def texts_of(self, key: str) -> list[str]:
        """Return the same as text, whichever bytes came."""
        return [
            one if isinstance(one, str) else one.decode("latin-1") for one in self.values_of(key)
        ]

    def claimed_actor(self) -> str | None:
        """Return the name that the caller gives itself in `ledger-actor`; None where it gives none.

        FIELD_INVALID where that is no caller's name, and where there are several: a proxy on the
        way may have added one.
        """
        claims = self.texts_of(ACTOR_KEY)
        if not claims:
            return None
        if len(claims) > 1:
            raise _several_actors(len(claims))
        [text] = claims
        if not text.startswith(_CALLERS) or values.ACTOR.fullmatch(text) is None:
            raise invalid_field(
                ACTOR_KEY,
                f"{text[:80]!r} names no caller",
                remedy="Write users/NAME or services/NAME in a-z, 0-9, '.', '_' and '-'.",
            )
        return text


def facts_of(context: "grpc.aio.ServicerContext[Any, Any]", *, is_patient: bool) -> CallFacts:
    """Return the facts of a call from gRPC's context of it."""
    metadata: Any = context.invocation_metadata() or ()
    tls: Any = context.auth_context()
    return CallFacts(context.peer(), metadata, tls, is_patient)


def _several_actors(count: int) -> LedgerError:
    return invalid_field(
        ACTOR_KEY,
        f"the metadata names {count} actors",
        remedy="Send it once; if you do, a proxy on the way adds one.",
    )
