"""Attacks on the server's clock: wound ahead, wound back, stopped. Nothing may be dated by it."""

from collections.abc import Callable

from ledger.operations.drills.detection import Detection
from ledger.operations.drills.scene import Scene, write_something
from ledger.operations.drills.stepped_clock import SteppedClock
from ledger.service import Service

_HOURS_MICROS = 2 * 3_600_000_000
_HOURS_SECONDS = 2 * 3_600


def clock_ahead(scene: Scene) -> Detection:
    """Wind the clock two hours ahead under a running server."""
    return _wound(scene, lambda clock: _move(clock, _HOURS_MICROS))


def clock_back(scene: Scene) -> Detection:
    """Wind the clock two hours back under a running server."""
    return _wound(scene, lambda clock: _move(clock, -_HOURS_MICROS))


def stopped_clock(scene: Scene) -> Detection:
    """Stop the clock for two hours under a running server."""

    def stop(clock: SteppedClock) -> None:
        clock.stop()
        clock.wait(_HOURS_SECONDS)

    return _wound(scene, stop)


def _move(clock: SteppedClock, micros: int) -> None:
    clock.ahead_micros += micros


def _wound(scene: Scene, wind: Callable[[SteppedClock], None]) -> Detection:
    """Return what an append meets after the clock was wound; before, one is taken."""
    clock = scene.subject.clock(scene.clock)
    with Service(scene.subject.settings(), clock, create=False) as service:
        ledger = service.ledger(scene.subject.origin)
        write_something(ledger)
        wind(clock)
        found = scene.watching()
        found.refused(lambda: write_something(ledger))
    return found
