"""What every command brings along and what every append answers."""

from dataclasses import dataclass

from ledger.storage.store import AppendResult


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the actor, the request's idempotency key and content digest, and the deadline.

    `digest` is SHA-256 over method and content; `deadline_monotonic` is on the injected clock.
    """

    actor: str
    request_id: str | None = None
    digest: bytes = b""
    deadline_monotonic: float | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Where a command's events stand: durable when you see it."""

    first_position: int
    position: int
    event_hash: bytes
    recorded_at: int
    repeated: bool

    @classmethod
    def of(cls, result: AppendResult) -> "Written":
        """Return what an append answered."""
        return cls(
            result.first_position,
            result.last_position,
            result.event_hash,
            result.recorded_at,
            result.repeated,
        )


def model_stream(model: str) -> str:
    """Return the stream that holds a model's whole story."""
    return f"models/{model}"


def policy_stream(policy: str) -> str:
    """Return the stream of a policy."""
    return f"policies/{policy}"


def signal_stream(signal: str) -> str:
    """Return the stream of a signal's definitions."""
    return f"signals/{signal}"


def plan_stream(plan: str) -> str:
    """Return the stream of one plan."""
    return f"plans/{plan}"
