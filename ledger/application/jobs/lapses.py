"""Jobs of which nothing is left to do, as the fleet at its head says."""

from ledger.application.fleet.fleet import Fleet, ModelRecord, PlacedEvent
from ledger.events.jobs import JobLapsed
from ledger.events.models import ModelDeployed
from ledger.jobs.machine import Job


def lapse_of(job: Job, fleet: Fleet) -> JobLapsed | None:
    """Return the event by which an open job lapses; None while something is left to do of it.

    A job lapses where its model was retired, or a version that it has deployed serves no more.
    """
    view = fleet.model(job.model)
    if view is None or job.is_over:
        return None
    if view.model.retired:
        return _lapsed(job, view.updated, None)
    if job.deployed is None or (found := _serving(view)) is None:
        return None
    deployed, placed = found
    is_its_own = deployed.model_version == job.deployed.model_version
    return None if is_its_own else _lapsed(job, placed, deployed.model_version)


def _lapsed(job: Job, placed: PlacedEvent, version: str | None) -> JobLapsed:
    return JobLapsed(
        job=job.name, ended_by=placed.position, by=placed.actor or None, model_version=version
    )


def _serving(view: ModelRecord) -> tuple[ModelDeployed, PlacedEvent] | None:
    """Return the deployment that is stated to be the latest, with its place; None for unknown."""
    if view.model.is_version_erased or not view.deployed:
        return None
    placed = zip(view.model.deployments, view.deployed, strict=True)
    return max(placed, key=lambda one: (one[0].in_service_at, one[1].position))
