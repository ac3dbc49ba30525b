"""A flood: one source sends as much as it can. It meets its limit, and others are answered."""

import threading
from dataclasses import dataclass, field
from typing import Final

from ledger.api.listening import Listening
from ledger.api.server import ApiServer
from ledger.client import LedgerClient, RetryOptions
from ledger.client.errors import ClientError
from ledger.clock import Clock
from ledger.errors import Reason
from ledger.limit_settings import LimitSettings
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.scene import Scene
from ledger.operations.drills.small_ledger import MODEL, SIGNALS
from ledger.service import Service

LIMITS: Final = LimitSettings(observations_per_second=2_000)
"""Low enough for one client to meet: the limits of the settings are for many."""
_BATCH: Final = 1_000
_CALLS: Final = 20
SECONDS_MAX: Final = 20.0
_DEADLINE: Final = 10.0
_ONCE: Final = RetryOptions(attempts_max=1)


@dataclass
class _Flood:
    """The answers that the flooding source got."""

    taken: int = 0
    refused: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)
    has_met_limit: threading.Event = field(default_factory=threading.Event)


def flood(scene: Scene) -> Detection:
    """Flood a server as one source, and call it as another."""
    subject = scene.subject
    settings = subject.settings().model_copy(update={"limits": LIMITS})
    with (
        Service(settings, subject.clock(scene.clock), create=False) as service,
        ApiServer(service, Listening("127.0.0.1:0", settings.server)) as server,
    ):
        return _flooded(scene, server.address)


def _flooded(scene: Scene, address: str) -> Detection:
    seen = _Flood()
    clock = scene.clock
    with (
        LedgerClient(address, actor="services/drill-flood", retry=_ONCE) as loud,
        LedgerClient(address, actor="services/monitor-1", deadline_seconds=_DEADLINE) as calm,
    ):
        usual = slowest(calm, clock)
        found = scene.watching()
        sender = threading.Thread(target=_send, args=(loud, clock, seen, found), name="drill-flood")
        sender.start()
        try:
            seen.has_met_limit.wait(SECONDS_MAX)
            during = slowest(calm, clock)
        finally:
            seen.is_over.set()
            sender.join()
    found.said.append(
        f"{seen.taken} batches of the flood were taken and {seen.refused} refused. The slowest of "
        f"{_CALLS} calls of another source took {_shown(usual)} before and "
        f"{_shown(during)} in the flood."
    )
    if during is None:
        found.names.clear()
        found.micros = None
    return found


def _shown(seconds: float | None) -> str:
    return "too long" if seconds is None else f"{seconds:.3f} s"


def _send(client: LedgerClient, clock: Clock, seen: _Flood, found: Detection) -> None:
    """Send batch after batch until it is over."""
    end = clock.monotonic_seconds() + 2 * SECONDS_MAX
    while not seen.is_over.is_set() and clock.monotonic_seconds() < end:
        at = clock.now_micros()
        try:
            client.submit([(MODEL, SIGNALS[0], "0.4", at - number) for number in range(_BATCH)])
            seen.taken += 1
        except ClientError as error:
            if getattr(error, "reason", None) != Reason.LIMIT_REACHED:
                continue  # it goes on, as an attacker would
            seen.refused += 1
            found.saw(Reason.LIMIT_REACHED.name, str(error))
            seen.has_met_limit.set()


def slowest(client: LedgerClient, clock: Clock) -> float | None:
    """Return how long the slowest of some calls took; None where one was not answered."""
    most = 0.0
    for number in range(_CALLS):
        began = clock.monotonic_seconds()
        try:
            client.submit([(MODEL, SIGNALS[1], "0.4", clock.now_micros() - number)])
        except ClientError:
            return None
        most = max(most, clock.monotonic_seconds() - began)
    return most
