"""Why a version may serve that no job deployed, where a policy wants the gates of a job.

The service asks it before it records such a deployment, and the auditor asks it again. A fault is a
sentence without its full stop.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from ledger.authority.state import AuthorityState, Subject
from ledger.authority.table import EMERGENCY, METHODS
from ledger.events.models import ModelDeployed
from ledger.events.notation import time
from ledger.events.policy_document import JobsPart
from ledger.events.values import parse_time
from ledger.jobs.machine import Job
from ledger.jobs.put_backs import OpenPutBack
from ledger.jobs.steps import SKEW_MICROS

Data = Mapping[str, Any]
DEPLOYING: Final = METHODS[ModelDeployed.METHOD]
T = TypeVar("T")


class DeploymentMoment(NamedTuple):
    """The actor of a deployment, the authority in force, and the proposal that was open before it.

    `grants_at` is the time by which grants expire; `extent` the model with its labels; `stale` why
    the proposal counts no more, empty where it does; `deciding` the job that decides which version
    serves; `refusing` the one that took this version back; `is_first` whether no version of the
    model was recorded as deployed before.
    """

    actor: str
    grants_at: int
    authority: AuthorityState
    extent: Subject
    proposed: OpenPutBack | None
    stale: str = ""
    deciding: Job | None = None
    refusing: Job | None = None
    is_first: bool = False


def is_gated(asked: JobsPart | None) -> bool:
    """Whether a policy wants versions to go live by jobs that passed their gates."""
    return asked is not None and asked.deployments == "gated"


def took_back(job: str, version: str) -> str:
    """Return why a version does not serve again that a job has taken back."""
    return f"job {job} took {version} back, so it serves again by an emergency alone"


def counting(described: Sequence[tuple[int, T]], first_served: int | None) -> list[T]:
    """Return the descriptions of a model, by position and in order, by which its gates are judged.

    The one in force when a version of it was first recorded as deployed, at `first_served`, and all
    since: another description frees a model from no gates. None where none was: the newest alone.
    """
    since = [one for at, one in described if first_served is not None and at > first_served]
    before = [one for at, one in described if first_served is None or at < first_served]
    return [*before[-1:], *since]


def gates_wanted(policy: str, described_at: int) -> str:
    """Return why versions go live by gates, where a policy is in force for a description."""
    return (
        f"policy {policy}, in force for the model as described at position {described_at}, has "
        "versions go live by jobs that pass their gates"
    )


def ground_fault(explained: Data, deployed: Data, moment: DeploymentMoment) -> str:
    """Return why a deployment may not be for the ground that is stated; empty where it may."""
    for name in ("model", "model_version", "replaces"):
        if explained[name] != deployed[name]:
            return f"its {name} is {explained[name]}, and the deployment has {deployed[name]}"
    if moment.refusing is not None and explained["basis"] != "emergency":
        return took_back(moment.refusing.name, deployed["model_version"])
    if explained["basis"] == "put_back" or explained["proposal"] is not None:
        return _put_back_fault(explained, deployed, moment)
    if explained["basis"] == "adopted":
        return _lacking(moment, DEPLOYING) or _adopted_fault(deployed, moment)
    if not explained["reason"].strip():
        return "it gives no reason"
    return _person_fault(moment) or _basis_fault(explained["basis"], deployed, moment)


def _put_back_fault(explained: Data, deployed: Data, moment: DeploymentMoment) -> str:
    proposed = moment.proposed
    if moment.deciding is not None:
        return f"job {moment.deciding.name} of the model decides which version serves"
    if proposed is None or proposed.position != explained["proposal"]:
        return f"no proposal to put a version back is open at position {explained['proposal']}"
    if moment.stale:
        return moment.stale
    if explained["basis"] != proposed.basis:
        return f"it is said to be for {explained['basis']}, and cites one for {proposed.basis}"
    if explained["reason"]:
        return "it gives a reason, and the one that it cites has its own"
    if parse_time(deployed["in_service_at"]) < proposed.made_at - SKEW_MICROS:
        return f"it was proposed at {time(proposed.made_at)}, and cannot have served before"
    wanted = proposed.put_back, proposed.in_service
    if (deployed["model_version"], deployed["replaces"]) == wanted:
        return ""
    return (
        f"it puts {deployed['model_version']} in the place of {deployed['replaces']}, and proposed "
        f"is {wanted[0]} in the place of {wanted[1]}"
    )


def _adopted_fault(deployed: Data, moment: DeploymentMoment) -> str:
    if moment.is_first:
        return ""
    return f"a version of {deployed['model']} was deployed before, so none is taken in as it was"


def _person_fault(moment: DeploymentMoment) -> str:
    if not moment.actor.startswith("users/"):
        return f"{moment.actor} is not a person"
    return _lacking(moment, DEPLOYING)


def _basis_fault(basis: str, deployed: Data, moment: DeploymentMoment) -> str:
    if basis == "emergency":
        return _lacking(moment, EMERGENCY)
    if deployed["kind"] == "reinstated":
        return ""
    return f"version {deployed['model_version']} never served, so nothing is rolled back to it"


def _lacking(moment: DeploymentMoment, action: str) -> str:
    """Return which action an actor lacks; none where callers are believed."""
    by, at = moment.authority, moment.grants_at
    if not by.began_at or by.may(moment.actor, action, at, [moment.extent]):
        return ""
    return f"{moment.actor} lacks the action {action}"
