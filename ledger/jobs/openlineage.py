"""A run as events of OpenLineage 2-0-2: made of the ledger's events alone, without its client.

The run is a run of OpenLineage whose job is the model, and each of its retraining jobs is one below
it. Ids are UUIDs of version 5 over ledger and run, times those at which the ledger recorded: equal
events give equal bytes. A verdict is a test of its run, criterion by criterion.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.events.canonical import encode
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobClosed,
    JobDeployed,
    JobEnvironmentRecorded,
    JobProposed,
)
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import format_time
from ledger.jobs.lineage import Lineage, LineageEntry

PRODUCER: Final = "urn:decision-ledger:openlineage:1"
_SPEC: Final = "https://openlineage.io/spec"
EVENT_SCHEMA: Final = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACET_SCHEMAS: Final = {
    "executionParameters": f"{_SPEC}/facets/1-0-0/ExecutionParametersRunFacet.json"
    "#/$defs/ExecutionParametersRunFacet",
    "inputStatistics": f"{_SPEC}/facets/1-0-0/InputStatisticsInputDatasetFacet.json"
    "#/$defs/InputStatisticsInputDatasetFacet",
    "jobType": f"{_SPEC}/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "parent": f"{_SPEC}/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
    "processing_engine": f"{_SPEC}/facets/1-1-1/ProcessingEngineRunFacet.json"
    "#/$defs/ProcessingEngineRunFacet",
    "test": f"{_SPEC}/facets/1-0-1/TestRunFacet.json#/$defs/TestRunFacet",
    "version": f"{_SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json"
    "#/$defs/DatasetVersionDatasetFacet",
    "ledger_event": "urn:decision-ledger:facet:ledger-event:1",
}
_URL_NAMESPACE: Final = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")  # of RFC 9562, 6.6
_ENDS: Final = {
    "succeeded": "COMPLETE",
    "failed": "FAIL",
    "rolled_back": "FAIL",
    "denied": "ABORT",
    "cancelled": "ABORT",
    "lapsed": "ABORT",
}
Json = dict[str, Any]


def openlineage_lines(lineage: Lineage, origin: str) -> bytes:
    """Return a run as JSON lines, each an event of OpenLineage in canonical JSON."""
    return b"".join([encode(event) + b"\n" for event in openlineage_events(lineage, origin)])


def openlineage_events(lineage: Lineage, origin: str) -> Iterator[Json]:
    """Yield the events of OpenLineage that a run gives, in order of position.

    Each run begins with START. That of the model ends with the decision for no action, or with the
    end of its last job where it has no decision; scores leave no events but the first.
    """
    return _Events(lineage, origin).all()


def run_uuid(origin: str, run_id: str, job: str = "") -> str:
    """Return the id of a run, or of a job of it: a UUID of version 5."""
    name = f"ledger://{origin}/{run_id}{job and '/jobs/' + job}"
    digest = bytearray(hashlib.sha1(_URL_NAMESPACE + name.encode()).digest()[:16])  # noqa: S324
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _facet(name: str, /, **members: object) -> Json:
    return {name: {"_producer": PRODUCER, "_schemaURL": FACET_SCHEMAS[name], **members}}


class _Events:
    """Makes the events of one run."""

    def __init__(self, lineage: Lineage, origin: str) -> None:
        self._lineage = lineage
        self._origin = origin
        self._namespace = f"ledger://{origin}"
        self._recipes: dict[str, str] = {}
        self._artifacts: dict[str, dict[str, str]] = {}
        """By job, the newest digest of each artifact by name."""
        own = [one for one in lineage.entries if one.is_of_run]
        self._has_decision = any(one.event.type in DECISION_TYPES for one in own)
        self._left = {*lineage.jobs}
        self._is_over = False

    def all(self) -> Iterator[Json]:
        """Yield the events."""
        is_begun = False
        for entry in self._lineage.entries:
            if not entry.is_of_run:
                continue
            if not is_begun:
                yield self._of_model(entry, "START", inputs=self._signals())
            elif entry.event.type != ScoreComputed.TYPE and entry.event.type not in JOB_TYPES:
                yield self._of_model(entry, self._state(entry))
            if entry.event.type in JOB_TYPES and entry.event.body_bytes is not None:
                yield from self._of_job_event(entry, entry.event.data)
            is_begun = True

    def _state(self, entry: LineageEntry) -> str:
        if self._is_over:
            return "OTHER"
        is_decision = entry.event.type in DECISION_TYPES and entry.event.body_bytes is not None
        is_end = is_decision and entry.event.data["action"] == "NO_ACTION"
        self._is_over = is_end
        return "COMPLETE" if is_end else "RUNNING"

    def _of_job_event(self, entry: LineageEntry, data: Mapping[str, Any]) -> Iterator[Json]:
        job, type_ = data["job"], entry.event.type
        if type_ == JobProposed.TYPE:
            self._recipes[job] = data["recipe"]
            served = [self._version(data["serving"])] if data["serving"] else []
            yield self._of_job(entry, job, "START", inputs=served)
        elif type_ == JobClosed.TYPE:
            yield self._of_job(entry, job, _ENDS[data["outcome"]])
            self._left.discard(job)
            if not self._has_decision and not self._left:
                self._is_over = True
                yield self._of_model(entry, "COMPLETE")
        else:
            if type_ == GateReported.TYPE:
                found = {one["name"]: one["sha256"] for one in data["artifacts"]}
                self._artifacts.setdefault(job, {}).update(found)
            facets = _facet("test", tests=_tests(data)) if type_ == GateJudged.TYPE else {}
            read: list[Json] = []
            if type_ == JobEnvironmentRecorded.TYPE:
                facets = _environment_facets(data)
                read = [self._snapshot(one) for one in data["environment"]["snapshots"]]
            made = self._made(job, data) if type_ == JobDeployed.TYPE else []
            yield self._of_job(entry, job, "RUNNING", inputs=read, outputs=made, facets=facets)

    # ---- parts -----------------------------------------------------------------------------------

    def _of_model(self, entry: LineageEntry, state: str, inputs: list[Json] | None = None) -> Json:
        run_id = run_uuid(self._origin, self._lineage.run_id)
        return self._event(entry, state, run_id, self._model_job(), {}) | {"inputs": inputs or []}

    def _of_job(
        self,
        entry: LineageEntry,
        job: str,
        state: str,
        *,
        inputs: list[Json] | None = None,
        outputs: list[Json] | None = None,
        facets: Json | None = None,
    ) -> Json:
        parent = {
            "run": {"runId": run_uuid(self._origin, self._lineage.run_id)},
            "job": {"namespace": self._namespace, "name": self._lineage.model},
        }
        name = f"{self._lineage.model}.{self._recipes.get(job, job)}"
        run_id = run_uuid(self._origin, self._lineage.run_id, job)
        more = _facet("parent", **parent) | (facets or {})
        made = self._event(entry, state, run_id, self._job(name, "RETRAINING"), more)
        return made | {"inputs": inputs or [], "outputs": outputs or []}

    def _event(self, entry: LineageEntry, state: str, run_id: str, job: Json, facets: Json) -> Json:
        event = entry.event
        about = _facet(
            "ledger_event",
            ledger=self._origin,
            runId=self._lineage.run_id,
            position=event.position,
            type=event.type,
            actor="" if event.body_bytes is None else event.body.actor,
            eventHash=event.event_hash.hex(),
            text=entry.text,
        )
        return {
            "eventType": state,
            "eventTime": format_time(event.recorded_at),
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": run_id, "facets": about | facets},
            "job": job,
        }

    def _model_job(self) -> Json:
        return self._job(self._lineage.model, "MODEL")

    def _job(self, name: str, type_: str) -> Json:
        facet = _facet(
            "jobType", processingType="BATCH", integration="DECISION_LEDGER", jobType=type_
        )
        return {"namespace": self._namespace, "name": name, "facets": facet}

    def _dataset(self, name: str, version: str = "") -> Json:
        facets = _facet("version", datasetVersion=version) if version else {}
        found = f"models/{self._lineage.model}{name}"
        return {"namespace": self._namespace, "name": found, "facets": facets}

    def _signals(self) -> list[Json]:
        """Return the signals whose observations the first score counted."""
        names = {
            one.event.data["signal"]
            for one in self._lineage.entries
            if one.event.type in OBSERVED_TYPES and one.event.body_bytes is not None
        }
        return [self._dataset(f"/signals/{name}") for name in sorted(names)]

    def _snapshot(self, one: Mapping[str, Any]) -> Json:
        """Return data that a step read, by their digest, with how many rows they have."""
        found = self._dataset(f"/data/{one['name']}", f"sha256:{one['sha256']}")
        return found | {"inputFacets": _facet("inputStatistics", rowCount=one["rows"])}

    def _version(self, version: str) -> Json:
        return self._dataset("", version)

    def _made(self, job: str, data: Mapping[str, Any]) -> list[Json]:
        """Return the version that a job deployed, and what it left."""
        found = sorted(self._artifacts.get(job, {}).items())
        artifacts = [
            self._dataset(f"/artifacts/{name}", f"sha256:{digest}") for name, digest in found
        ]
        return [self._version(data["model_version"]), *artifacts]


def _environment_facets(data: Mapping[str, Any]) -> Json:
    """Return the interpreter as the engine of a run, and all else that was recorded of a step."""
    environment = data["environment"]
    said = {"gate": data["gate"], "attempt": data["attempt"], **environment}
    parameters = [
        {"key": name, "value": value if isinstance(value, str) else encode(value).decode()}
        for name, value in sorted(said.items())
        if name != "snapshots" and value not in (None, "")
    ]
    facets = _facet("executionParameters", parameters=parameters)
    name, _, version = environment["interpreter"].rpartition(" ")
    if version:
        engine = {"name": name} if name else {}
        facets |= _facet("processing_engine", version=version, **engine)
    return facets


def _tests(data: Mapping[str, Any]) -> list[Json]:
    """Return a verdict as tests: each criterion, or the gate itself where it has none."""
    gate = data["gate"]
    status = {True: "pass", False: "fail"}
    if not data["criteria"]:
        return [_test(gate, gate, status[data["is_passed"]])]
    return [
        _test(f"{gate}.{one['name']}", gate, status[one["is_met"]])
        | {"description": one["sentence"], "content": one["when"], "contentType": "expression"}
        for one in data["criteria"]
    ]


def _test(name: str, gate: str, status: str) -> Json:
    return {"name": name, "type": gate, "status": status, "severity": "error"}
