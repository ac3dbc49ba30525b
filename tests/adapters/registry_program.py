"""Runs beside MLflow: registers versions in a registry on SQLite, and has the ledger record them.

The words are the ledger's address, the folder of the registry, and as JSON what to do: a list of
calls of `RegistryDeployments`, with what MLflow is asked first. Prints what each gave, and in the
end the tags of every version.
"""

import json
import sys
from typing import Any

from mlflow import MlflowClient

from ledger.adapters.mlflow import NotReadyError, RegistryDeployments
from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError


def main(address: str, folder: str, calls: list[dict[str, Any]]) -> None:
    """Carry out the calls in order."""
    url = f"sqlite:///{folder}/registry.db"
    registry = MlflowClient(tracking_uri=url, registry_uri=url)
    found: list[Any] = []
    for call in calls:
        actor, method = call.pop("actor"), call.pop("method")
        if method == "register":
            found.append(registered(registry, **call))
            continue
        with LedgerClient(address, actor=actor, deadline_seconds=60.0) as ledger:
            deployments = RegistryDeployments(ledger, registry)
            try:
                made = getattr(deployments, method)(**call)
            except (NotReadyError, LedgerRefusedError) as error:
                found.append({"error": str(error)})
            else:
                found.append({"position": made.position, "tags": dict(made.tags)})
    tags = {
        f"{one.name}/{one.version}": dict(one.tags)
        for model in registry.search_registered_models()
        for one in registry.search_model_versions(f"name = '{model.name}'")
    }
    print(json.dumps({"found": found, "tags": tags}))  # noqa: T201 - that is its answer


def registered(registry: MlflowClient, name: str, tags: dict[str, str]) -> str:
    """Register a version, of a model that is registered with its first."""
    if not registry.search_registered_models(f"name = '{name}'"):
        registry.create_registered_model(name)
    made = registry.create_model_version(name, source=f"models/{name}", tags=tags)
    return str(made.version)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
