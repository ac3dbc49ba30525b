"""The options of a connection, for both clients: settings, channel options, metadata."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.chain.policy import WitnessPolicy
from ledger.chain.witness_times import MAX_FUTURE_SECONDS, TimeBounds
from ledger.client.retry import Attempts, RetryOptions
from ledger.client.security import Security
from ledger.client.target import SECURE, Target, address_of, refuse_foreign_socket, target_of
from ledger.client.trust.store import TrustStore
from ledger.clock import Clock, uuid7
from ledger.events.values import ACTOR
from ledger.limits import (
    KEEPALIVE_SECONDS,
    KEEPALIVE_TIMEOUT_SECONDS,
    MESSAGE_BYTES_MAX,
    PURPOSE_CHARS_MAX,
)

ACTOR_KEY: Final = "ledger-actor"
PURPOSE_KEY: Final = "ledger-purpose"
_AUTHORIZATION_KEY: Final = "authorization"
DEADLINE_SECONDS_DEFAULT: Final = 10.0
RENEW_SECONDS: Final = 3_600.0
"""The deadline of one connection of a watch or stream, which is then taken up again."""

CHANNEL_OPTIONS: Final = (
    # A dead peer is noticed without traffic; the server allows just this pace.
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
    ("grpc.http2.max_pings_without_data", 0),
    # Retries are ours, with request ids and a budget: gRPC's own would hide them.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A little above what a page may hold, so that the server's limits are the ones that speak.
    ("grpc.max_receive_message_length", 2 * MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", 16 * MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 64 * 1024),
)

_PRINTABLE: Final = re.compile(r"[ -~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The settings of a client: server, ledger, caller, time limits."""

    target: str
    ledger: str
    actor: str
    deadline_seconds: float
    retry: RetryOptions
    clock: Clock
    trust: TrustStore = field(default_factory=TrustStore)
    witness_policy: WitnessPolicy | None = None
    max_age_seconds: int | None = None
    max_future_seconds: int = MAX_FUTURE_SECONDS
    purpose: str = ""
    security: Security = field(default_factory=Security)
    place: Target = field(init=False)

    def __post_init__(self) -> None:
        """Refuse what could not mean anything, and complete the address."""
        object.__setattr__(self, "target", address_of(self.target))
        place = target_of(self.target, has_tls=self.security.has_tls)
        object.__setattr__(self, "place", place)
        refuse_foreign_socket(place)
        if self.security.token is not None and not (place.is_secure or place.is_local):
            raise ValueError(
                f"token: the way to {self.target} is not TLS, so that others could read it; write "
                f"{SECURE}{place.address}"
            )
        if not self.deadline_seconds > 0:
            raise ValueError("deadline_seconds: every call needs a deadline above 0")
        if min(self.max_future_seconds, self.max_age_seconds or 0) < 0:
            raise ValueError("max_age_seconds, max_future_seconds: neither is below 0")
        if self.actor and (self.actor.startswith("system/") or not ACTOR.fullmatch(self.actor)):
            raise ValueError(
                f"actor: {self.actor[:80]!r} is not the name of a caller; write users/NAME or "
                "services/NAME in a-z, 0-9, '.', '_' and '-'"
            )
        if len(self.purpose) > PURPOSE_CHARS_MAX or not _PRINTABLE.fullmatch(self.purpose):
            raise ValueError(
                f"purpose: write at most {PURPOSE_CHARS_MAX} printable characters of ASCII"
            )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of every call: what was stated of the caller, and the bearer token."""
        token = self.security.token
        stated = (
            (ACTOR_KEY, self.actor),
            (PURPOSE_KEY, self.purpose),
            (_AUTHORIZATION_KEY, f"Bearer {token.text}" if token else ""),
        )
        return tuple((key, text) for key, text in stated if text)

    def times(self) -> TimeBounds:
        """Return when a cosignature counts, as of now."""
        now = self.clock.now_micros() // 1_000_000
        return TimeBounds(now, self.max_future_seconds, self.max_age_seconds)

    def attempts(self, deadline_seconds: float | None = None) -> Attempts:
        """Return the attempts of a call, or without a deadline of a watch or stream."""
        return Attempts(self.retry, self.clock, deadline_seconds)

    def state(self, request: Any, request_id: str | None) -> None:  # noqa: ANN401 - of any method
        """State in a request the client's ledger and, in an append, its id: one is made if None."""
        fields = request.DESCRIPTOR.fields_by_name
        if "ledger" in fields:
            request.ledger = self.ledger
        if "request_id" in fields:
            request.request_id = request_id or uuid7(self.clock)
