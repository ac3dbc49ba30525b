"""RunService: everything of one run, from the first signal to the last outcome."""

import re
from typing import Final

import grpc

from ledger.api.checks import Checks
from ledger.api.convert.basics import inverse, numbers, timestamp
from ledger.api.paging import page_of
from ledger.api.server_context import Servicer
from ledger.application.fleet.intake import name_fault
from ledger.application.jobs.refusals import job_unknown
from ledger.application.ledger import LedgerApplication
from ledger.application.lineage.documents import RunForm
from ledger.events.values import RUN_ID
from ledger.jobs.lineage import LineageEntry
from ledger.v1 import run_pb2, run_service_pb2_grpc
from ledger.v1 import run_service_pb2 as pb

_FORM_NUMBERS: Final = numbers(run_pb2.RunForm, RunForm)
_FORMS: Final[dict[int, RunForm]] = inverse(_FORM_NUMBERS)
_JOB: Final = re.compile("models/([^/]+)/jobs/([^/]+)")


class RunServicer(Servicer, run_service_pb2_grpc.RunServiceServicer):
    """Serves RunService."""

    def GetRun(self, request: pb.GetRunRequest, context: grpc.ServicerContext) -> pb.GetRunResponse:
        """Return the lineage of a run, a page of it."""
        page, checks = page_of(request), Checks()
        named = _named(checks, request.name)
        ledger = self._server.read(request, context, checks)
        found = ledger.lineages.lineage(_run_id(ledger, *named), page.upper)
        after = int(page.cursor or 0)
        left = [one for one in found.entries if one.event.position > after]
        shown, token = page.cut(left, lambda one: one.event.position, found.as_of)
        return pb.GetRunResponse(
            run_id=found.run_id,
            model=found.model,
            jobs=found.jobs,
            as_of=found.as_of,
            is_whole=found.is_whole,
            entries=[_entry(one) for one in shown],
            next_page_token=token,
        )

    def GetRunDocument(
        self, request: pb.GetRunDocumentRequest, context: grpc.ServicerContext
    ) -> pb.GetRunDocumentResponse:
        """Return a run, or a job of it, as one document."""
        checks = Checks()
        named = _named(checks, request.name)
        if request.form not in _FORMS:
            checks.refuse("form", "is required: one of " + ", ".join(_FORM_NUMBERS).upper())
        ledger = self._server.read(request, context, checks)
        lineage = ledger.lineages.lineage(_run_id(ledger, *named))
        made = ledger.run_documents.document(_FORMS[request.form], lineage, named[2])
        return pb.GetRunDocumentResponse(
            document=made.body, media_type=made.media_type, as_of=lineage.as_of
        )


def _named(checks: Checks, name: str) -> tuple[str, str, str]:
    """Return the run that a name means, or the model and job; faults are noted."""
    if not name:
        checks.refuse("name", "is required")
    elif RUN_ID.fullmatch(name):
        return name, "", ""
    elif (job := _JOB.fullmatch(name)) and not any(map(name_fault, job.groups())):
        return "", job[1], job[2]
    else:
        fault = f"{name[:160]!r} is neither of the form runs/RUN nor models/MODEL/jobs/JOB"
        checks.refuse("name", fault)
    return "", "", ""


def _run_id(ledger: LedgerApplication, run_id: str, model: str, job: str) -> str:
    """Return the run that is meant; JOB_UNKNOWN where no such job of the model has one."""
    if run_id:
        return run_id
    known = ledger.jobs.job(job)
    if known.model != model or known.run_id is None:
        raise job_unknown(job, [])
    return known.run_id


def _entry(one: LineageEntry) -> run_pb2.RunEntry:
    event = one.event
    return run_pb2.RunEntry(
        position=event.position,
        parent_position=one.parent,
        is_of_run=one.is_of_run,
        stream=event.stream,
        stream_version=event.stream_version,
        type=event.type,
        recorded_at=timestamp(event.recorded_at),
        actor="" if event.body_bytes is None else event.body.actor,
        event_hash=event.event_hash,
        text=one.text,
    )
