"""What a connection is made with, for both clients: settings, channel options, metadata."""

from dataclasses import dataclass, field
from typing import Final

from ledger.chain.policy import Policy
from ledger.client.address import address_of
from ledger.client.call import Scope
from ledger.client.retry import RetryOptions
from ledger.client.trust.store import TrustStore
from ledger.clock import Clock, uuid7
from ledger.events.values import ACTOR
from ledger.limits import KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS, MESSAGE_BYTES_MAX

ACTOR_KEY: Final = "ledger-actor"
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


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was told: where, for which ledger, as whom, and how patiently."""

    target: str
    ledger: str
    actor: str
    deadline_seconds: float
    retry: RetryOptions
    clock: Clock
    trust: TrustStore = field(default_factory=TrustStore)
    policy: Policy | None = None

    def __post_init__(self) -> None:
        """Refuse what could not mean anything, and complete the address."""
        object.__setattr__(self, "target", address_of(self.target))
        if not self.deadline_seconds > 0:
            raise ValueError("deadline_seconds: every call needs a deadline above 0")
        if self.actor and (self.actor.startswith("system/") or not ACTOR.fullmatch(self.actor)):
            raise ValueError(
                f"actor: {self.actor[:80]!r} is no name of a caller; write users/NAME or "
                "services/NAME in a-z, 0-9, '.', '_' and '-'"
            )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries; without an actor the server records its anonymous one."""
        return ((ACTOR_KEY, self.actor),) if self.actor else ()

    def scope(self) -> Scope:
        """Return what a read states."""
        return Scope(self.ledger)

    def append_scope(self, request_id: str | None, *, allow_leap: bool = False) -> Scope:
        """Return what an append states: the caller's request id, or one made now."""
        return Scope(self.ledger, request_id or uuid7(self.clock), allow_leap)
