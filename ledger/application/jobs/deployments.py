"""The deployment of a job's version, and the return to the version that it replaced.

Both are one append with the model's own deployment, so that what serves and what the job says of it
never differ.
"""

from dataclasses import dataclass, replace

from ledger.application.appender import Proposal
from ledger.application.commands import Caller, fields_named
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.basis import JobBasis
from ledger.application.jobs.commands import JobCommands
from ledger.application.jobs.refusals import job_refused
from ledger.events.base import EventData
from ledger.events.jobs import GateReported, JobDeployed, JobRolledBack
from ledger.events.models import ModelDeployed
from ledger.events.values import parse_time
from ledger.jobs.conclusions import following
from ledger.jobs.machine import Job
from ledger.jobs.steps import observed_until
from ledger.storage.records import AppendResult


@dataclass(frozen=True, slots=True)
class ReturnSpec:
    """The statement of an executor that the version before serves again; in microseconds."""

    job: str
    token: int
    in_service_at: int


class JobDeployments:
    """Records the deployments of one ledger's jobs."""

    def __init__(self, jobs: JobCommands, fleet: FleetCommands) -> None:
        self._jobs = jobs
        self._fleet = fleet

    def deploy(
        self, caller: Caller, reported: GateReported, version: DeploymentSpec
    ) -> AppendResult:
        """Record the report on the gate `deployment` and, if it is passed, the deployment."""

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(reported.job)
            basis.check(job, reported, "deployed")
            judged = _judged(job, reported, basis.head.position + 1, caller.actor)
            if judged.state != "deploying":
                return self._jobs.proposal(basis, job, lambda _: [reported])
            proposal = self._fleet.deployment(replace(version, model=job.model))
            made = _deployment(proposal)
            with fields_named():
                deployed = JobDeployed(
                    job=job.name,
                    token=reported.token,
                    model_version=made.model_version,
                    replaces=made.replaces,
                    in_service_at=made.in_service_at,
                    observed_until=observed_until(judged, parse_time(made.in_service_at)),
                )

            def events(first: int) -> list[EventData]:
                known = job.applied(first, reported.TYPE, caller.actor, reported.to_data())
                verdict = following(known, first + 1, caller.actor)[0]
                return [reported, verdict, made, deployed]

            return _joined(self._jobs.proposal(basis, job, events), proposal)

        return self._jobs.append(caller, "DeployJobVersion", decide)

    def roll_back(self, caller: Caller, wanted: ReturnSpec) -> AppendResult:
        """Record that the version which a job had replaced serves again."""

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(wanted.job)
            ours = job.deployed
            if ours is None or ours.replaces is None:
                why = "it has replaced no version"
                basis.check_token(job, wanted.token, why)
                raise job_refused(job.name, "taken back", why)
            data = JobRolledBack(
                job=job.name,
                token=wanted.token,
                model_version=ours.replaces,
                replaces=ours.model_version,
            )
            basis.check(job, data, "taken back")
            model = self._fleet.live_model(job.model)
            before = next(
                (one for one in model.deployments if one.model_version == ours.replaces), None
            )
            if before is None:
                why = f"the deployment of {ours.replaces} was erased"
                raise job_refused(job.name, "taken back", why)
            proposal = self._fleet.deployment(
                DeploymentSpec(
                    job.model,
                    ours.replaces,
                    wanted.in_service_at,
                    parse_time(before.trained_through),
                    before.baseline_loss,
                    replaces=ours.model_version,
                )
            )
            made = _deployment(proposal)
            return _joined(self._jobs.proposal(basis, job, lambda _: [made, data]), proposal)

        return self._jobs.append(caller, "RollBackJob", decide)


def _judged(job: Job, reported: GateReported, first: int, actor: str) -> Job:
    """Return a job after a report and the verdict on it."""
    known = job.applied(first, reported.TYPE, actor, reported.to_data())
    verdict = following(known, first + 1, actor)[0]
    return known.applied(first + 1, verdict.TYPE, actor, verdict.to_data())


def _deployment(proposal: Proposal) -> ModelDeployed:
    made = proposal.additions[0].data
    assert isinstance(made, ModelDeployed), "a deployment is proposed"
    return made


def _joined(ours: Proposal, models: Proposal) -> Proposal:
    """Return one proposal of a job's events and the model's, each with its own run and cause."""
    own = models.additions[0]
    additions = [own if one.type == own.type else one for one in ours.additions]
    return Proposal(additions, [*ours.guards, *models.guards], models.stated_time)
