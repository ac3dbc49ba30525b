"""A server with small limits on a clock that the test turns, and calls made to be counted."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from ledger.api.front_end import Timeouts
from ledger.events.values import SECOND
from ledger.limits import BURST_SECONDS
from ledger.v1 import (
    model_service_pb2,
    signal_service_pb2,
)
from tests.support.clocks import TurnedClock
from tests.support.served import (
    START,
    TIMEOUT,
    Fleets,
    Refusal,
    Served,
    observation,
    refused,
    serving,
)

RATE = 5
BURST = RATE * BURST_SECONDS
ANN: Any = (("ledger-actor", "users/ann"),)
BEN: Any = (("ledger-actor", "users/ben"),)
STREAM = "/ledger.v1.SignalService/StreamSignals"


class Limited:
    """A server with small limits, its clock, and calls that are made to be counted."""

    def __init__(self, served: Served, clock: TurnedClock) -> None:
        self.served = served
        self.clock = clock

    def read(self, actor: Any = ANN, *, ledger: str = "") -> None:  # noqa: ANN401 - metadata
        """Make a call."""
        request = model_service_pb2.GetModelRequest(name="models/fares", ledger=ledger)
        self.served.models.GetModel(request, timeout=TIMEOUT, metadata=actor)

    def reads(self, actor: Any, count: int) -> int:  # noqa: ANN401
        """Make calls all at once, and return how many were let in."""
        request = model_service_pb2.GetModelRequest(name="models/fares")
        calls = [
            self.served.models.GetModel.future(request, timeout=TIMEOUT, metadata=actor)
            for _ in range(count)
        ]
        failures = [call.exception() for call in calls]
        reasons = {refused(lambda one=one: raised(one)).reason for one in failures if one}  # type: ignore[misc]
        assert reasons <= {"LIMIT_REACHED"}
        return failures.count(None)

    def submit(self, count: int, actor: Any = ANN) -> None:  # noqa: ANN401
        """Submit a batch."""
        rows = [observation(seconds=number) for number in range(count)]
        self.served.signals.SubmitSignals(
            signal_service_pb2.SubmitSignalsRequest(observations=rows),
            timeout=TIMEOUT,
            metadata=actor,
        )


def raised(error: BaseException) -> None:
    """Raise what a call ended with."""
    raise error


@contextmanager
def limited(fleets: Fleets, folder: Path, **limits: object) -> Iterator[Limited]:
    """Serve a ledger with other limits on a clock that stands."""
    shutil.copytree(fleets("fares"), folder, dirs_exist_ok=True)
    clock = TurnedClock(START * SECOND)
    at_once = Timeouts(limited_seconds=0)
    named: dict[str, Any] = {f"limits__{name}": value for name, value in limits.items()}
    with serving(folder, clock, timeouts=at_once, refusals__seconds=0.01, **named) as served:
        yield Limited(served, clock)


def wait_of(refusal: Refusal) -> int:
    """Return the microseconds to wait that a refusal tells."""
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "LIMIT_REACHED",
    )
    assert refusal.retry_seconds
    return round(refusal.retry_seconds * SECOND)
