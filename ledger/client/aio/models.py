"""The fleet and its deployments, for asyncio."""

from collections.abc import AsyncIterator

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, paged, whole
from ledger.client.enums import DeploymentBasis
from ledger.client.inputs import (
    Time,
    Value,
    decimal_text,
    in_collection,
    model_message,
    number_of,
    timestamp_of,
)
from ledger.client.jobs import AskedRollBack
from ledger.client.records import Appended, Deployed, Model
from ledger.v1 import model_pb2
from ledger.v1 import model_service_pb2 as pb


class AsyncModelCalls(AsyncServiceCalls):
    """The fleet: its models and which version of each is in service."""

    async def register_model(self, model: Model, *, request_id: str | None = None) -> Appended:
        """Register a model."""
        request = pb.RegisterModelRequest(model=model_message(model))
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def update_model(self, model: Model, *, request_id: str | None = None) -> Appended:
        """Replace a model's description; `model.etag` must be that of the description as read.

        Read it with `get_model`, change it with `dataclasses.replace`, and send it back: a
        ConflictError says that another caller changed it in between.
        """
        request = pb.UpdateModelRequest(model=model_message(model), etag=model.etag)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def record_deployment(
        self,
        model: str,
        model_version: str,
        *,
        in_service_at: Time,
        trained_through: Time,
        baseline_loss: Value,
        replaces: str = "",
        allow_leap: bool = False,
        basis: DeploymentBasis | str | None = None,
        reason: str = "",
        request_id: str | None = None,
    ) -> Deployed:
        """Record that a version went into service: newly trained, or put back.

        Where a policy has versions go live by jobs alone, a person says by `basis` and `reason` why
        this one does otherwise; one that the ledger proposed to put back needs none.
        """
        request = pb.RecordDeploymentRequest(
            name=in_collection("models", model),
            model_version=model_version,
            in_service_at=timestamp_of(in_service_at, "in_service_at"),
            trained_through=timestamp_of(trained_through, "trained_through"),
            baseline_loss=decimal_text(baseline_loss, "baseline_loss"),
            replaces=replaces,
            allow_leap=allow_leap,
            basis=number_of(basis, DeploymentBasis, model_pb2.DeploymentBasis, "basis"),
            reason=reason,
        )
        return await self._connection.run(Call(request, whole(Deployed), request_id))

    async def roll_back_model(
        self,
        model: str,
        model_version: str = "",
        *,
        reason: str,
        withdraw: bool = False,
        request_id: str | None = None,
    ) -> AskedRollBack:
        """Ask, as a person, that a version serves again: the one before if none is named.

        Executors put it back (`list_put_backs`). `withdraw` takes back what was asked before.
        LedgerRefusedError with DEPLOYMENT_REFUSED where it did not serve, or a job is against it.
        """
        request = pb.RollBackModelRequest(
            name=in_collection("models", model),
            model_version=model_version,
            reason=reason,
            withdraw=withdraw,
        )
        return await self._connection.run(Call(request, whole(AskedRollBack), request_id))

    async def retire_model(
        self, model: str, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Take a model out of the fleet, for good."""
        request = pb.RetireModelRequest(name=in_collection("models", model), reason=reason)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def get_model(self, model: str, *, min_position: int = 0) -> Model:
        """Return a model with all its deployments."""
        name = in_collection("models", model)
        request = pb.GetModelRequest(name=name, min_position=min_position)
        return await self._connection.run(Call(request, one(Model, "model")))

    def list_models(
        self, *, include_retired: bool = False, min_position: int = 0
    ) -> AsyncIterator[Model]:
        """Iterate over the fleet by id."""
        request = pb.ListModelsRequest(include_retired=include_retired, min_position=min_position)
        return self._connection.items(paged(request, Model, "models"))
