"""How long the front waits, for what a client does or does not do."""

from dataclasses import dataclass

from ledger.limits import IDLE_SECONDS, MALFORMED_SECONDS, MESSAGE_SECONDS, PING_SECONDS_MIN


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds, each as `ledger.limits` has it; tests have less."""

    message_seconds: float = MESSAGE_SECONDS
    idle_seconds: float = IDLE_SECONDS
    malformed_seconds: float = MALFORMED_SECONDS
    ping_seconds: float = PING_SECONDS_MIN
    """How often a client that does nothing may ask whether the server is still there."""
