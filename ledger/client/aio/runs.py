"""Runs, for asyncio."""

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.call import Call
from ledger.client.decode import paged, whole
from ledger.client.enums import RunForm
from ledger.client.inputs import number_of
from ledger.client.runs import RunEntry, RunLineage, ToldRun
from ledger.v1 import run_pb2
from ledger.v1 import run_service_pb2 as pb


class AsyncRunCalls(AsyncServiceCalls):
    """Everything of one run, from the first signal to the last outcome."""

    async def get_run(self, name: str, *, min_position: int = 0) -> RunLineage:
        """Return the lineage of `runs/{run}`, or of the run of `models/{model}/jobs/{job}`."""
        request = pb.GetRunRequest(name=name, min_position=min_position)
        pages = await self._connection.all_pages(paged(request, RunEntry, "entries"))
        first = pages[0].answer  # all pages are as of one position
        return RunLineage(
            run_id=first.run_id,
            model=first.model,
            jobs=tuple(first.jobs),
            as_of=first.as_of,
            is_whole=first.is_whole,
            entries=tuple([entry for page in pages for entry in page.items]),
        )

    async def get_run_document(
        self, name: str, form: RunForm | str, *, min_position: int = 0
    ) -> ToldRun:
        """Return `runs/{run}` or `models/{model}/jobs/{job}` as one document in a form."""
        request = pb.GetRunDocumentRequest(
            name=name,
            form=number_of(form, RunForm, run_pb2.RunForm, "form"),
            min_position=min_position,
        )
        return await self._connection.run(Call(request, whole(ToldRun)))
