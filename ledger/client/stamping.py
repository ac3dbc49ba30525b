"""Giving an observation the moment it was made, before it waits in a buffer."""

from collections.abc import Mapping

from ledger.client.observations import Observation, ObservationLike
from ledger.clock import Clock


def stamped(observation: ObservationLike, clock: Clock) -> ObservationLike:
    """Return the observation with the time it was made: now, if it states none."""
    match observation:
        case Observation(observed_at=None):
            made = observation
        case [model, signal, value]:
            made = Observation(model, signal, value)
        case {"observed_at": _}:
            return observation
        case Mapping():
            return {**observation, "observed_at": clock.now_micros()}
        case _:
            return observation
    return Observation(
        made.model,
        made.signal,
        made.value,
        clock.now_micros(),
        made.model_version,
        made.sample_size,
    )
