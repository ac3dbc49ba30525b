"""The deployment of a job's version, and the return to one that served before or is registered.

Both are one append with the model's own deployment, so that what serves and what the job says of it
never differ.
"""

from dataclasses import dataclass, replace

from ledger.application.appender import Proposal
from ledger.application.commands import Caller, fields_named, none_after
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.basis import JobBasis
from ledger.application.jobs.commands import JobCommands
from ledger.application.jobs.refusals import job_refused
from ledger.application.recipes.benchmarks import BenchmarkModels
from ledger.events.base import EventData
from ledger.events.jobs import GateReported, JobDeployed, JobRolledBack
from ledger.events.models import ModelDeployed
from ledger.events.notation import shown_time
from ledger.events.recipes import BENCHMARK_TYPES
from ledger.events.values import parse_time
from ledger.jobs.conclusions import following, observed_until
from ledger.jobs.machine import Job
from ledger.jobs.steps import deployment_fault
from ledger.storage.records import AppendResult


@dataclass(frozen=True, slots=True)
class ReturnSpec:
    """The statement of an executor that another version serves again; times in microseconds.

    Without a version it is the first choice of the job.
    """

    job: str
    token: int
    in_service_at: int
    model_version: str = ""


class JobDeployments:
    """Records the deployments of one ledger's jobs."""

    def __init__(
        self, jobs: JobCommands, fleet: FleetCommands, benchmarks: BenchmarkModels
    ) -> None:
        self._jobs = jobs
        self._fleet = fleet
        self._benchmarks = benchmarks

    def deploy(
        self, caller: Caller, reported: GateReported, version: DeploymentSpec
    ) -> AppendResult:
        """Record the report on the gate `deployment` and, if it is passed, the deployment.

        JOB_REFUSED where another version serves than the job's was tested against.
        """

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(reported.job)
            basis.check(job, reported, "deployed")
            judged = _judged(basis, job, reported, basis.head.position + 1, caller.actor)
            if judged.state != "deploying":
                return self._jobs.proposal(basis, job, lambda _: [reported])
            proposal = self._fleet.deployment(replace(version, model=job.model))
            made = _deployment(proposal)
            self._jobs.check_tested(job, "deployed")  # by what its proposal knows, or more
            self._check_latest(job, made)
            with fields_named():
                deployed = JobDeployed(
                    job=job.name,
                    token=reported.token,
                    model_version=made.model_version,
                    replaces=made.replaces,
                    in_service_at=made.in_service_at,
                    observed_until=observed_until(
                        judged, parse_time(made.in_service_at), basis.moment.now
                    ),
                )

            if fault := deployment_fault(judged, deployed.to_data(), basis.moment):
                raise job_refused(job.name, "deployed", fault)

            def events(first: int) -> list[EventData]:
                known = job.applied(first, reported.TYPE, caller.actor, reported.to_data())
                verdict = following(basis.jobs, known, first + 1, caller.actor)[0]
                return [reported, verdict, made, deployed]

            return _joined(self._jobs.proposal(basis, job, events), proposal)

        return self._jobs.append(caller, "DeployJobVersion", decide)

    def roll_back(self, caller: Caller, wanted: ReturnSpec) -> AppendResult:
        """Record that another version serves in the place of a job's.

        JOB_REFUSED where it neither served before, nor may be fallen back to.
        """

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(wanted.job)
            ours = job.deployed
            if ours is None or not job.returns_to:
                why = "it has replaced no version"
                basis.check_token(job, wanted.token, why)
                raise job_refused(job.name, "taken back", why)
            registered = self._benchmarks.registered().fall_back(job.model)
            allowed = [one for one in job.returns_to if one in {ours.replaces, *registered}]
            version = wanted.model_version or next(iter(allowed), job.returns_to[0])
            data = JobRolledBack(
                job=job.name,
                token=wanted.token,
                model_version=version,
                replaces=ours.model_version,
            )
            basis.check(job, data, "taken back")
            self._check_serving(job)
            if version not in allowed:
                why = f"{version} is not registered to fall back to any more"
                raise job_refused(job.name, "taken back", why)
            proposal = self._fleet.deployment(self._returned(job, version, wanted))
            made = _deployment(proposal)
            joined = _joined(self._jobs.proposal(basis, job, lambda _: [made, data]), proposal)
            same = none_after(
                basis.head.position, f"benchmarks/{job.model}", *sorted(BENCHMARK_TYPES)
            )
            return replace(joined, guards=[*joined.guards, same])

        return self._jobs.append(caller, "RollBackJob", decide)

    def _check_latest(self, job: Job, made: ModelDeployed) -> None:
        """Refuse the deployment of a version that would not serve, for another one does since."""
        later = self._fleet.live_model(job.model).deployed_after(made.in_service_at)
        if later is not None:
            raise job_refused(
                job.name,
                "deployed",
                f"{later.model_version} is stated to serve since "
                f"{shown_time(later.in_service_at)}, and {made.model_version} since "
                f"{shown_time(made.in_service_at)}",
                "State when its version began to serve in the place of that one.",
            )

    def _check_serving(self, job: Job) -> None:
        """Refuse a return where another version serves than the job's: nothing is left to do."""
        model, ours = self._fleet.live_model(job.model), job.deployed
        if model.is_version_erased:
            raise job_refused(
                job.name,
                "taken back",
                "which version serves is not known, as the newest deployment was erased",
                "Deploy the version that is to serve by hand: `decision-ledger model deploy`; the "
                "ledger then ends the job.",
            )
        serving = model.in_service
        if serving is None or ours is None or serving.model_version == ours.model_version:
            return
        raise job_refused(
            job.name,
            "taken back",
            f"{serving.model_version} serves in the place of {ours.model_version} already",
            "Nothing is to be done: the ledger ends the job by itself.",
        )

    def _returned(self, job: Job, version: str, wanted: ReturnSpec) -> DeploymentSpec:
        """Return the deployment of a version in the place of a job's, as it was deployed last."""
        ours = job.deployed
        assert ours is not None, "it is deployed"
        known = self._fleet.live_model(job.model).newest_of(version)
        if known is not None:
            trained, baseline = parse_time(known.trained_through), known.baseline_loss
        else:
            said = self._benchmarks.registered().training(job.model, version)
            if said is None or said.trained_through is None or said.baseline_loss is None:
                why = f"no benchmark says until when {version} was trained, nor its loss then"
                raise job_refused(job.name, "taken back", why)
            trained, baseline = parse_time(said.trained_through), said.baseline_loss
        return DeploymentSpec(
            job.model, version, wanted.in_service_at, trained, baseline, replaces=ours.model_version
        )


def _judged(basis: JobBasis, job: Job, reported: GateReported, first: int, actor: str) -> Job:
    """Return a job after a report and the verdict on it."""
    known = job.applied(first, reported.TYPE, actor, reported.to_data())
    verdict = following(basis.jobs, known, first + 1, actor)[0]
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
