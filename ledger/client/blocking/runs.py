# Generated from ledger/client/aio/runs.py by `tools/dev.py proto`; do not edit.
"""Runs, for threads."""

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import paged, whole
from ledger.client.enums import RunForm
from ledger.client.inputs import number_of
from ledger.client.runs import RunEntry, RunLineage, ToldRun
from ledger.v1 import run_pb2
from ledger.v1 import run_service_pb2 as pb


class RunCalls(ServiceCalls):
    """Everything of one run, from the first signal to the last outcome."""

    def get_run(self, name: str, *, min_position: int = 0) -> RunLineage:
        """Return the lineage of `runs/{run}`, or of the run of `models/{model}/jobs/{job}`."""
        request = pb.GetRunRequest(name=name, min_position=min_position)
        pages = self._connection.all_pages(paged(request, RunEntry, "entries"))
        first = pages[0].answer  # all pages are as of one position
        return RunLineage(
            run_id=first.run_id,
            model=first.model,
            jobs=tuple(first.jobs),
            as_of=first.as_of,
            is_whole=first.is_whole,
            entries=tuple([entry for page in pages for entry in page.items]),
        )

    def get_run_document(self, name: str, form: RunForm | str, *, min_position: int = 0) -> ToldRun:
        """Return `runs/{run}` or `models/{model}/jobs/{job}` as one document in a form."""
        request = pb.GetRunDocumentRequest(
            name=name,
            form=number_of(form, RunForm, run_pb2.RunForm, "form"),
            min_position=min_position,
        )
        return self._connection.run(Call(request, whole(ToldRun)))
