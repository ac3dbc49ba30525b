"""How far the window of an observation is over, and from when on evidence counts in it.

An executor that reports when it likes chooses the numbers by which a version is judged: a recipe
may let a report count only once so much of the window is over.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ledger.events.jobs import GateReported
from ledger.events.values import PPM, SECOND

if TYPE_CHECKING:
    from ledger.jobs.machine import Job
    from ledger.jobs.moment import JobMoment


def window_share(job: "Job", now: int) -> int | None:
    """Return how much of the window in which a job's version is observed is over, in ppm.

    None where no version of it is observed.
    """
    gate, version = job.gate, job.deployed
    if job.state != "observing" or gate is None or version is None:
        return None
    if version.observed_until is None or gate["window_seconds"] is None:
        return None
    window: int = gate["window_seconds"] * SECOND
    passed = now - (version.observed_until - window)
    return min(max(passed, 0) * PPM // window, PPM)


def timed_report(reported: GateReported, job: "Job", now: int) -> GateReported:
    """Return a report on a gate with how much of its window is over."""
    return reported.model_copy(update={"window_ppm": window_share(job, now)})


def is_early(gate: Mapping[str, Any], window_ppm: int | None) -> bool:
    """Whether evidence for a gate came before any counts."""
    after: int | None = gate["evidence_after_ppm"]
    return after is not None and (window_ppm or 0) < after


def window_fault(job: "Job", data: Mapping[str, Any], moment: "JobMoment") -> str:
    """Return why as much of its window cannot be over as a report says; empty where it can."""
    said, latest = data["window_ppm"], window_share(job, moment.now)
    earliest = window_share(job, moment.decided_at)
    if earliest is None or latest is None:
        return "" if said is None else "it is said to come in a window, and nothing is observed"
    if said is not None and earliest <= said <= latest:
        return ""
    over = "nothing" if said is None else f"{said} ppm"
    return f"{over} of its window is said to be over, and {latest} ppm of it were"
