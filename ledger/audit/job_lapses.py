"""When nothing is left to do of a job, read by the audit from the events of its model."""

from typing import Any, Final

from ledger.audit.ledger_state import LedgerState
from ledger.events.models import ModelDeployed
from ledger.jobs.machine import Job

_BETWEEN: Final = frozenset({"judging", "deploying", "closing", "closed", "unreadable"})
"""States of a job of which another event must come first, if any."""


def lapse_again(fold: LedgerState, job: Job, as_of: int) -> dict[str, Any] | None:
    """Return the data of the event by which a job lapses; None while something is left to do.

    A job lapses where its model was retired, a version that it has deployed serves no more, or
    another one serves than its own was tested against.
    """
    facts = fold.models.get(f"models/{job.model}")
    if facts is None or job.state in _BETWEEN:
        return None
    if facts.retired_at:
        return _data(job, facts.retired_at, facts.retired_by, None)
    if job.deployed is None:
        return untested_again(fold, job, as_of)
    latest = facts.latest(as_of)
    if latest is None or latest.version == job.deployed.model_version:
        return None
    return _data(job, latest.position, latest.actor, latest.version)


def untested_again(fold: LedgerState, job: Job, as_of: int) -> dict[str, Any] | None:
    """Return the data by which a job lapses that would replace what it was not tested against."""
    facts = fold.models.get(f"models/{job.model}")
    if facts is None or job.deployed is not None or not job.tested_since:
        return None
    latest, tested = facts.latest(as_of), facts.latest(job.tested_since)
    if latest is None or latest.position <= job.tested_since:
        return None
    against = None if tested is None else tested.version
    if latest.version == against:
        return None
    return _data(job, latest.position, latest.actor, latest.version, against)


def is_unclear(fold: LedgerState, job: Job) -> bool:
    """Whether a body is absent that may say which version of a job's model serves."""
    facts = fold.models.get(f"models/{job.model}")
    if facts is None:
        return True
    return ModelDeployed.TYPE in facts.gone_by_type or bool(
        facts.retired_at and not facts.retired_by
    )


def _data(
    job: Job, position: int, actor: str, version: str | None, tested_against: str | None = None
) -> dict[str, Any]:
    return {
        "job": job.name, "ended_by": position, "by": actor or None, "model_version": version,
        "tested_against": tested_against,
    }  # fmt: skip
