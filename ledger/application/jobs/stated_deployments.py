"""Deployments that no job made: stated by who put a version into service.

Where the policy in force wants gates, one is refused unless it is the first of its model, or the
return that the ledger itself proposed, or a person says why: a roll-back, or an emergency.
"""

from dataclasses import dataclass, replace
from typing import Final

from ledger.application.appender import Addition, Proposal
from ledger.application.authority.authority import Authority, unchanged
from ledger.application.commands import (
    Caller,
    decided_before,
    fields_named,
    model_stream,
    none_after,
)
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.gated_models import GatedModels
from ledger.application.jobs.put_backs import JudgedPutBack, PutBackReader
from ledger.application.jobs.reader import JobReader
from ledger.authority.state import Subject
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.models import (
    DESCRIBING,
    DeploymentBasis,
    DeploymentExplained,
    ModelDeployed,
)
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.events.values import parse_time
from ledger.jobs.deployment_grounds import DeploymentMoment, ground_fault
from ledger.jobs.put_backs import OpenPutBack
from ledger.storage.records import AppendResult

_DO: Final = (
    "Propose a job: `decision-ledger job propose`. Or have a person say why: "
    "`decision-ledger model deploy … --basis roll-back --reason …`, or `--basis emergency`. A "
    "policy with `deployments: any` in its part `jobs`, in force for the model by its name, leaves "
    "it to who deploys."
)


@dataclass(frozen=True, slots=True)
class DeploymentGround:
    """The statement of a caller why a version serves that no job deployed."""

    basis: DeploymentBasis
    reason: str


class StatedDeployments:
    """Records stated deployments in one ledger. Safe between threads."""

    def __init__(
        self,
        fleet: FleetCommands,
        gated: GatedModels,
        authority: Authority,
        put_backs: PutBackReader,
        jobs: JobReader,
        clock: Clock,
    ) -> None:
        self._fleet = fleet
        self._gated = gated
        self._authority = authority
        self._put_backs = put_backs
        self._jobs = jobs
        self._clock = clock

    def record(
        self, caller: Caller, spec: DeploymentSpec, ground: DeploymentGround | None = None
    ) -> AppendResult:
        """Record that a version went into service: trained if it is new, reinstated if not.

        As `FleetCommands.deployment` says. One that the ledger proposed cites the proposal.
        DEPLOYMENT_REFUSED where the policy in force wants a job's gates and no ground holds.
        """
        return self._fleet.save(
            caller, ModelDeployed.METHOD, lambda: self._proposal(caller, spec, ground)
        )

    def put_back(
        self, caller: Caller, model: str, proposal: int, in_service_at: int
    ) -> AppendResult:
        """Record that a version serves again, as the ledger proposed at a position.

        DEPLOYMENT_REFUSED where no such proposal is open, VERSION_CONFLICT where another version
        was in service at the stated time.
        """
        return self._fleet.save(
            caller,
            "PutBackVersion",
            lambda: self._carrying_out(caller, model, proposal, in_service_at),
        )

    def _carrying_out(
        self, caller: Caller, model: str, proposal: int, in_service_at: int
    ) -> Proposal:
        """Return the deployment that a proposal asks for, which cites it."""
        made = self._proposal(caller, self._returned(model, proposal, in_service_at), None)
        cited = [
            one.data.proposal for one in made.additions if isinstance(one.data, DeploymentExplained)
        ]
        if cited != [proposal]:  # it was over a moment later
            raise _not_open(model, proposal)
        return made

    def _returned(self, model: str, proposal: int, in_service_at: int) -> DeploymentSpec:
        """Return the deployment that a proposal asks for, as its version was deployed last."""
        known = self._fleet.live_model(model)
        _, found = self._put_backs.of_model(model)
        if found is None or found.proposed.position != proposal:
            raise _not_open(model, proposal)
        if found.fault:
            raise _not_open(model, proposal, found.fault)
        wanted = found.proposed
        deciding, refusing = self._jobs.against(model, wanted.put_back, is_asked=wanted.is_asked)
        if (job := deciding or refusing) is not None:
            raise _not_open(model, proposal, f"job {job.name} decides otherwise of its versions")
        before = known.newest_of(wanted.put_back)
        if before is None:  # its body was erased since
            raise _not_open(model, proposal)
        return DeploymentSpec(
            model,
            wanted.put_back,
            in_service_at,
            parse_time(before.trained_through),
            before.baseline_loss,
            replaces=wanted.in_service,
        )

    def _proposal(
        self, caller: Caller, spec: DeploymentSpec, ground: DeploymentGround | None
    ) -> Proposal:
        at, found = self._put_backs.of_model(spec.model)
        made = self._fleet.deployment(spec)
        deployed = made.additions[0].data
        assert isinstance(deployed, ModelDeployed), "a deployment is proposed"
        is_asked = found is not None and found.proposed.is_asked
        against = self._jobs.against(spec.model, deployed.model_version, is_asked=is_asked)
        model = self._fleet.live_model(spec.model)
        is_first, gated = not model.was_deployed, self._gated.why(spec.model, at)
        with fields_named():
            explained = _explained(deployed, ground, None if any(against) else found)
            if explained is None and gated and is_first:
                explained = _said(deployed, "adopted")
        labels = model.described
        extent = Subject(spec.model, None, {} if labels is None else labels.labels)
        self._authority.refresh(at)
        state = self._authority.state
        now = self._clock.now_micros()
        proposed, stale = (None, "") if found is None else (found.proposed, found.fault)
        moment = DeploymentMoment(
            caller.actor, now, state, extent, proposed, stale, *against, is_first=is_first
        )
        if explained is not None:
            if fault := ground_fault(explained.to_data(), deployed.to_data(), moment):
                raise _refused(deployed, fault)
        elif gated:
            was_proposed = proposed is not None and _fits(deployed, proposed)
            raise _refused(deployed, f"{gated}, and {stale}" if was_proposed and stale else gated)
        stream = model_stream(spec.model)
        guards = [
            none_after(at, None, *ACTIVATED_TYPES),
            none_after(at, stream, ModelDeployed.TYPE, *DESCRIBING),
            none_after(at, f"reuse/{spec.model}", ReuseProposed.TYPE),
            none_after(at, f"roll_backs/{spec.model}", RollBackAsked.TYPE),
            *self._jobs.unmoved(spec.model, at),
            *made.guards,  # that of the model's own version is the last
        ]
        if explained is None:
            return replace(made, guards=guards)
        if explained.proposal is not None and found is not None and found.ends_at is not None:
            guards.insert(0, decided_before(found.ends_at))
        run_id = made.additions[0].run_id
        reasoned = Addition.of(explained, run_id=run_id, follows=0)
        return replace(
            made, additions=[*made.additions, reasoned], guards=[unchanged(state), *guards]
        )


