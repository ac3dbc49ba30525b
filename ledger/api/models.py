"""ModelService: the fleet and what is in service."""

import grpc

from ledger.api.checks import Checks
from ledger.api.convert.basics import appended
from ledger.api.convert.models import described_of, ground_of, model, version_of
from ledger.api.paging import cut, page_of
from ledger.api.server_context import Servicer
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.application.ledger import LedgerApplication
from ledger.events.models import ModelRegistered, ModelUpdated
from ledger.v1 import model_pb2, model_service_pb2_grpc
from ledger.v1 import model_service_pb2 as pb


class ModelServicer(Servicer, model_service_pb2_grpc.ModelServiceServicer):
    """Serves ModelService."""

    def RegisterModel(
        self, request: pb.RegisterModelRequest, context: grpc.ServicerContext
    ) -> pb.RegisterModelResponse:
        """Register a model."""
        checks = Checks()
        checks.present("model", request.HasField("model"))
        described = described_of(request.model, ModelRegistered, checks)
        ledger, caller = self._server.append(request, context)
        written = ledger.commands.register_model(caller, described)
        return pb.RegisterModelResponse(
            appended=appended(written), model=_model(ledger, described.model)
        )

    def UpdateModel(
        self, request: pb.UpdateModelRequest, context: grpc.ServicerContext
    ) -> pb.UpdateModelResponse:
        """Replace a model's description."""
        checks = Checks()
        checks.present("model", request.HasField("model"))
        version = version_of(request.etag, checks)
        described = described_of(request.model, ModelUpdated, checks)
        ledger, caller = self._server.append(request, context)
        written = ledger.commands.update_model(caller, described, version)
        return pb.UpdateModelResponse(
            appended=appended(written), model=_model(ledger, described.model)
        )

    def RecordDeployment(
        self, request: pb.RecordDeploymentRequest, context: grpc.ServicerContext
    ) -> pb.RecordDeploymentResponse:
        """Record that a version went into service."""
        checks = Checks()
        baseline_loss, is_rounded = checks.decimal("baseline_loss", request.baseline_loss)
        spec = DeploymentSpec(
            model=checks.name("name", request.name, "models"),
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
            replaces=checks.identifier("replaces", request.replaces, optional=True) or None,
        )
        ground = ground_of(request, checks)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.stated_deployments.record(caller, spec, ground)
        view = ledger.fleet.model(spec.model)
        assert view is not None, "what was deployed is known"
        serving = view.model.in_service
        return pb.RecordDeploymentResponse(
            appended=appended(written),
            version_in_service=serving.model_version if serving else "",
            rounded=int(is_rounded),
        )

    def RollBackModel(
        self, request: pb.RollBackModelRequest, context: grpc.ServicerContext
    ) -> pb.RollBackModelResponse:
        """Ask that an earlier version serves again, or take that back."""
        checks = Checks()
        name = checks.name("name", request.name, "models")
        version = checks.identifier("model_version", request.model_version, optional=True)
        reason = checks.text("reason", request.reason)
        if request.withdraw and version:
            checks.refuse("model_version", "is to be empty where `withdraw` is set")
        ledger, caller = self._server.append(request, context, checks)
        wanted = RollBackSpec(name, None if request.withdraw else version, reason)
        written, asked = ledger.roll_backs.ask(caller, wanted)
        return pb.RollBackModelResponse(
            appended=appended(written),
            in_service=asked.in_service or "",
            put_back=asked.put_back or "",
        )

    def RetireModel(
        self, request: pb.RetireModelRequest, context: grpc.ServicerContext
    ) -> pb.RetireModelResponse:
        """Take a model out of the fleet, for good."""
        checks = Checks()
        name = checks.name("name", request.name, "models")
        reason = checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.commands.retire_model(caller, name, reason)
        return pb.RetireModelResponse(appended=appended(written))

    def GetModel(
        self, request: pb.GetModelRequest, context: grpc.ServicerContext
    ) -> pb.GetModelResponse:
        """Return one model."""
        checks = Checks()
        name = checks.name("name", request.name, "models")
        ledger = self._server.read(request, context, checks)
        return pb.GetModelResponse(model=_model(ledger, name))

    def ListModels(
        self, request: pb.ListModelsRequest, context: grpc.ServicerContext
    ) -> pb.ListModelsResponse:
        """List models by id."""
        page = page_of(request)
        ledger = self._server.read(request, context)
        ledger.fleet.refresh()
        fleet = (
            view
            for view in ledger.fleet.models()
            if request.include_retired or not view.model.retired
        )
        views, token = cut(page, fleet, lambda view: view.name)
        return pb.ListModelsResponse(models=[model(view) for view in views], next_page_token=token)


def _model(ledger: LedgerApplication, name: str) -> model_pb2.Model:
    """Return a model as it is at the head; BODY_ERASED where it was not described since."""
    ledger.fleet.refresh()
    view = ledger.fleet.model(name)
    if view is None:
        raise ledger.fleet.model_unknown(name)
    if view.model.described is None:
        raise ledger.histories.erasures.refusal(view.described.position)
    return model(view)
