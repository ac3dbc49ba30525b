"""Which version is in service, by each procedure: the audit's own reading of `docs/spec/`."""

from dataclasses import dataclass

from ledger.audit.audited_model import AuditedDeployment, AuditedModel
from ledger.audit.parameters import Parameters


@dataclass(frozen=True, slots=True)
class AuditedService:
    """A deployment in service, and from when on another one is stated to be; None for never."""

    deployment: AuditedDeployment
    until: int | None

    @property
    def version(self) -> str:
        """The version in service."""
        return self.deployment.version

    @property
    def since(self) -> int:
        """When it is stated to have gone into service."""
        return self.deployment.in_service_at


def serving_of(
    facts: AuditedModel, parameters: Parameters, as_of: int, at: int | None
) -> AuditedService | None:
    """Return the version in service, as known at a position, by the policy's procedure.

    `rules/1`: the deployment recorded last. `rules/2`: of those stated for a
    time not after `at` (None: for any) the latest; of equal times the later recorded. None where
    the newest deployment has lost its body: which version it put into service is not known.
    """
    deployed = facts.deployed(as_of)
    if not deployed or facts.is_version_lost(as_of):
        return None
    if parameters.is_by_record:
        return AuditedService(deployed[-1], None)
    begun = [one for one in deployed if at is None or one.in_service_at <= at]
    if not begun:
        return None
    latest = max(begun, key=lambda one: (one.in_service_at, one.position))
    later = [] if at is None else [one.in_service_at for one in deployed if one.in_service_at > at]
    return AuditedService(latest, min(later, default=None))
