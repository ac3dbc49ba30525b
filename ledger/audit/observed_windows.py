"""The observations of a job's version in its window, counted again from the audit's own index.

It shares no arithmetic with the service: sums are kept by version and by place, in one pass.
"""

import hashlib
from typing import Any

from ledger.audit.ledger_state import LedgerState
from ledger.audit.observations import IndexedObservation, uncorrected
from ledger.events.values import SECOND, parse_decimal
from ledger.jobs.machine import Job


def observed_again(fold: LedgerState, job: Job, position: int) -> list[dict[str, Any]]:
    """Return what a verdict at a position has to say of each signal that the job's gate names."""
    gate, version = job.gate, job.deployed
    window = None if gate is None else gate["window_seconds"]
    if gate is None or window is None or version is None or version.observed_until is None:
        return []
    first = max(version.observed_until - window * SECOND, 0)
    seen = fold.observations.between(
        f"models/{job.model}", first, version.observed_until - 1, position
    )
    by_signal: dict[str, list[IndexedObservation]] = {name: [] for name in gate["signals"]}
    for one in sorted(uncorrected(seen)):
        if one.signal in by_signal and one.source not in job.executors:
            by_signal[one.signal].append(one)
    return [
        {"signal": name} | _counted(some, version.model_version, version.replaces or "")
        for name, some in by_signal.items()
    ]


def _counted(seen: list[IndexedObservation], version: str, replaced: str) -> dict[str, Any]:
    own = [one for one in seen if one.model_version == version]
    newest: dict[tuple[object, ...], dict[str, IndexedObservation]] = {}
    for one in seen:
        place = newest.setdefault((one.observed_at, one.sample_size, one.source), {})
        place[one.model_version] = one
    shared = [each for each in newest.values() if version in each and replaced in each]
    digest = hashlib.sha256()
    for one in sorted(own + [each[replaced] for each in shared]):
        said = f"{one.observed_at} {one.model_version} {one.source} {one.sample_size}"
        digest.update(f"{said} {parse_decimal(one.value)}\n".encode())
    rows, mean = _mean(own)
    compared_rows, compared_mean = _mean([each[version] for each in shared])
    _, replaced_mean = _mean([each[replaced] for each in shared])
    return {
        "observations": len(own),
        "rows": str(rows),
        "mean_micros": mean,
        "compared_rows": str(compared_rows),
        "compared_mean_micros": compared_mean,
        "replaced_mean_micros": replaced_mean,
        "rests_on_sha256": digest.hexdigest(),
    }


def _mean(seen: list[IndexedObservation]) -> tuple[int, str | None]:
    """Return rows, and the mean over them in millionths, rounded down; None without rows."""
    rows = weighted = 0
    for one in seen:
        rows += one.sample_size
        weighted += parse_decimal(one.value) * one.sample_size
    return rows, None if rows == 0 else str(weighted // rows // 1_000)
