"""JobService: retraining work under gates, for people and for executors."""

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import jobs as convert
from ledger.api.convert.basics import appended
from ledger.api.moments import check_moment, position_asked
from ledger.api.paging import page_of
from ledger.api.server_context import Servicer
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.fleet.intake import name_fault
from ledger.application.jobs.deployments import ReturnSpec
from ledger.application.jobs.proposals import JobSpec
from ledger.application.jobs.refusals import job_unknown
from ledger.application.ledger import LedgerApplication
from ledger.jobs.machine import Job
from ledger.limits import LABEL_CHARS_MAX, TEXT_CHARS_MAX
from ledger.v1 import job_pb2, job_service_pb2_grpc
from ledger.v1 import job_service_pb2 as pb


class JobServicer(Servicer, job_service_pb2_grpc.JobServiceServicer):
    """Serves JobService."""

    # ---- people ----------------------------------------------------------------------------------

    def ProposeJob(
        self, request: pb.ProposeJobRequest, context: grpc.ServicerContext
    ) -> pb.ProposeJobResponse:
        """Propose that a model is retrained."""
        checks = Checks()
        spec = JobSpec(
            model=checks.name("parent", request.parent, "models"),
            recipe=checks.identifier("recipe", request.recipe),
            recipe_version=checks.position("recipe_version", request.recipe_version),
            plan=checks.identifier("plan", request.plan, optional=True),
            reason=_bounded(checks, "reason", request.reason, TEXT_CHARS_MAX),
            job=checks.identifier("job_id", request.job_id, optional=True),
        )
        if not request.plan and not request.reason.strip():
            checks.refuse("reason", "is required where no plan is the ground")
        ledger, caller = self._server.append(request, context, checks)
        written, known = ledger.job_proposals.propose(caller, spec)
        return pb.ProposeJobResponse(appended=appended(written), job=convert.job(known))

    def ApproveJob(
        self, request: pb.ApproveJobRequest, context: grpc.ServicerContext
    ) -> pb.ApproveJobResponse:
        """Approve a job."""
        checks = Checks()
        model, name = _named(checks, request.name)
        role = _bounded(checks, "role", request.role, LABEL_CHARS_MAX)
        note = _bounded(checks, "note", request.note, TEXT_CHARS_MAX)
        seen = checks.position("seen_position", request.seen_position, optional=False)
        ledger, caller = self._server.append(request, context, checks)
        _check_model(ledger, model, name)
        written = ledger.jobs.approve(caller, name, seen, role, note)
        return pb.ApproveJobResponse(
            appended=appended(written), job=convert.job(ledger.jobs.job(name))
        )

    def DenyJob(
        self, request: pb.DenyJobRequest, context: grpc.ServicerContext
    ) -> pb.DenyJobResponse:
        """Deny a job."""
        checks = Checks()
        model, name = _named(checks, request.name)
        checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        _check_model(ledger, model, name)
        written = ledger.jobs.deny(caller, name, request.reason)
        return pb.DenyJobResponse(appended=appended(written))

    def CancelJob(
        self, request: pb.CancelJobRequest, context: grpc.ServicerContext
    ) -> pb.CancelJobResponse:
        """Cancel a job."""
        checks = Checks()
        model, name = _named(checks, request.name)
        checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        _check_model(ledger, model, name)
        written = ledger.jobs.cancel(caller, name, request.reason)
        return pb.CancelJobResponse(
            appended=appended(written), job=convert.job(ledger.jobs.job(name))
        )

    # ---- executors -------------------------------------------------------------------------------

    def LeaseJob(
        self, request: pb.LeaseJobRequest, context: grpc.ServicerContext
    ) -> pb.LeaseJobResponse:
        """Give a job to the executor that calls."""
        checks = Checks()
        model, name = _named(checks, request.name)
        ledger, caller = self._server.append(request, context, checks)
        _check_model(ledger, model, name)
        written, known = ledger.jobs.lease(caller, name)
        return pb.LeaseJobResponse(appended=appended(written), job=convert.job(known))

    def HeartbeatJob(
        self, request: pb.HeartbeatJobRequest, context: grpc.ServicerContext
    ) -> pb.HeartbeatJobResponse:
        """Keep a leased job."""
        checks = Checks()
        model, name = _named(checks, request.name)
        _token(checks, request.token)
        ledger, caller = self._server.append(request, context, checks)
        _check_model(ledger, model, name)
        written, known = ledger.jobs.heartbeat(caller, name, request.token)
        return pb.HeartbeatJobResponse(appended=appended(written), job=convert.job(known))

    def GiveUpJob(
        self, request: pb.GiveUpJobRequest, context: grpc.ServicerContext
    ) -> pb.GiveUpJobResponse:
        """Take a leased job back from its executor, who cannot go on."""
        checks = Checks()
        model, name = _named(checks, request.name)
        _token(checks, request.token)
        checks.text("reason", request.reason)
        if request.cost_micros:
            checks.integer("cost_micros", request.cost_micros, minimum=0)
        ledger, caller = self._server.append(request, context, checks)
        _of_model(ledger, model, name)
        cost = int(request.cost_micros) if request.cost_micros else None
        written = ledger.jobs.give_up(caller, name, request.token, request.reason, cost)
        return pb.GiveUpJobResponse(
            appended=appended(written), job=convert.job(ledger.jobs.job(name))
        )

    def ReportGate(
        self, request: pb.ReportGateRequest, context: grpc.ServicerContext
    ) -> pb.ReportGateResponse:
        """Record the evidence for a gate, and the verdict on it."""
        checks = Checks()
        model, name = _named(checks, request.name)
        _token(checks, request.token)
        if request.gate not in convert.GATES:
            checks.refuse("gate", "is required")
        ledger, caller = self._server.append(request, context, checks)
        known = _of_model(ledger, model, name)
        report = convert.reported(
            checks, (name, request.token, known), request.gate, request.evidence
        )
        checks.done()
        assert report is not None, "the checks have refused that"
        written = ledger.jobs.report(caller, report)
        judged = ledger.jobs.verdict(written)
        return pb.ReportGateResponse(
            appended=appended(written),
            verdict=None if judged is None else convert.verdict(judged),
            job=convert.job(ledger.jobs.job(name)),
        )

    def RecordEnvironment(
        self, request: pb.RecordEnvironmentRequest, context: grpc.ServicerContext
    ) -> pb.RecordEnvironmentResponse:
        """Record in which environment the step of the next gate has run."""
        checks = Checks()
        model, name = _named(checks, request.name)
        _token(checks, request.token)
        if request.gate not in convert.GATES:
            checks.refuse("gate", "is required")
        if not request.HasField("environment"):
            checks.refuse("environment", "is required")
        ledger, caller = self._server.append(request, context, checks)
        known = _of_model(ledger, model, name)
        recorded = convert.environment(checks, request, known)
        checks.done()
        assert recorded is not None, "the checks have refused that"
        written = ledger.jobs.record_environment(caller, recorded)
        return pb.RecordEnvironmentResponse(
            appended=appended(written), job=convert.job(ledger.jobs.job(name))
        )

    def DeployJobVersion(
        self, request: pb.DeployJobVersionRequest, context: grpc.ServicerContext
    ) -> pb.DeployJobVersionResponse:
        """Record that a job's version went into service."""
        checks = Checks()
        model, name = _named(checks, request.name)
        _token(checks, request.token)
        baseline_loss, _ = checks.decimal("baseline_loss", request.baseline_loss)
        spec = DeploymentSpec(
            model=model,
            model_version=checks.identifier("model_version", request.model_version),
            in_service_at=checks.time(
                "in_service_at", request.in_service_at, given=request.HasField("in_service_at")
            ),
            trained_through=checks.time(
                "trained_through",
                request.trained_through,
                given=request.HasField("trained_through"),
            ),
            baseline_loss=baseline_loss,
        )
        ledger, caller = self._server.append(request, context, checks)
        known = _of_model(ledger, model, name)
        report = convert.reported(
            checks, (name, request.token, known), job_pb2.JOB_GATE_DEPLOYMENT, request.evidence
        )
        checks.done()
        assert report is not None, "the checks have refused that"
        written = ledger.job_deployments.deploy(caller, report, spec)
        ledger.fleet.refresh(written.last_position)
        judged = ledger.jobs.verdict(written)
        return pb.DeployJobVersionResponse(
            appended=appended(written),
            verdict=None if judged is None else convert.verdict(judged),
            job=convert.job(ledger.jobs.job(name)),
        )

    def RollBackJob(
        self, request: pb.RollBackJobRequest, context: grpc.ServicerContext
    ) -> pb.RollBackJobResponse:
        """Record that another version serves in the place of a job's."""
        checks = Checks()
        model, name = _named(checks, request.name)
        _token(checks, request.token)
        at = checks.time(
            "in_service_at", request.in_service_at, given=request.HasField("in_service_at")
        )
        version = checks.identifier("model_version", request.model_version, optional=True)
        ledger, caller = self._server.append(request, context, checks)
        _check_model(ledger, model, name)
        wanted = ReturnSpec(name, request.token, at, version)
        written = ledger.job_deployments.roll_back(caller, wanted)
        ledger.fleet.refresh(written.last_position)
        return pb.RollBackJobResponse(
            appended=appended(written), job=convert.job(ledger.jobs.job(name))
        )

    # ---- reading ---------------------------------------------------------------------------------

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.GetJobResponse:
        """Return one job, with the verdicts on its gates."""
        checks = Checks()
        model, name = _named(checks, request.name)
        ledger = self._server.read(request, context, checks)
        known = _of_model(ledger, model, name)
        verdicts, reports = ledger.job_reader.verdicts(name), ledger.job_reader.reports(name)
        return pb.GetJobResponse(
            job=convert.job(known),
            verdicts=[convert.verdict(one) for one in verdicts],
            reports=[convert.report(one) for one in reports],
            observation_evidence=convert.observation_evidence(known, verdicts, reports),
        )

    def ListJobs(
        self, request: pb.ListJobsRequest, context: grpc.ServicerContext
    ) -> pb.ListJobsResponse:
        """List jobs, newest first, now or at an earlier moment."""
        page = page_of(request)
        checks = Checks()
        model = checks.name("parent", request.parent, "models", optional=True)
        check_moment(request, checks)
        ledger = self._server.read(request, context, checks)
        if model and ledger.fleet.model(model) is None:
            raise ledger.fleet.model_unknown(model)
        before = int(page.cursor) if page.cursor else None
        found = [
            one
            for one in reversed(ledger.job_reader.every(position_asked(request, ledger))[1])
            if model in ("", one.model)
            and request.state in (0, convert.state_of(one))
            and (before is None or one.position < before)
        ]
        shown, token = page.cut(found, lambda one: one.position)
        return pb.ListJobsResponse(jobs=[convert.job(one) for one in shown], next_page_token=token)

    # ---- versions that are to serve again --------------------------------------------------------

    def ListPutBacks(
        self, request: pb.ListPutBacksRequest, context: grpc.ServicerContext
    ) -> pb.ListPutBacksResponse:
        """List the versions that are to serve again, the oldest proposal first."""
        page = page_of(request)
        checks = Checks()
        model = checks.name("parent", request.parent, "models", optional=True)
        after = checks.position("after_position", request.after_position)
        ledger = self._server.read(request, context, checks)
        if model and ledger.fleet.model(model) is None:
            raise ledger.fleet.model_unknown(model)
        proposals = ledger.put_backs.open(max(after, int(page.cursor or 0)))
        found = ledger.job_reader.workable([one for one in proposals if model in ("", one.model)])
        shown, token = page.cut(found, lambda one: one[0].position)
        rows = [convert.put_back(*one) for one in shown]
        return pb.ListPutBacksResponse(put_backs=rows, next_page_token=token)

    def PutBackVersion(
        self, request: pb.PutBackVersionRequest, context: grpc.ServicerContext
    ) -> pb.PutBackVersionResponse:
        """Record that a version serves again that was proposed to."""
        checks = Checks()
        model = checks.name("name", request.name, "models")
        proposal = checks.position("proposal", request.proposal, optional=False)
        at = checks.time(
            "in_service_at", request.in_service_at, given=request.HasField("in_service_at")
        )
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.stated_deployments.put_back(caller, model, proposal, at)
        return pb.PutBackVersionResponse(appended=appended(written))


