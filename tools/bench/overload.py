"""The effect on an honest client of another one that takes all it can.

The attacker is a process of its own that does one thing again and again on one connection at a
time; the honest client tries as the project's client does by itself. Quiet and attacked calls are
taken in turns on the same server, so that both see the machine as it is at the time.
"""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Final

import grpc

from ledger.client import ClientError, LedgerClient
from tools.bench import fleet
from tools.bench.attackers import ATTACKS, Attacker
from tools.bench.rows import Peer, Row, at_least, at_most, load_average, percentile
from tools.bench.run import Run, fresh, say
from tools.bench.serving import serving

ROUNDS: Final = 300
TURNS: Final = 3
_ANSWERED_MIN: Final = 95
_SLOWER_MAX: Final = 5
_HOLD_SECONDS: Final = 2.0  # how long an attacker keeps what it has before it begins again
_READY_SECONDS: Final = 30.0


@dataclass(slots=True)
class Asked:
    """An honest client's view: how long each call took, and how many were not answered."""

    milliseconds: list[float] = field(default_factory=list)
    unanswered: int = 0

    @property
    def answered_percent(self) -> float:
        """How much of what was asked was answered."""
        return 100 * (1 - self.unanswered / len(self.milliseconds))


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    rows = []
    for name in ATTACKS:
        say(name)
        quiet, attacked = fresh(_pass, run, name)
        before, under = (percentile(each.milliseconds, 99) for each in (quiet, attacked))
        load = load_average()
        half, half_under = (percentile(each.milliseconds, 50) for each in (quiet, attacked))
        note = f"p50 {half:.1f} ms quiet, {half_under:.1f} ms attacked; p99 {under:.1f} ms attacked"
        share, slower = f"{name}: honest calls answered", f"{name}: honest p99 against quiet"
        rows += [
            Row(
                "overload",
                share,
                attacked.answered_percent,
                "%",
                at_least(_ANSWERED_MIN),
                load=load,
            ),
            Row(
                "overload",
                slower,
                under / before,
                "×",
                at_most(_SLOWER_MAX),
                Peer("quiet p99, ms", before),
                note,
                load,
            ),
        ]
    return rows


def _pass(run: Run, name: str) -> tuple[Asked, Asked]:
    """Return what an honest client saw on a fresh server, without and with one attack."""
    database = run.path(f"overload-{name.replace(' ', '-')}.sqlite")
    fresh(fleet.create, str(database))
    quiet, attacked = Asked(), Asked()
    rounds = run.count(ROUNDS)
    with (
        serving(database, is_live=False) as server,
        LedgerClient(server.address, actor=fleet.MONITOR) as client,
    ):
        _ask(client, Asked(), rounds)  # until everything is warm
        for turn in range(run.count(TURNS)):
            _ask(client, quiet, rounds, first=2 * turn * rounds)
            with _attacking(server.address, name):
                _ask(client, attacked, rounds, first=(2 * turn + 1) * rounds)
    return quiet, attacked


def _ask(client: LedgerClient, asked: Asked, rounds: int, first: int = 0) -> None:
    """Submit, and read what was submitted, so many times."""
    for number in range(first, first + rounds):
        model, signal = fleet.SERIES[number % len(fleet.SERIES)]
        row = (model, signal, 0.42, fleet.START + number * fleet.MINUTE, "v1", 100)
        position = 0
        for call in ("submit", "read"):
            started = time.perf_counter()
            try:
                if call == "submit":
                    position = client.submit([row]).position
                else:
                    client.get_ledger(min_position=position)
            except ClientError:
                asked.unanswered += 1
            asked.milliseconds.append((time.perf_counter() - started) * 1000)


@contextmanager
def _attacking(address: str, name: str) -> Iterator[None]:
    """Attack from another process while the context lasts."""
    context = multiprocessing.get_context("spawn")
    begun, over = context.Event(), context.Event()
    attacker = context.Process(target=_attack, args=(address, name, begun, over), daemon=True)
    attacker.start()
    try:
        if not begun.wait(_READY_SECONDS):
            raise RuntimeError(f"the attack did not begin: {name}")
        yield
    finally:
        over.set()
        attacker.join(_READY_SECONDS)
        attacker.kill()


def _attack(address: str, name: str, begun: Event, over: Event) -> None:
    attack, count = ATTACKS[name]
    while not over.is_set():
        with Attacker(address) as attacker:
            with suppress(AssertionError, grpc.RpcError):  # refused, or cut off: again
                attack(attacker, count)
            begun.set()
            if not name.startswith("malformed calls"):
                over.wait(_HOLD_SECONDS)
