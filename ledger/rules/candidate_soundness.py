"""Whether the gate of a candidate compares it with the version in service, by what it accepts.

Its criteria are judged over reports that are made up: the candidate as good as the version in
service, twice as much and half as much in every metric, whichever is the worse of the two. The
other numbers are tried small and large, so that limits on them stand in the way of none.
"""

from collections.abc import Iterator
from typing import Final

from ledger.events.recipe_document import GatePart
from ledger.rules.gates import GateEvidence, judge

_SIZES: Final = (10**3, 10**6, 10**9, 10**12)
_OTHERS: Final = (0, 10**3, 10**6, 10**12)


def accepts_equal(gate: GatePart) -> bool:
    """Whether a candidate passes that is exactly as good as the version in service."""
    return any(_passes(gate, size, size) for size in _SIZES)


def accepts_anything(gate: GatePart) -> bool:
    """Whether a candidate passes at twice the numbers of the version in service and at half.

    One of the two is much worse. It has to be so at any size: a limit on the difference may let
    through what is small.
    """
    return all(_passes(gate, 2 * size, size) and _passes(gate, size, 2 * size) for size in _SIZES)


def _passes(gate: GatePart, candidate: int, champion: int) -> bool:
    return any(judge(gate, one).is_passed for one in _reports(gate, candidate, champion))


def _reports(gate: GatePart, candidate: int, champion: int) -> Iterator[GateEvidence]:
    compared = [one.name for one in gate.metrics if one.of == "versions"]
    of_run = [one.name for one in gate.metrics if one.of == "run"]
    for samples in _OTHERS:
        for metrics in _OTHERS:
            yield GateEvidence(
                metrics=dict.fromkeys(of_run, metrics),
                samples=dict.fromkeys((one.name for one in gate.samples), samples),
                champion=dict.fromkeys(compared, champion),
                candidate=dict.fromkeys(compared, candidate),
            )
