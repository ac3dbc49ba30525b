"""The provenance of what a job deployed: an in-toto statement with SLSA's predicate, version 1.

Made of the events of a run alone. Its subjects are the artifacts that the job's executor
reported, by the newest digest of each name; the recipe, the version that served, the decision, and
the code, packages and data that the executor recorded are what it was built from, the verdicts of
its gates what else came of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ledger.events.canonical import encode
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
from ledger.jobs.environments import EnvironmentsOfReports, Ran
from ledger.jobs.lineage import Lineage
from ledger.jobs.steps import TRAINING

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:decision-ledger:build:retraining:1"
_CITED: Final = frozenset({*DECISION_TYPES, *PLAN_TYPES})
_STATED: Final = (
    ("interpreter", "interpreter"),
    ("platform", "platform"),
    ("schema_version", "schemaVersion"),
    ("features_version", "featuresVersion"),
    ("architecture", "architecture"),
    ("seed", "seed"),
    ("shuffle_sha256", "shuffleSha256"),
)
"""Members of an environment that name no file, and their names in a statement."""
_PLATFORM: Final = ("image", "interpreter", "platform")
"""Members of an environment that say on what it ran."""
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
                "buildDefinition": self._definition(deployed.position),
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

    def _environments(self, before: int) -> list[Ran]:
        """Return the environment of the newest report on each gate that has one, by position."""
        taken, found = EnvironmentsOfReports(), dict[str, Ran | None]()
        for one in self._own:
            ran = taken.take(one.position, one.type, one.data)
            if one.type == GateReported.TYPE and one.position < before:
                found[one.data["gate"]] = ran
        return sorted(ran for ran in found.values() if ran is not None)

    def _definition(self, before: int) -> Json:
        proposed = next(self._of(JobProposed.TYPE)).data
        environments = self._environments(before)
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
                "environments": [_stated(one) for one in environments],
            },
            "resolvedDependencies": [*sources, *_dependencies(environments)],
        }

    def _details(self, deployed: RecordedEvent, head: SignedHead) -> Json:
        first, *_ = (one for one in self._own if one.type == JobLeased.TYPE)
        return {
            "builder": self._builder(deployed),
            "metadata": {
                "invocationId": f"{self._ledger}/{self._lineage.run_id}/jobs/{self._job}",
                "startedOn": format_time(first.recorded_at),
                "finishedOn": format_time(deployed.recorded_at),
            },
            "byproducts": [
                *self._logs(),
                *(self._event(one, gate=one.data["gate"]) for one in self._recorded(deployed)),
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

    def _builder(self, deployed: RecordedEvent) -> Json:
        """Return who made the artifacts: the executor of the training, by which recipe and where.

        Without a training it is who reported artifacts last before they were deployed.
        """
        reports = [one for one in self._of(GateReported.TYPE) if one.position < deployed.position]
        trained = [one for one in reports if one.data["gate"] == TRAINING]
        made = [*(one for one in reports if one.data["artifacts"]), *trained][-1]
        proposed = next(self._of(JobProposed.TYPE)).data
        version = {"recipe": f"recipes/{proposed['recipe']}/versions/{proposed['recipe_version']}"}
        for ran in self._environments(deployed.position):
            if ran.data["gate"] == made.data["gate"]:
                said = {name: ran.environment[name] for name in _PLATFORM}
                version |= {name: value for name, value in said.items() if value}
        return {"id": f"{self._ledger}/{made.body.actor}", "version": version}

    def _recorded(self, deployed: RecordedEvent) -> list[RecordedEvent]:
        """Return the events that record the environments."""
        places = {one.position for one in self._environments(deployed.position)}
        return [one for one in self._own if one.position in places]

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


def _stated(ran: Ran) -> Json:
    """Return what an environment states beside files: where it is recorded, versions, chance."""
    environment = ran.environment
    said = {name: environment[member] for member, name in _STATED}
    about = {"gate": ran.data["gate"], "attempt": ran.data["attempt"]}
    return {
        **about,
        "event": f"events/{ran.position}",
        "codeChanged": environment["code_changed"],
        **{name: value for name, value in said.items() if value not in (None, "")},
    }


def _dependencies(environments: list[Ran]) -> list[Json]:
    """Return code, image, packages and data of environments, each with the gates that used it."""
    found: dict[bytes, Json] = {}
    for ran in environments:
        for one in _dependencies_of(ran.environment):
            fresh = one | {"annotations": one["annotations"] | {"gates": []}}
            kept = found.setdefault(encode(one), fresh)
            kept["annotations"]["gates"].append(ran.data["gate"])
    return list(found.values())


def _dependencies_of(environment: Mapping[str, Any]) -> Iterator[Json]:
    """Yield what an environment names by a digest, each with annotations of its own."""

    def named(name: str, digest: str, form: str = "sha256", **annotations: object) -> Json:
        return {"name": name, "digest": {form: digest}, "annotations": annotations}

    yield named("code", environment["code_sha256"])
    if environment["code_commit"]:
        yield named("code/commit", environment["code_commit"], "gitCommit")
    if environment["image"]:
        name, _, digest = environment["image"].rpartition("@sha256:")
        yield named(name, digest)
    if environment["packages_sha256"]:
        yield named("packages", environment["packages_sha256"], count=environment["packages"])
    for one in environment["snapshots"]:
        yield named(f"data/{one['name']}", one["sha256"], rows=one["rows"])
