"""Jobs of which nothing is left to do, as the fleet at its head says."""

from ledger.application.commands import model_stream, no_erasure_after, none_after
from ledger.application.fleet.fleet import Fleet, ModelRecord, PlacedEvent
from ledger.events.jobs import JobLapsed
from ledger.events.models import ModelDeployed, ModelRetired
from ledger.jobs.machine import Job
from ledger.storage.records import Guard


def lapse_of(job: Job, fleet: Fleet) -> JobLapsed | None:
    """Return the event by which an open job lapses; None while something is left to do of it.

    A job lapses where its model was retired, a version that it has deployed serves no more, or
    another one serves than its own was tested against.
    """
    view = fleet.model(job.model)
    if view is None or job.is_over:
        return None
    if view.model.retired:
        return _lapsed(job, view.updated, None)
    if job.deployed is None:
        return untested_of(job, fleet)
    if (found := _serving(view)) is None:
        return None
    deployed, placed = found
    is_its_own = deployed.model_version == job.deployed.model_version
    return None if is_its_own else _lapsed(job, placed, deployed.model_version)


def untested_of(job: Job, fleet: Fleet) -> JobLapsed | None:
    """Return the event by which a job lapses that would replace what it was not tested against."""
    view = fleet.model(job.model)
    if view is None or job.deployed is not None or not job.tested_since:
        return None
    if (found := _serving(view)) is None or found[1].position <= job.tested_since:
        return None
    deployed, placed = found
    tested = _serving(view, job.tested_since)
    against = None if tested is None else tested[0].model_version
    if deployed.model_version == against:
        return None
    return _lapsed(job, placed, deployed.model_version, against)


def while_served(job: Job, at: int) -> list[Guard]:
    """Return the guards by which the version that serves is still that of a position."""
    same = none_after(at, model_stream(job.model), ModelDeployed.TYPE, ModelRetired.TYPE)
    return [same, no_erasure_after(at)]


def _lapsed(
    job: Job, placed: PlacedEvent, version: str | None, tested_against: str | None = None
) -> JobLapsed:
    return JobLapsed(
        job=job.name,
        ended_by=placed.position,
        by=placed.actor or None,
        model_version=version,
        tested_against=tested_against,
    )


def _serving(
    view: ModelRecord, as_of: int | None = None
) -> tuple[ModelDeployed, PlacedEvent] | None:
    """Return the deployment stated to be the latest, now or at a position; None for unknown."""
    if view.model.is_version_erased and as_of is None:
        return None
    pairs = zip(view.model.deployments, view.deployed, strict=True)
    known = [one for one in pairs if as_of is None or one[1].position <= as_of]
    if as_of is not None and known and any(known[-1][1].position < at <= as_of for at in view.gone):
        return None
    return max(known, key=lambda one: (one[0].in_service_at, one[1].position), default=None)
