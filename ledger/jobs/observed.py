"""The ledger's own observations of a version that a job has deployed, as evidence for its gate.

They are those of the signals that the gate names, observed in its window: not by the executor of
the job, which cannot choose so what it is judged by. The version before, where it was observed on
the same rows, is the one to compare with. Values are in nano; means in millionths, rounded down.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from ledger.events.job_parts import ObservedSignalPart
from ledger.events.values import SECOND
from ledger.jobs.machine import Job
from ledger.rules.gates import NUMBER_MAX, GateEvidence

_NANO_IN_MICRO: Final = 1_000
_MICROS: Final = 1_000_000


class SeenSignal(NamedTuple):
    """One observation that counts: none has corrected it."""

    position: int
    model_version: str
    signal: str
    observed_at: int
    source: str
    sample_size: int
    value_nano: int


def window_of(job: Job) -> tuple[int, int] | None:
    """Return the first and the last microsecond in which a job's version is observed.

    None where the ledger reads nothing of it.
    """
    gate, version = job.gate, job.deployed
    if gate is None or not gate["signals"] or version is None or version.observed_until is None:
        return None
    begin = version.observed_until - gate["window_seconds"] * SECOND
    return max(begin, 0), version.observed_until - 1


def observed_in(job: Job, seen: Iterable[SeenSignal]) -> list[ObservedSignalPart]:
    """Return what was observed of each signal that a job's gate names, in their order.

    `seen`: the observations of the model in the window, in any order.
    """
    gate, version = job.gate, job.deployed
    assert gate is not None, "a gate is next"
    assert version is not None, "it is deployed"
    counted = [one for one in seen if one.source not in job.executors]
    return [
        _observed(
            signal,
            [one for one in counted if one.signal == signal],
            version.model_version,
            version.replaces,
        )
        for signal in gate["signals"]
    ]


def _observed(
    signal: str, seen: Sequence[SeenSignal], version: str, replaced: str | None
) -> ObservedSignalPart:
    own = [one for one in seen if one.model_version == version]
    before = {_place(one): one for one in sorted(seen) if one.model_version == replaced}
    newest = {_place(one): one for one in sorted(own)}
    pairs = [(newest[place], before[place]) for place in sorted(newest.keys() & before.keys())]
    lines = "".join(map(_line, sorted([*own, *(older for _, older in pairs)])))
    return ObservedSignalPart(
        signal=signal,
        observations=len(own),
        rows=str(sum(one.sample_size for one in own)),
        mean_micros=_mean(own),
        compared_rows=str(sum(one.sample_size for one, _ in pairs)),
        compared_mean_micros=_mean([one for one, _ in pairs]),
        replaced_mean_micros=_mean([older for _, older in pairs]),
        rests_on_sha256=hashlib.sha256(lines.encode()).hexdigest(),
    )


def _place(one: SeenSignal) -> tuple[int, str, int]:
    """Return what two versions have in common that were observed on the same rows."""
    return one.observed_at, one.source, one.sample_size


def _line(one: SeenSignal) -> str:
    facts = one.observed_at, one.model_version, one.source, one.sample_size, one.value_nano
    return " ".join(map(str, facts)) + "\n"


def _mean(seen: Sequence[SeenSignal]) -> str | None:
    rows = sum(one.sample_size for one in seen)
    total = sum(one.value_nano * one.sample_size for one in seen)
    return str(total // (rows * _NANO_IN_MICRO)) if rows else None


def with_observed(evidence: GateEvidence, observed: Sequence[ObservedSignalPart]) -> GateEvidence:
    """Return evidence with what the ledger observed, as criteria read it."""

    def values(member: str) -> dict[str, int]:
        found = ((one.signal, getattr(one, member)) for one in observed)
        return {name: min(int(value), NUMBER_MAX) for name, value in found if value is not None}

    return replace(
        evidence,
        observed=values("mean_micros"),
        rows=values("rows"),
        compared=values("compared_mean_micros"),
        replaced=values("replaced_mean_micros"),
    )


def realised(job: Job) -> dict[str, str] | None:
    """Return the benefit of a job's version in its window, as its end states it; None for unknown.

    The loss that was avoided, on the rows of which both versions were observed, times the value of
    a unit of it on one row.
    """
    first, value = next(iter(job.observed), None), job.proposed["unit_value_micros"]
    if first is None or value is None:
        return None
    own, before = first["compared_mean_micros"], first["replaced_mean_micros"]
    if own is None or before is None:
        return None
    rows, change = int(first["compared_rows"]), int(own) - int(before)
    return {
        "signal": first["signal"],
        "rows": str(rows),
        "change_micros": str(change),
        "benefit_micros": str(-change * rows * int(value) // _MICROS),
    }
