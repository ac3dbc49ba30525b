"""Signals, models and policies as their own events left them.

Immutable values, each evolved by a pure function. Versions count the aggregate's own events;
observations, scores and decisions share a model's stream without disturbing them.
"""

from dataclasses import dataclass, replace
from typing import Final

from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.models import (
    DESCRIBING,
    ModelDeployed,
    ModelDescribed,
    ModelRegistered,
    ModelRetired,
)
from ledger.events.policies import DRAFTED_TYPES, PolicyActivated, PolicyDrafted
from ledger.events.registry import ErasedData, aggregate_types
from ledger.events.signals import DEFINED_TYPES, SignalDefined

MODEL_TYPES: Final = aggregate_types("models")
POLICY_TYPES: Final = aggregate_types("policies")


@dataclass(frozen=True, slots=True)
class SignalAggregate:
    """A signal and its newest definition; None where that was erased, until the next one."""

    id: str
    version: int
    defined: SignalDefined | None


@dataclass(frozen=True, slots=True)
class ModelAggregate:
    """A model as its events left it. `version` counts them and serves as the etag.

    `described` is None where the newest description was erased, until it is described again;
    `deployments` are those that are still known.
    """

    id: str
    version: int
    described: ModelDescribed | None
    deployments: tuple[ModelDeployed, ...] = ()
    retired: bool = False
    is_version_erased: bool = False
    """Whether the newest deployment was erased: which version serves is not known then."""

    @property
    def was_deployed(self) -> bool:
        """Whether a version was ever recorded as deployed, erased or not."""
        return bool(self.deployments) or self.is_version_erased

    @property
    def in_service(self) -> ModelDeployed | None:
        """The deployment that is stated to be the latest; None where none is known to be."""
        return self.in_service_at(None)

    def in_service_at(self, at: str | None) -> ModelDeployed | None:
        """Return the deployment in service at a time: the latest stated one not after it.

        Of two stated for the same time the later recorded one. Times have one form, so that their
        texts are in their order.
        """
        if self.is_version_erased:
            return None
        known = [one for one in self.in_order if at is None or one.in_service_at <= at]
        return known[-1] if known else None

    def deployed_after(self, at: str) -> ModelDeployed | None:
        """Return the deployment that is stated next after a time; None where there is none."""
        return next((one for one in self.in_order if one.in_service_at > at), None)

    def newest_of(self, version: str) -> ModelDeployed | None:
        """Return the newest deployment of a version by stated times, None where it never served."""
        return next((one for one in reversed(self.in_order) if one.model_version == version), None)

    @property
    def in_order(self) -> list[ModelDeployed]:
        """The known deployments by stated time; of equal times the later record is the later."""
        return sorted(self.deployments, key=lambda one: one.in_service_at)


@dataclass(frozen=True, slots=True)
class PolicyAggregate:
    """A policy's versions and when which of them came into force.

    `drafts` has None where a version was erased: versions keep their numbers. An erased activation
    is no longer there: it names no version and no scope any more, so nothing is in force by it.
    """

    id: str
    version: int
    drafts: tuple[PolicyDrafted | None, ...] = ()
    activations: tuple[PolicyActivated, ...] = ()


def evolve_signal(
    signal: SignalAggregate | None, data: EventData | ErasedData, stream: str
) -> SignalAggregate:
    """Return the signal after one more definition, which replaces the one before as a whole."""
    if data.TYPE not in DEFINED_TYPES:
        raise _out_of_place(stream, data.TYPE)
    version = 1 if signal is None else signal.version + 1
    return SignalAggregate(stream, version, data if isinstance(data, SignalDefined) else None)


def evolve_model(
    model: ModelAggregate | None, data: EventData | ErasedData, stream: str
) -> ModelAggregate:
    """Return the model after one more event of its own; of an erased one only the type is known."""
    described = data if isinstance(data, ModelDescribed) else None
    if model is None:
        if data.TYPE != ModelRegistered.TYPE:
            raise _out_of_place(stream, data.TYPE)
        return ModelAggregate(stream, 1, described)
    model = replace(model, version=model.version + 1)
    if data.TYPE in DESCRIBING:
        return replace(model, described=described)
    if isinstance(data, ModelDeployed):
        deployments = (*model.deployments, data)
        return replace(model, deployments=deployments, is_version_erased=False)
    if data.TYPE == ModelDeployed.TYPE:
        return replace(model, is_version_erased=True)
    if data.TYPE != ModelRetired.TYPE:
        raise _out_of_place(stream, data.TYPE)
    return replace(model, retired=True)


def evolve_policy(
    policy: PolicyAggregate | None, data: EventData | ErasedData, stream: str
) -> PolicyAggregate:
    """Return the policy after one more event of its own; an erased one has only its type."""
    before = policy or PolicyAggregate(stream, 0)
    policy = replace(before, version=before.version + 1)
    if data.TYPE in DRAFTED_TYPES:
        draft = data if isinstance(data, PolicyDrafted) else None
        return replace(policy, drafts=(*policy.drafts, draft))
    if data.TYPE not in POLICY_TYPES:
        raise _out_of_place(stream, data.TYPE)
    if isinstance(data, PolicyActivated):
        return replace(policy, activations=(*policy.activations, data))
    return policy


def _out_of_place(stream: str, type_: str) -> LedgerError:
    """Return the refusal of a history that this product does not write: rows were changed."""
    return unreadable(stream, f"{type_} does not belong where it is")


def unreadable(stream: str, why: str) -> LedgerError:
    """Return the refusal of an aggregate whose events cannot be read."""
    return LedgerError(
        Reason.EVENT_UNREADABLE,
        f"The history of {stream} cannot be read: {why}.",
        remedy="Verify the ledger with `decision-ledger verify`.",
        metadata={"stream": stream},
    )
