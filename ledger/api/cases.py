"""CaseService: the requests of decisions to people, and their answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import cases as convert
from ledger.api.convert.basics import appended, timestamp
from ledger.api.moments import check_moment, position_asked
from ledger.api.paging import Page, page_of
from ledger.api.server_context import Servicer
from ledger.governance.cases import ModelCases, OpenEscalation, OpenTask
from ledger.limits import LABEL_CHARS_MAX, TEXT_CHARS_MAX
from ledger.v1 import case_service_pb2 as pb
from ledger.v1 import case_service_pb2_grpc

T = TypeVar("T", OpenEscalation, OpenTask)

_ESCALATIONS: Final = "escalations"
_TASKS: Final = "tasks"


@dataclass(frozen=True, slots=True)
class _Moment:
    """The cases that are open at a moment."""

    position: int
    recorded_at: int
    """When the event there was recorded; 0 before the first."""
    models: Mapping[str, ModelCases]


class CaseServicer(Servicer, case_service_pb2_grpc.CaseServiceServicer):
    """Serves CaseService."""

    # ---- what is open ----------------------------------------------------------------------------

    def ListEscalations(
        self, request: pb.ListEscalationsRequest, context: grpc.ServicerContext
    ) -> pb.ListEscalationsResponse:
        """List the escalations that are open at a moment."""
        page = page_of(request)
        moment = self._moment(request, context, page)
        found = [
            one
            for cases in moment.models.values()
            if (one := cases.escalation) is not None
            and request.tier in ("", one.tier)
            and (not request.overdue or one.is_overdue(moment.recorded_at))
        ]
        shown, token = _cut(page, found, lambda one: one.escalation, moment.position)
        return pb.ListEscalationsResponse(
            escalations=[convert.escalation(one, moment.recorded_at) for one in shown],
            next_page_token=token,
            **_place(moment),
        )

    def ListTasks(
        self, request: pb.ListTasksRequest, context: grpc.ServicerContext
    ) -> pb.ListTasksResponse:
        """List the tasks that are open at a moment."""
        page = page_of(request)
        moment = self._moment(request, context, page)
        found = [
            one
            for cases in moment.models.values()
            for one in cases.tasks.values()
            if request.owner in ("", one.owner) and (not request.overdue or one.is_overdue)
        ]
        shown, token = _cut(page, found, lambda one: one.task, moment.position)
        return pb.ListTasksResponse(
            tasks=[convert.task(one) for one in shown],
            next_page_token=token,
            **_place(moment),
        )

    def _moment(
        self,
        request: pb.ListEscalationsRequest | pb.ListTasksRequest,
        context: grpc.ServicerContext,
        page: Page,
    ) -> _Moment:
        """Return what is open at the moment asked for; later pages show that of the first."""
        checks = Checks()
        model = checks.name("parent", request.parent, "models", optional=True)
        check_moment(request, checks)
        for field in ("tier", "owner"):
            if len(getattr(request, field, "")) > LABEL_CHARS_MAX:
                checks.refuse(field, f"is longer than {LABEL_CHARS_MAX} characters")
        ledger = self._server.read(request, context, checks)
        if model and ledger.fleet.model(model) is None:
            raise ledger.fleet.model_unknown(model)
        position = position_asked(request, ledger) if page.upper is None else page.upper
        if position is None:
            position, models = ledger.cases.now()
        else:
            models = ledger.cases.open(position)
        if model:
            models = {model: models[model]} if model in models else {}
        last = ledger.log.event(position) if position else None
        return _Moment(position, last.recorded_at if last else 0, models)

    # ---- answers ---------------------------------------------------------------------------------

    def AcknowledgeEscalation(
        self, request: pb.AcknowledgeEscalationRequest, context: grpc.ServicerContext
    ) -> pb.AcknowledgeEscalationResponse:
        """Record that a person takes an escalation on."""
        checks = Checks()
        model, _, position = checks.placed_name("name", request.name, _ESCALATIONS)
        _note(checks, request.note)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.cases.acknowledge(caller, model, position, request.note)
        return pb.AcknowledgeEscalationResponse(appended=appended(written))

    def ResolveEscalation(
        self, request: pb.ResolveEscalationRequest, context: grpc.ServicerContext
    ) -> pb.ResolveEscalationResponse:
        """Record how a person dealt with an escalation."""
        checks = Checks()
        model, _, position = checks.placed_name("name", request.name, _ESCALATIONS)
        checks.text("resolution", request.resolution)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.cases.resolve(caller, model, position, request.resolution)
        return pb.ResolveEscalationResponse(appended=appended(written))

    def TakeTask(
        self, request: pb.TakeTaskRequest, context: grpc.ServicerContext
    ) -> pb.TakeTaskResponse:
        """Record that a person works on a task."""
        checks = Checks()
        model, _, position = checks.placed_name("name", request.name, _TASKS)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.cases.take(caller, model, position)
        return pb.TakeTaskResponse(appended=appended(written))

    def CloseTask(
        self, request: pb.CloseTaskRequest, context: grpc.ServicerContext
    ) -> pb.CloseTaskResponse:
        """Record the outcome of a task."""
        checks = Checks()
        model, _, position = checks.placed_name("name", request.name, _TASKS)
        outcome = convert.OUTCOMES.get(request.outcome)
        if outcome is None:
            named = ", ".join(one.upper() for one in convert.OUTCOMES.values())
            checks.refuse("outcome", f"is required: what came of it, one of {named}")
        _note(checks, request.note)
        ledger, caller = self._server.append(request, context, checks)
        assert outcome is not None, "the checks have refused that"
        written = ledger.cases.close(caller, model, position, outcome, request.note)
        return pb.CloseTaskResponse(appended=appended(written))


def _cut(
    page: Page, found: list[T], place: Callable[[T], int], position: int
) -> tuple[list[T], str]:
    """Return the items of a page, in order of their decisions, and the token of the next one."""
    after = int(page.cursor) if page.cursor else 0
    rest = sorted((one for one in found if place(one) > after), key=place)
    shown, token = page.cut(rest, place, position)
    return list(shown), token


def _place(moment: _Moment) -> dict[str, Any]:
    """Return what a list says of its moment."""
    when = timestamp(moment.recorded_at) if moment.position else None
    return {"position": moment.position, "recorded_at": when}


def _note(checks: Checks, note: str) -> None:
    if len(note) > TEXT_CHARS_MAX:
        checks.refuse("note", f"is {len(note)} characters long; at most {TEXT_CHARS_MAX} fit")
