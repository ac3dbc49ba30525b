"""Which version of a model is in service, and whose observations count.

Procedure `rules/1` takes the deployment that was recorded last. Since `rules/2` stated times
decide: a deployment that is recorded late takes its place among the others, and an
observation from before a version went into service is not that version's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.events.fast import nano
from ledger.events.models import ModelDeployed
from ledger.events.values import parse_time


@dataclass(frozen=True, slots=True)
class DeployedVersion:
    """A version in service from a stated time on."""

    version: str
    is_trained: bool
    in_service_at: int
    trained_through: int
    baseline_nano: int
    position: int


@dataclass(frozen=True, slots=True)
class ServicePeriod:
    """A deployment with its span: from its stated time until the next one's, None for no end."""

    deployment: DeployedVersion
    until: int | None = None

    @property
    def version(self) -> str:
        """The version in service."""
        return self.deployment.version

    @property
    def since(self) -> int:
        """When it went into service."""
        return self.deployment.in_service_at

    def selects(self, model_version: str, observed_at: int) -> bool:
        """Whether an observation counts: of this version, within its span of service."""
        return (
            model_version == self.version
            and self.since <= observed_at
            and (self.until is None or observed_at < self.until)
        )


def deployment_of(data: ModelDeployed, position: int) -> DeployedVersion:
    """Return a deployment with its times and baseline as integers."""
    return DeployedVersion(
        data.model_version,
        data.kind == "trained",
        parse_time(data.in_service_at),
        parse_time(data.trained_through),
        nano(data.baseline_loss),
        position,
    )


def service_at(deployments: Sequence[DeployedVersion], at: int | None) -> ServicePeriod | None:
    """Return what is in service at a time: the latest stated one not after it, None before any.

    Of two stated for the same time the later recorded one; `at` None asks for the last of all.
    """
    found: DeployedVersion | None = None
    until: int | None = None
    for one in sorted(deployments, key=lambda each: (each.in_service_at, each.position)):
        if at is not None and one.in_service_at > at:
            until = one.in_service_at
            break
        found = one
    return None if found is None else ServicePeriod(found, until)