def _explained(
    deployed: ModelDeployed, ground: DeploymentGround | None, found: JudgedPutBack | None
) -> DeploymentExplained | None:
    """Return the ground of a deployment: the one that is stated, or the proposal that it fits."""
    if ground is not None:
        return _said(deployed, ground.basis, reason=ground.reason)
    if found is None or found.fault or not _fits(deployed, found.proposed):
        return None
    return _said(deployed, found.proposed.basis, found.proposed.position)


def _said(
    deployed: ModelDeployed, basis: DeploymentBasis, proposal: int | None = None, reason: str = ""
) -> DeploymentExplained:
    return DeploymentExplained(
        model=deployed.model,
        model_version=deployed.model_version,
        replaces=deployed.replaces,
        basis=basis,
        proposal=proposal,
        reason=reason,
    )


def _fits(deployed: ModelDeployed, proposed: OpenPutBack) -> bool:
    """Whether a deployment is the one that is proposed."""
    named = deployed.model_version, deployed.replaces
    return named == (proposed.put_back, proposed.in_service)


def _not_open(model: str, proposal: int, why: str = "") -> LedgerError:
    why = why or f"no proposal of position {proposal} to put a version back is open"
    return LedgerError(
        Reason.DEPLOYMENT_REFUSED,
        f"No version of {model} can be put back so: {why}.",
        remedy="List what is open: `decision-ledger plan put-backs`.",
        metadata={"model": model, "proposal": str(proposal), "why": why},
    )


def _refused(deployed: ModelDeployed, why: str) -> LedgerError:
    return LedgerError(
        Reason.DEPLOYMENT_REFUSED,
        f"Version {deployed.model_version} of {deployed.model} cannot be recorded as deployed: "
        f"{why}.",
        remedy=_DO,
        metadata={"model": deployed.model, "model_version": deployed.model_version, "why": why},
    )
