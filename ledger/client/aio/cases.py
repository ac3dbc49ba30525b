"""Escalations and tasks, for asyncio."""

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.call import Call
from ledger.client.cases import Escalation, Escalations, ModelTask, ModelTasks
from ledger.client.decode import moment, one, paged
from ledger.client.enums import TaskOutcome
from ledger.client.inputs import Time, in_collection, moment_fields, number_of
from ledger.client.records import Appended
from ledger.v1 import case_pb2
from ledger.v1 import case_service_pb2 as pb


class AsyncCaseCalls(AsyncServiceCalls):
    """Escalations and tasks, by which decisions ask people, and their answers."""

    async def list_escalations(
        self,
        model: str = "",
        *,
        tier: str = "",
        overdue: bool = False,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> Escalations:
        """Return the escalations that are open now, or at a moment; the position wins."""
        request = pb.ListEscalationsRequest(
            parent=in_collection("models", model) if model else "",
            tier=tier,
            overdue=overdue,
            min_position=min_position,
            **moment_fields(as_of, as_of_position),
        )
        pages = await self._connection.all_pages(paged(request, Escalation, "escalations"))
        found = tuple(item for page in pages for item in page.items)
        return Escalations(found, *moment(pages[0].answer))

    async def acknowledge_escalation(
        self, name: str, *, note: str = "", request_id: str | None = None
    ) -> Appended:
        """Take on `models/{model}/escalations/{position}`: it goes on to no other tier."""
        request = pb.AcknowledgeEscalationRequest(name=name, note=note)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def resolve_escalation(
        self, name: str, resolution: str, *, request_id: str | None = None
    ) -> Appended:
        """Say how `models/{model}/escalations/{position}` was dealt with, and so end it."""
        request = pb.ResolveEscalationRequest(name=name, resolution=resolution)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def list_tasks(
        self,
        model: str = "",
        *,
        owner: str = "",
        overdue: bool = False,
        as_of: Time | None = None,
        as_of_position: int | None = None,
        min_position: int = 0,
    ) -> ModelTasks:
        """Return the tasks that are open now, or at a moment; the position wins."""
        request = pb.ListTasksRequest(
            parent=in_collection("models", model) if model else "",
            owner=owner,
            overdue=overdue,
            min_position=min_position,
            **moment_fields(as_of, as_of_position),
        )
        pages = await self._connection.all_pages(paged(request, ModelTask, "tasks"))
        found = tuple(item for page in pages for item in page.items)
        return ModelTasks(found, *moment(pages[0].answer))

    async def take_task(self, name: str, *, request_id: str | None = None) -> Appended:
        """Work on `models/{model}/tasks/{position}`."""
        request = pb.TakeTaskRequest(name=name)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def close_task(
        self,
        name: str,
        outcome: TaskOutcome | str,
        *,
        note: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Say what came of `models/{model}/tasks/{position}`, and so close it."""
        request = pb.CloseTaskRequest(
            name=name,
            outcome=number_of(outcome, TaskOutcome, case_pb2.TaskOutcome, "outcome"),
            note=note,
        )
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))
