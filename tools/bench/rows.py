"""One line of the result: a figure, what it should be, and a peer measured in the same run.

The peer is what gives a figure meaning on another machine: a limit that no ledger can pass, another
store given the same work, or the same work done another way. `ratio` is measured / peer.
"""

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a figure: at least, or at most, a value."""

    bound: Literal["at least", "at most"]
    value: float

    def is_met_by(self, measured: float) -> bool:
        """Return whether a figure reaches the target."""
        return measured >= self.value if self.bound == "at least" else measured <= self.value


@dataclass(frozen=True, slots=True)
class Peer:
    """The peer of a figure, in the same unit."""

    name: str
    measured: float


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of one section. `load` is the machine's load average when it was taken."""

    section: str
    name: str
    measured: float
    unit: str
    target: Target | None = None
    peer: Peer | None = None
    note: str = ""
    load: float = 0.0

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.target is None else self.target.is_met_by(self.measured)

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of its peer's."""
        if self.peer is None or not self.peer.measured:
            return None
        return self.measured / self.peer.measured

    def to_data(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return asdict(self) | {"is_met": self.is_met, "ratio": self.ratio}


def at_least(value: float) -> Target:
    """Return the target of a figure that should be large."""
    return Target("at least", value)


def at_most(value: float) -> Target:
    """Return the target of a figure that should be small."""
    return Target("at most", value)


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that at least `percent` of all samples do not exceed."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(int(rank), 1) - 1]


def median(samples: Sequence[float]) -> float:
    """Return the middle sample."""
    return statistics.median_low(samples)


def load_average() -> float:
    """Return the machine's load average over the last minute."""
    return round(os.getloadavg()[0], 2)
