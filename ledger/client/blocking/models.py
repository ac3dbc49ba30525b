# Generated from ledger/client/aio/models.py by `tools/dev.py proto`; do not edit.
"""The fleet and its deployments, for threads."""

from collections.abc import Iterator

from ledger.client.blocking.service import ServiceCalls
from ledger.client.calls import models as calls
from ledger.client.inputs import Time, Value
from ledger.client.records import Appended, Deployed, Model


class ModelCalls(ServiceCalls):
    """The fleet: its models and which version of each is in service."""

    def register_model(self, model: Model, *, request_id: str | None = None) -> Appended:
        """Register a model."""
        scope = self._append_scope(request_id)
        return self._connection.run(calls.register_model(scope, model))

    def update_model(self, model: Model, *, request_id: str | None = None) -> Appended:
        """Replace a model's description; `model.etag` must be that of the description as read.

        Read it with `get_model`, change it with `dataclasses.replace`, and send it back: a
        ConflictError says that another caller changed it in between.
        """
        scope = self._append_scope(request_id)
        return self._connection.run(calls.update_model(scope, model))

    def record_deployment(
        self,
        model: str,
        model_version: str,
        *,
        in_service_at: Time,
        trained_through: Time,
        baseline_loss: Value,
        replaces: str = "",
        allow_leap: bool = False,
        request_id: str | None = None,
    ) -> Deployed:
        """Record that a version went into service: newly trained, or put back."""
        scope = self._append_scope(request_id, allow_leap=allow_leap)
        call = calls.record_deployment(
            scope,
            model,
            model_version,
            in_service_at=in_service_at,
            trained_through=trained_through,
            baseline_loss=baseline_loss,
            replaces=replaces,
        )
        return self._connection.run(call)

    def retire_model(self, model: str, reason: str, *, request_id: str | None = None) -> Appended:
        """Take a model out of the fleet, for good."""
        scope = self._append_scope(request_id)
        return self._connection.run(calls.retire_model(scope, model, reason))

    def get_model(self, model: str, *, min_position: int = 0) -> Model:
        """Return a model with all its deployments."""
        return self._connection.run(calls.get_model(self._scope, model, min_position))

    def list_models(
        self, *, include_retired: bool = False, min_position: int = 0
    ) -> Iterator[Model]:
        """Iterate over the fleet by id."""
        paged = calls.list_models(
            self._scope, include_retired=include_retired, min_position=min_position
        )
        return self._connection.items(paged)
