"""Decide for the decision-quality benchmark by a running ledger, over its protocol of JSON lines.

Give it to the benchmark as its external program, from the folder of this repository:

    run.py . --external "python -m tools.quality --data . --season cta=13"

A server is started with a ledger of its own for each fleet. `--data` is the folder of the
benchmark: with it a version is deployed with the loss that it had in training; without it that is
not known before the version has served, and the one of the version before is taken.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, Final

from ledger.client import LedgerClient
from tools.demo.server import ACTOR, serving
from tools.quality import say
from tools.quality.fleet import MICROS, LedgerFleet, Probe, actors

ORIGIN: Final = "benchmark.example.com/fleet"
_BANKED: Final = 2
"""The bank holds four periods of money, and the first request comes with two."""

Message = dict[str, Any]


class Decider:
    """Answers the requests of one fleet."""

    def __init__(
        self, clients: dict[str, LedgerClient], probe: Probe, data: str, seasons: dict[str, int]
    ) -> None:
        self._fleet = LedgerFleet(clients)
        self._probe = probe
        self._data = data
        self._seasons = seasons
        self._held: Message = {}
        """The losses that were told before the fleet was known."""
        self._cap = 0

    def answer(self, request: Message) -> Message:
        """Return the answer to a request of a period."""
        if "shadow" in request:
            if not self._cap:
                self._held = request
                return {"switch": {}}
            self._told(request)
            return {"switch": {k: int(v) for k, v in self._fleet.put_back(request["t"]).items()}}
        models = request["models"]
        if not self._cap:
            self._begin(request)
        for one in models:
            if (
                one["live"]
                and one["id"] in self._fleet.serving
                and one["baseline_loss"] is not None
            ):
                self._fleet.learn(one["id"], one["baseline_loss"])
        budget = int(request["budget"] * MICROS)
        return {"retrain": self._fleet.choose(budget, self._cap, self._probe)}

    def _begin(self, request: Message) -> None:
        """Begin with the first period in which anything may be chosen."""
        key, models = request["fleet"], request["models"]
        money = request["budget"] / _BANKED
        say(f"{key}: deciding for {len(models)} models, {money:g} of money a period")
        self._cap = int(_BANKED * request["budget"] * MICROS)
        self._fleet.baselines = baselines(self._data, key) if self._data else {}
        self._fleet.begin(self._seasons.get(key, 0))
        self._fleet.register({one["id"]: one["cost"] for one in models})
        if self._held:
            self._told(self._held)

    def _told(self, request: Message) -> None:
        """Tell what each version lost, and what was deployed at the end of the period before.

        Losses come first: deployments are recorded late, and count by their stated times.
        """
        period, newest, shadow = request["t"], request["newest"], request["shadow"]
        fresh = str(period - 1)
        losses = {name: (one["rows"], one["losses"]) for name, one in newest.items()}
        self._fleet.observe(losses, period)
        for name in list(self._fleet.waiting):
            seen = newest.get(name, {}).get("losses", {})
            if fresh in seen or str(shadow.get(name, {}).get("deployed")) == fresh:
                self._fleet.served(name, fresh, period)
            else:
                self._fleet.failed(name)
        for name, one in newest.items():
            if name not in self._fleet.serving:
                version = max(one["losses"], key=int)
                self._fleet.served(name, version, int(version) + 1)


def baselines(data: str, key: str) -> dict[str, dict[str, float]]:
    """Return the loss per row in training of each version of each model, by the benchmark itself.

    They are kept beside the temporary files of the machine, as training takes a while.
    """
    source = Path(data) / f"{key}.npz"
    kept = Path(tempfile.gettempdir()) / f"quality-{key}-{source.stat().st_size}.json"
    if kept.exists():
        found: dict[str, dict[str, float]] = json.loads(kept.read_text())
        return found
    sys.path.insert(0, str(Path(data).absolute()))
    fleet = import_module("fleet").Fleet(str(source))  # a module of the benchmark
    made = {
        name: {str(at): float(loss) for at, loss in enumerate(fleet.base[index]) if isfinite(loss)}
        for index, name in enumerate(fleet.names)
    }
    kept.write_text(json.dumps(made))
    return made


def _probe(name: str) -> tuple[float | None, float | None] | None:
    found = _ask({"probe": [name]})["probe"][name]
    return None if found is None else (found[0], found[1])


def _ask(message: Message) -> Message:
    _say(message)
    answer: Message = json.loads(sys.stdin.readline())
    return answer


def _say(message: Message) -> None:
    print(json.dumps(message), flush=True)


def _requests() -> Iterator[Message]:
    while line := sys.stdin.readline():
        yield json.loads(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", default="", help="folder of the benchmark")
    parser.add_argument(
        "--season", action="append", default=[], metavar="FLEET=PERIODS", help="a year in periods"
    )
    parser.add_argument("--keep", type=Path, help="folder to keep the ledgers in")
    options = parser.parse_args(arguments)
    seasons = {key: int(count) for key, _, count in (one.partition("=") for one in options.season)}
    with ExitStack() as stack:
        if options.keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = options.keep / str(os.getpid())
            folder.mkdir(parents=True)
        address = stack.enter_context(serving(folder)).address
        creator = stack.enter_context(LedgerClient(address, ledger=ORIGIN, actor=ACTOR))
        creator.create_ledger(ORIGIN, clock="data")
        clients = {
            actor: stack.enter_context(LedgerClient(address, ledger=ORIGIN, actor=actor))
            for actor in actors()
        }
        decider = Decider(clients, _probe, options.data, seasons)
        for request in _requests():
            _say(decider.answer(request))
    return 0


if __name__ == "__main__":
    sys.exit(main())
