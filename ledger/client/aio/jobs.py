"""Jobs of people and executors, for asyncio."""

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, paged, whole
from ledger.client.enums import JobGate, JobState
from ledger.client.inputs import (
    Time,
    Value,
    decimal_text,
    environment_message,
    evidence_message,
    in_collection,
    moment_fields,
    number_of,
    timestamp_of,
)
from ledger.client.jobs import (
    ChangedJob,
    JobEnvironment,
    JudgedJob,
    PutBack,
    ReportedEvidence,
    ReportedGate,
    RetrainingJob,
)
from ledger.client.records import Appended
from ledger.v1 import job_pb2
from ledger.v1 import job_service_pb2 as pb


class AsyncJobCalls(AsyncServiceCalls):
    """Retraining jobs: what people decide of them, and what executors report."""

    async def propose_job(
        self,
        model: str,
        recipe: str,
        *,
        recipe_version: int = 0,
        plan: str = "",
        reason: str = "",
        job_id: str = "",
        request_id: str | None = None,
    ) -> ChangedJob:
        """Propose that a model is retrained by an approved recipe.

        `plan` is one that admitted the model; without it a person proposes, with a `reason`.
        """
        request = pb.ProposeJobRequest(
            parent=in_collection("models", model),
            recipe=recipe,
            recipe_version=recipe_version,
            plan=plan,
            reason=reason,
            job_id=job_id,
        )
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def approve_job(
        self,
        name: str,
        seen_position: int,
        *,
        role: str = "",
        note: str = "",
        request_id: str | None = None,
    ) -> ChangedJob:
        """Approve `models/{model}/jobs/{job}` as one person, at its beginning or its deployment.

        `seen_position` is the job's `evidence_position` as it was read: it counts for that alone.
        """
        request = pb.ApproveJobRequest(name=name, role=role, note=note, seen_position=seen_position)
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def deny_job(self, name: str, reason: str, *, request_id: str | None = None) -> Appended:
        """Deny `models/{model}/jobs/{job}`, which ends it."""
        request = pb.DenyJobRequest(name=name, reason=reason)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def cancel_job(
        self, name: str, reason: str, *, request_id: str | None = None
    ) -> ChangedJob:
        """Cancel `models/{model}/jobs/{job}`; a version that is observed is to be taken back."""
        request = pb.CancelJobRequest(name=name, reason=reason)
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def lease_job(self, name: str, *, request_id: str | None = None) -> ChangedJob:
        """Take `models/{model}/jobs/{job}` to work on; its lease has the token for all reports."""
        request = pb.LeaseJobRequest(name=name)
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def heartbeat_job(
        self, name: str, token: int, *, request_id: str | None = None
    ) -> ChangedJob:
        """Keep `models/{model}/jobs/{job}`; LEASE_LOST means that the work is to stop."""
        request = pb.HeartbeatJobRequest(name=name, token=token)
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def give_up_job(
        self,
        name: str,
        token: int,
        reason: str,
        *,
        cost_micros: int | None = None,
        request_id: str | None = None,
    ) -> ChangedJob:
        """Give `models/{model}/jobs/{job}` back before its lease is over; the attempt is lost.

        `cost_micros`: what the job has cost so far; None where nothing came to it.
        """
        cost = "" if cost_micros is None else str(cost_micros)
        request = pb.GiveUpJobRequest(name=name, token=token, reason=reason, cost_micros=cost)
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def record_environment(
        self,
        name: str,
        token: int,
        gate: JobGate | str,
        environment: JobEnvironment,
        *,
        request_id: str | None = None,
    ) -> ChangedJob:
        """Record in which environment the step of the next gate has run."""
        request = pb.RecordEnvironmentRequest(
            name=name,
            token=token,
            gate=number_of(gate, JobGate, job_pb2.JobGate, "gate"),
            environment=environment_message(environment),
        )
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def report_gate(
        self,
        name: str,
        token: int,
        gate: JobGate | str,
        evidence: ReportedEvidence | None = None,
        *,
        request_id: str | None = None,
    ) -> ReportedGate:
        """Report the evidence for the next gate; the answer has the ledger's verdict."""
        request = pb.ReportGateRequest(
            name=name,
            token=token,
            gate=number_of(gate, JobGate, job_pb2.JobGate, "gate"),
            evidence=evidence_message(evidence),
        )
        return await self._connection.run(Call(request, whole(ReportedGate), request_id))

    async def deploy_job_version(
        self,
        name: str,
        token: int,
        model_version: str,
        *,
        in_service_at: Time,
        trained_through: Time,
        baseline_loss: Value,
        evidence: ReportedEvidence | None = None,
        request_id: str | None = None,
    ) -> ReportedGate:
        """Report that a job's version went into service, with the evidence for that gate."""
        request = pb.DeployJobVersionRequest(
            name=name,
            token=token,
            evidence=evidence_message(evidence),
            model_version=model_version,
            in_service_at=timestamp_of(in_service_at, "in_service_at"),
            trained_through=timestamp_of(trained_through, "trained_through"),
            baseline_loss=decimal_text(baseline_loss, "baseline_loss"),
        )
        return await self._connection.run(Call(request, whole(ReportedGate), request_id))

    async def roll_back_job(
        self,
        name: str,
        token: int,
        *,
        in_service_at: Time,
        model_version: str = "",
        request_id: str | None = None,
    ) -> ChangedJob:
        """Report that another version serves in the place of a job's: the first of `returns_to`.

        Or a `model_version` of them.
        """
        request = pb.RollBackJobRequest(
            name=name,
            token=token,
            in_service_at=timestamp_of(in_service_at, "in_service_at"),
            model_version=model_version,
        )
        return await self._connection.run(Call(request, whole(ChangedJob), request_id))

    async def list_put_backs(
        self, model: str = "", *, after_position: int = 0, min_position: int = 0
    ) -> list[PutBack]:
        """Return the versions that are to serve again, the oldest proposal first.

        Of one model or of all; only those that were proposed after a position.
        """
        request = pb.ListPutBacksRequest(
            parent=in_collection("models", model) if model else "",
            after_position=after_position,
            min_position=min_position,
        )
        pages = await self._connection.all_pages(paged(request, PutBack, "put_backs"))
        return [item for page in pages for item in page.items]

    async def put_back_version(
        self, model: str, proposal: int, *, in_service_at: Time, request_id: str | None = None
    ) -> Appended:
        """Record that a version serves again, as proposed at a position; put it back before that.

        LedgerRefusedError with DEPLOYMENT_REFUSED where the proposal is not open any more.
        """
        request = pb.PutBackVersionRequest(
            name=in_collection("models", model),
            proposal=proposal,
            in_service_at=timestamp_of(in_service_at, "in_service_at"),
        )
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def get_job(self, name: str, *, min_position: int = 0) -> JudgedJob:
        """Return `models/{model}/jobs/{job}`, with the verdicts on its gates."""
        request = pb.GetJobRequest(name=name, min_position=min_position)
        return await self._connection.run(Call(request, whole(JudgedJob)))

    async def list_jobs(
        self,
        model: str = "",
        *,
        state: JobState | str | None = None,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> list[RetrainingJob]:
        """Return jobs, newest first: of one model or all, in one state or all.

        As they are now, or as they were at an earlier time or position.
        """
        request = pb.ListJobsRequest(
            parent=in_collection("models", model) if model else "",
            state=number_of(state, JobState, job_pb2.JobState, "state"),
            min_position=min_position,
            **moment_fields(as_of, as_of_position),
        )
        pages = await self._connection.all_pages(paged(request, RetrainingJob, "jobs"))
        return [item for page in pages for item in page.items]
