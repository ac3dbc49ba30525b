"""MLflow: a version of a registered model becomes a deployment, and its tags say by which decision.

    from mlflow import MlflowClient
    from ledger.adapters.mlflow import RegistryDeployments
    from ledger.client import LedgerClient

    with LedgerClient("localhost:50051", actor="services/releases") as ledger:
        deployments = RegistryDeployments(ledger, MlflowClient())
        deployments.deploy("churn", "3", in_service_at=at, trained_through=data, baseline_loss=0.41)

The ledger comes first, the tags second: a call that ended in between is made again as it was, and
the ledger answers it as the first time. A version has the number that MLflow gave it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.client import LedgerClient
from ledger.client.errors import UnknownNameError
from ledger.client.inputs import Time, Value
from ledger.client.jobs import ReportedEvidence
from ledger.client.records import Appended
from ledger.events.decisions import DECISION_TYPES

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PREFIX: Final = "decision_ledger."
"""Of the names of all tags."""
_READY: Final = "READY"


class NotReadyError(Exception):
    """A version that MLflow has not taken in whole, or that did not pass its gate: why."""


@dataclass(frozen=True, slots=True)
class TaggedDeployment:
    """A deployment on record, and the tags of the version that say so."""

    position: int
    event_hash: str
    """In hex."""
    tags: Mapping[str, str]


class RegistryDeployments:
    """Deployments of versions of one registry in one ledger. For one thread."""

    def __init__(self, ledger: LedgerClient, registry: "MlflowClient") -> None:
        self._ledger = ledger
        self._registry = registry

    def deploy(
        self,
        model: str,
        version: str,
        *,
        in_service_at: Time,
        trained_through: Time,
        baseline_loss: Value,
        registered: str = "",
    ) -> TaggedDeployment:
        """Record that a registered version of a model is in service, and tag it.

        `registered` is the name of the model in MLflow; that in the ledger if it is left out.
        NotReadyError for a version that MLflow still takes in, or could not.
        """
        found = self._version(registered or model, version)
        deployed = self._ledger.record_deployment(
            model,
            str(found.version),
            in_service_at=in_service_at,
            trained_through=trained_through,
            baseline_loss=baseline_loss,
            request_id=_request_id(model, found, in_service_at),
        )
        [event] = self._ledger.list_events(
            after_position=deployed.position - 1,
            until_position=deployed.position,
            min_position=deployed.position,
        )
        return self._tagged(found, deployed, str(event.content.get("run_id") or ""), {})

    def deploy_for_job(  # noqa: PLR0913 - one keyword for each thing that is stated
        self,
        job: str,
        token: int,
        version: str,
        *,
        in_service_at: Time,
        trained_through: Time,
        baseline_loss: Value,
        registered: str = "",
        cost_micros: int | None = None,
    ) -> TaggedDeployment:
        """Report a registered version as what a leased job has deployed, and tag it.

        `job` is `models/{model}/jobs/{job}`, whose next gate is the deployment; `cost_micros` what
        it has cost so far. NotReadyError also where the gate was not passed.
        """
        known = self._ledger.get_job(job).job
        found = self._version(registered or known.model, version)
        reported = self._ledger.deploy_job_version(
            job,
            token,
            str(found.version),
            in_service_at=in_service_at,
            trained_through=trained_through,
            baseline_loss=baseline_loss,
            evidence=ReportedEvidence(links=(_link(found),), cost_micros=cost_micros),
            request_id=_request_id(job, found, in_service_at),
        )
        if reported.verdict is not None and not reported.verdict.is_passed:
            said = " ".join(one.sentence for one in reported.verdict.criteria)
            raise NotReadyError(f"{job} may not deploy {_link(found)}. {said}")
        return self._tagged(found, reported.appended, known.run_id, {"job": job})

    def _version(self, registered: str, version: str) -> "ModelVersion":
        found = self._registry.get_model_version(registered, version)
        if found.status != _READY:
            why = found.status_message or f"its status is {found.status}"
            raise NotReadyError(f"{_link(found)} is not ready: {why}.")
        return found

    def _tagged(
        self, found: "ModelVersion", appended: Appended, run_id: str, more: Mapping[str, str]
    ) -> TaggedDeployment:
        """Tag a version with what is on record of it, in the place of what an earlier time said."""
        tags = {
            "ledger": self._ledger.get_ledger().origin,
            "run": run_id,
            "decision": self._decision(run_id, appended.position) if run_id else "",
            "position": str(appended.position),
            "event_hash": appended.event_hash.hex(),
            "job": "",
            **more,
        }
        named = {PREFIX + name: value for name, value in tags.items()}
        for name, value in named.items():
            if value:
                self._registry.set_model_version_tag(found.name, found.version, name, value)
            elif name in found.tags:
                self._registry.delete_model_version_tag(found.name, found.version, name)
        kept = {name: value for name, value in named.items() if value}
        return TaggedDeployment(appended.position, tags["event_hash"], kept)

    def _decision(self, run_id: str, position: int) -> str:
        """Return the newest decision of a run before a position; empty where it has none."""
        try:
            run = self._ledger.get_run(run_id, min_position=position)
        except UnknownNameError:
            return ""  # the bodies that named it were erased
        found = [
            one.position
            for one in run.entries
            if one.is_of_run and one.type in DECISION_TYPES and one.position < position
        ]
        return f"models/{run.model}/decisions/{found[-1]}" if found else ""


def _link(version: "ModelVersion") -> str:
    return f"models:/{version.name}/{version.version}"


def _request_id(what: str, version: "ModelVersion", at: Time) -> str:
    """Return the id of a deployment's request: the same each time that it is asked for."""
    named = "\n".join((what, _link(version), str(version.creation_timestamp), str(at)))
    return f"mlflow-{hashlib.sha256(named.encode()).hexdigest()}"