def _named(checks: Checks, name: str) -> tuple[str, str]:
    """Require `models/{model}/jobs/{job}` and return both ids."""
    parts = name.split("/")
    if not name:
        checks.refuse("name", "is required")
    elif (
        len(parts) == 4
        and (parts[0], parts[2]) == ("models", "jobs")
        and name_fault(parts[1]) is None
        and name_fault(parts[3]) is None
    ):
        return parts[1], parts[3]
    else:
        checks.refuse("name", f"{name[:160]!r} is not of the form models/MODEL/jobs/JOB")
    return "", ""


def _check_model(ledger: LedgerApplication, model: str, name: str) -> None:
    """Refuse a job that was never proposed for the model that its resource name has."""
    if ledger.job_reader.model_of(name) != model:
        _of_model(ledger, model, name)


def _of_model(ledger: LedgerApplication, model: str, name: str) -> Job:
    """Return a job, of the model that its resource name has; JOB_UNKNOWN."""
    known = ledger.jobs.job(name)
    if known.model != model:
        raise job_unknown(name, [])
    return known


def _token(checks: Checks, token: int) -> None:
    if not 1 <= token <= 1_000_000:
        checks.refuse("token", "is required: it counts from 1")


def _bounded(checks: Checks, field: str, text: str, count: int) -> str:
    if len(text) > count:
        checks.refuse(field, f"is {len(text)} characters long; at most {count} fit")
    return text
