"""Versions that went into service: how each came there, and why.

A job deploys its version and may take it back; all else is stated by a caller, who says on which
ground where the policy asks for it. The event that says so is recorded right behind the deployment.
"""

from dataclasses import dataclass
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events.facts import Fact, readable
from ledger.events.jobs import JobDeployed, JobRolledBack
from ledger.events.models import DeploymentExplained, ModelDeployed
from ledger.events.reuse import RollBackAsked
from ledger.events.values import parse_time

JOB: Final = "a job"
RETURN: Final = "the roll-back of a job"
STATED: Final = "stated"
BASES: Final = {
    "put_back": "put back by a proposal",
    "roll_back": "rolled back by a person",
    "emergency": "an emergency",
    "adopted": "taken in as the first on record",
}
"""The words for each ground of a deployment that no job made."""
_TYPES: Final = (
    ModelDeployed.TYPE,
    DeploymentExplained.TYPE,
    JobDeployed.TYPE,
    JobRolledBack.TYPE,
    RollBackAsked.TYPE,
)


@dataclass(slots=True)
class RecordedDeployment:
    """A version that went into service, with what is recorded right behind it."""

    fact: Fact
    data: dict[str, Any]
    basis: str = STATED
    job: str | None = None
    proposal: int | None = None
    reason: str | None = None
    asked: Fact | None = None
    """The request of a person that it carries out."""
    before: "RecordedDeployment | None" = None
    """The one of its model that served until then, by the times from which they serve."""
    after: "RecordedDeployment | None" = None

    @property
    def in_service_at(self) -> int:
        """From when it serves."""
        return parse_time(self.data["in_service_at"])

    @property
    def in_service_order(self) -> tuple[int, int]:
        """Its place among the deployments of its model: the last one serves."""
        return self.in_service_at, self.fact.position

    def explain(self, fact: Fact, data: dict[str, Any], asked: dict[int, Fact]) -> None:
        """Take in what is recorded right behind it; `asked` by position."""
        if fact.type == DeploymentExplained.TYPE:
            self.basis = BASES[data["basis"]]
            self.proposal, self.reason = data["proposal"], data["reason"] or None
            self.asked = asked.get(self.proposal or 0)
            if self.asked is not None and self.asked.data is not None:
                self.reason = self.asked.data["reason"]
        else:
            self.basis = JOB if fact.type == JobDeployed.TYPE else RETURN
            self.job = data["job"]


def recorded_deployments(source: FactSource) -> list[RecordedDeployment]:
    """Return every deployment whose body is there, in order of position."""
    found: list[RecordedDeployment] = []
    asked: dict[int, Fact] = {}
    for fact, data in readable(source.facts(_TYPES)):
        if fact.type == ModelDeployed.TYPE:
            found.append(RecordedDeployment(fact, data))
        elif fact.type == RollBackAsked.TYPE:
            asked[fact.position] = fact
        elif found and found[-1].fact.position == fact.position - 1:
            found[-1].explain(fact, data, asked)
    newest: dict[str, RecordedDeployment] = {}
    for one in sorted(found, key=lambda one: one.in_service_order):
        one.before = newest.get(one.data["model"])
        if one.before is not None:
            one.before.after = one
        newest[one.data["model"]] = one
    return found


def deployments_table(source: FactSource, scope: FactFilter) -> Table:
    """Return every deployment in the period."""
    records = (
        one.fact.record
        | {
            "decision_position": one.fact.causation_position,
            "basis": one.basis,
            "job": one.job,
            "proposal": one.proposal,
            "asked_by": None if one.asked is None else one.asked.actor,
            "reason": one.reason,
        }
        for one in recorded_deployments(source)
        if scope.takes(one.fact) and scope.has_model(one.data["model"])
    )
    return table_of(
        "deployments",
        "Versions that went into service",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("actor", "text", "who recorded it"),
            ("model", "text", "which model"),
            ("model_version", "text", "which version"),
            ("kind", "text", "trained, or reinstated"),
            ("in_service_at", "time", "when it went into service"),
            ("trained_through", "time", "time of its newest training data"),
            ("baseline_loss", "decimal", "its loss as seen in training"),
            ("replaces", "text", "the version before it"),
            ("basis", "text", "how it came: by a job, on which ground, or stated without one"),
            ("job", "text", "the job that deployed it, or whose version it took the place of"),
            ("proposal", "integer", "the proposal, or what a person asked, that it carries out"),
            ("asked_by", "text", "the person who asked for that; empty where none did"),
            ("reason", "prose", "why, in the words of the person who rolled back"),
            ("decision_position", "integer", "the decision that it followed from"),
            ("run_id", "text", "the run it belongs to"),
        ),
        records,
        page=(
            ("Recorded", ("recorded_at", "position")),
            ("Model", ("model",)),
            ("Version", ("model_version", "kind", "replaces")),
            ("In service", ("in_service_at", "trained_through")),
            ("Loss", ("baseline_loss",)),
            ("Ground", ("basis", "job", "proposal", "asked_by", "reason")),
            ("By", ("actor", "decision_position", "run_id")),
        ),
    )
