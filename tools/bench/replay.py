"""How long a replay takes, and that it does not grow with the ledger."""

import time
from typing import Final, NamedTuple

from ledger.events.decisions import DECISION_TYPES
from tools.bench import fleet, ledgers
from tools.bench.rows import Peer, Row, at_most, load_average, median, percentile
from tools.bench.run import Run, fresh, say

LONG: Final = 1_000_000
SHORT: Final = 100_000
_ROUNDS: Final = 3
_FULL: Final = 0.9  # of the fullest window


class Replayed(NamedTuple):
    """Seconds and observations of each replay, and the load meanwhile."""

    samples: list[tuple[float, int]]
    load: float

    @property
    def evidence_max(self) -> int:
        """The most observations that one replay rested on."""
        return max(evidence for _, evidence in self.samples)

    def milliseconds(self, evidence_min: float) -> list[float]:
        """Return how long the replays took that rested on at least so many observations."""
        return [seconds * 1000 for seconds, evidence in self.samples if evidence >= evidence_min]


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    long, short = run.count(LONG, multiple=fleet.BATCH), run.count(SHORT, multiple=fleet.BATCH)
    for size in (long, short):
        fresh(ledgers.written, run.path(f"ledger-{size}.sqlite"), size)
    # In turns, so that other load of the machine falls on both alike.
    turns: dict[int, list[Replayed]] = {long: [], short: []}
    for turn in range(_ROUNDS):
        for size, found in turns.items():
            say(f"replaying in {size:,} events, round {turn + 1} of {_ROUNDS}")
            found.append(fresh(_replay, run, size))
    of_long, of_short = _together(turns[long]), _together(turns[short])
    # Only full windows, or the young ledger's thinner ones would make it look quicker than it is.
    full = _FULL * min(of_long.evidence_max, of_short.evidence_max)
    in_long, in_short = of_long.milliseconds(full), of_short.milliseconds(full)
    evidence = (
        f"{len(in_long)} replays among {long:,} events, "
        f"each of {full:.0f} to {of_long.evidence_max} observations"
    )
    other = f"the same among {short:,} events"
    rows = [
        Row(
            "replay",
            f"replay of a decision, p{percent}",
            percentile(in_long, percent),
            "ms",
            at_most(10) if percent == 50 else None,
            Peer(other, percentile(in_short, percent)),
            evidence,
            of_long.load,
        )
        for percent in (50, 99)
    ]
    growth = median(in_long) / median(in_short)
    name = "replay p50, long ledger against short"
    return [*rows, Row("replay", name, growth, "×", at_most(1.3), None, evidence, of_long.load)]


def _together(rounds: list[Replayed]) -> Replayed:
    return Replayed(
        [sample for one in rounds for sample in one.samples],
        max(one.load for one in rounds),
    )


def _replay(run: Run, size: int) -> Replayed:
    """Replay every decision of a ledger once to warm up, then once with a watch in hand."""
    with fleet.still(str(run.path(f"ledger-{size}.sqlite"))) as service:
        ledger = service.ledger()
        head = ledger.log.head().position
        decided = ledger.decisions.events(None, after=0, until=head, limit=1000)
        assert decided
        assert all(event.type in DECISION_TYPES for event in decided)
        for event in decided[:20]:
            ledger.replayer.replay(event.position)
        samples = []
        for event in decided:
            started = time.perf_counter()
            result = ledger.replayer.replay(event.position)
            samples.append((time.perf_counter() - started, len(result.evidence)))
            assert result.outcome == "IDENTICAL", result
        return Replayed(samples, load_average())
