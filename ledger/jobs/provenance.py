"""The provenance of what a job deployed: an in-toto statement with SLSA's predicate, version 1.

Made of the events of a run alone. Its subjects are the artifacts that the job's executor
reported, by the newest digest of each name; the recipe, the version that served and the decision
are what it was built from, the verdicts of its gates what else came of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ledger.events.decisions import DECISION_TYPES
from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobDeployed,
    JobLeased,
    JobProposed,
)
from ledger.events.plans import PLAN_TYPES
from ledger.events.values import format_time
from ledger.jobs.lineage import Lineage

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:decision-ledger:build:retraining:1"
_CITED: Final = frozenset({*DECISION_TYPES, *PLAN_TYPES})
Json = dict[str, Any]


class ProvenanceError(ValueError):
    """Why there is no provenance of a job, as a clause."""


class SignedHead(NamedTuple):
    """A signed head of the ledger that holds the events: its size, and its note."""

    size: int
    note: str


def statement(lineage: Lineage, job: str, origin: str, head: SignedHead) -> Json:
    """Return the statement about what a job deployed; ProvenanceError where there is none."""
    return _JobEvents(lineage, job, origin).statement(head)


class _JobEvents:
    """The events of one job of a run, as a statement needs them."""

    def __init__(self, lineage: Lineage, job: str, origin: str) -> None:
        self._lineage = lineage
        self._job = job
        self._ledger = f"ledger://{origin}"
        own = [one.event for one in lineage.entries if one.event.stream == f"jobs/{job}"]
        if any(one.body_bytes is None for one in own):
            raise ProvenanceError("the body of one of its events is not there")
        self._own = [one for one in own if one.type in JOB_TYPES]

    def statement(self, head: SignedHead) -> Json:
        """Return the statement."""
        deployed = next(self._of(JobDeployed.TYPE), None)
        if deployed is None:
            raise ProvenanceError("it has deployed nothing")
        subjects = list(self._subjects(deployed.position))
        if not subjects:
            raise ProvenanceError("its executor reported no artifact before it deployed")
        return {
            "_type": STATEMENT,
            "subject": subjects,
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": self._definition(next(self._of(JobProposed.TYPE)).data),
                "runDetails": self._details(deployed, head),
            },
        }

    def _of(self, type_: str) -> Iterator[RecordedEvent]:
        return (one for one in self._own if one.type == type_)

    def _subjects(self, before: int) -> Iterator[Json]:
        newest: dict[str, str] = {}
        for one in self._of(GateReported.TYPE):
            if one.position < before:
                newest |= {each["name"]: each["sha256"] for each in one.data["artifacts"]}
        for name, digest in sorted(newest.items()):
            yield {"name": name, "digest": {"sha256": digest}}

    def _definition(self, proposed: Mapping[str, Any]) -> Json:
        recipe = f"recipes/{proposed['recipe']}/versions/{proposed['recipe_version']}"
        sources = [
            {
                "name": recipe,
                "uri": f"{self._ledger}/{recipe}",
                "digest": {"sha256": proposed["recipe_digest"]},
            }
        ]
        if proposed["serving"]:
            served = f"models/{proposed['model']}/versions/{proposed['serving']}"
            sources.append({"name": served, "uri": f"{self._ledger}/{served}"})
        cited = {proposed["plan"], proposed["decision"]}
        sources += [
            self._event(entry.event, text=entry.text)
            for entry in self._lineage.entries
            if entry.event.position in cited and entry.event.type in _CITED
        ]
        return {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "model": proposed["model"],
                "recipe": proposed["recipe"],
                "recipeVersion": proposed["recipe_version"],
                "job": self._job,
                "reason": proposed["reason"],
            },
            "internalParameters": {
                "gates": [one["gate"] for one in proposed["gates"]],
                "limits": dict(proposed["limits"]),
                "expected": dict(proposed["expected"]),
            },
            "resolvedDependencies": sources,
        }

    def _details(self, deployed: RecordedEvent, head: SignedHead) -> Json:
        first, *_ = (one for one in self._own if one.type == JobLeased.TYPE)
        return {
            "builder": {"id": f"{self._ledger}/{deployed.body.actor}"},
            "metadata": {
                "invocationId": f"{self._ledger}/{self._lineage.run_id}/jobs/{self._job}",
                "startedOn": format_time(first.recorded_at),
                "finishedOn": format_time(deployed.recorded_at),
            },
            "byproducts": [
                *self._logs(),
                *(self._verdict(one) for one in self._of(GateJudged.TYPE)),
                self._event(deployed, modelVersion=deployed.data["model_version"]),
                {
                    "name": "checkpoint",
                    "uri": f"{self._ledger}/checkpoints/{head.size}",
                    "mediaType": "text/plain",
                    "annotations": {"size": head.size, "note": head.note},
                },
            ],
        }

    def _logs(self) -> Iterator[Json]:
        for one in self._of(GateReported.TYPE):
            if one.data["log_sha256"]:
                name = f"logs/{one.data['gate']}"
                yield {"name": name, "digest": {"sha256": one.data["log_sha256"]}}

    def _verdict(self, event: RecordedEvent) -> Json:
        data = event.data
        said = [one["sentence"] for one in data["criteria"]]
        return self._event(event, gate=data["gate"], isPassed=data["is_passed"], criteria=said)

    def _event(self, event: RecordedEvent, **annotations: object) -> Json:
        """Return an event of the ledger by its hash in the chain."""
        return {
            "name": f"events/{event.position}",
            "uri": f"{self._ledger}/events/{event.position}",
            "digest": {"sha256": event.event_hash.hex()},
            "annotations": {"type": event.type, **annotations},
        }
