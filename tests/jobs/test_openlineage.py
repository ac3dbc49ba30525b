"""A run as OpenLineage tells it: valid by the published schemas, readable by the project's client.

Method: runs of a ledger in one process; each event is validated by the schema of OpenLineage 2-0-2
and each of its facets by the facet's own, then read by the classes of `openlineage-python`.
"""

import json
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde
from referencing import Registry, Resource

from ledger.jobs.lineage import Lineage
from ledger.jobs.openlineage import (
    FACET_SCHEMAS,
    openlineage_events,
    openlineage_lines,
    run_uuid,
)
from tests.support.job_worlds import BOB, Working
from tests.support.paid_jobs import begun, paid_jobs
from tests.support.run_stories import decided, run_of, whole_life
from tests.support.world import ANA, HOUR, ORIGIN

SCHEMAS = [
    json.loads(path.read_text("utf-8"))
    for path in sorted(Path(__file__).with_name("openlineage").glob("*.json"))
]
REGISTRY: Registry[Any] = Registry().with_resources(
    [(one["$id"], Resource.from_contents(one)) for one in SCHEMAS]
)
FACETS = {
    "executionParameters": facet_v2.execution_parameters_run.ExecutionParametersRunFacet,
    "inputStatistics": facet_v2.input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
    "parent": facet_v2.parent_run.ParentRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "test": facet_v2.test_run.TestRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
}


@pytest.fixture
def working(tmp_path: Path) -> Working:
    return decided(tmp_path)


def lineage(working: Working, run_id: str = "") -> Lineage:
    return working.world.ledger.lineages.lineage(run_id or run_of(working))


def told(working: Working, run_id: str = "") -> list[dict[str, Any]]:
    found = lineage(working, run_id)
    lines = openlineage_lines(found, ORIGIN).decode().splitlines()
    events = [json.loads(line) for line in lines]
    assert events == list(openlineage_events(found, ORIGIN))
    for event in events:
        validate(event)
    return events


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, registry=REGISTRY, format_checker=checker)


def facets_of(event: dict[str, Any]) -> dict[str, Any]:
    found = dict(event["run"]["facets"])
    for part in (event["job"], *event["inputs"], *event.get("outputs", ())):
        found |= part["facets"] | part.get("inputFacets", {})
    return found


def validate(event: dict[str, Any]) -> None:
    """Fail unless an event is what the schemas and the client of OpenLineage know."""
    validator({"$ref": event["schemaURL"]}).validate(event)
    uuid.UUID(event["run"]["runId"])
    for name, facet in facets_of(event).items():
        assert facet["_schemaURL"] == FACET_SCHEMAS[name]
        if name in FACETS:
            validator({"$ref": facet["_schemaURL"]}).validate(facet)
            members = {key: value for key, value in facet.items() if key[0] != "_"}
            FACETS[name](**members)
    read = event_v2.RunEvent(
        eventTime=event["eventTime"],
        eventType=event_v2.RunState(event["eventType"]),
        run=event_v2.Run(event["run"]["runId"]),
        job=event_v2.Job(event["job"]["namespace"], event["job"]["name"]),
        producer=event["producer"],
    )
    again = json.loads(Serde.to_json(read))
    assert (again["eventTime"], again["run"]["runId"]) == (
        event["eventTime"], event["run"]["runId"],
    )  # fmt: skip


def states(events: list[dict[str, Any]], run_id: str) -> list[str]:
    return [one["eventType"] for one in events if one["run"]["runId"] == run_id]


def test_a_schema_refuses_what_is_no_event(working: Working) -> None:
    event = told(working)[0]
    event["run"].pop("runId")
    with pytest.raises(jsonschema.ValidationError):
        validator({"$ref": event["schemaURL"]}).validate(event)


def test_a_run_and_its_job_begin_and_end_once_with_what_went_in_and_came_out(
    working: Working,
) -> None:
    whole_life(working)
    events = told(working)
    run, job = run_uuid(ORIGIN, run_of(working)), run_uuid(ORIGIN, run_of(working), "j1")
    assert {one["run"]["runId"] for one in events} == {run, job}
    model_states, job_states = states(events, run), states(events, job)
    assert Counter(model_states)["START"] == Counter(job_states)["START"] == 1
    assert (job_states[0], job_states[-1]) == ("START", "FAIL")
    assert set(job_states[1:-1]) == {"RUNNING"}
    first = events[0]
    assert first["run"]["runId"] == run
    assert [one["name"] for one in first["inputs"]] == ["models/alpha/signals/loss"]
    of_job = [one for one in events if one["run"]["runId"] == job]
    assert all(one["run"]["facets"]["parent"]["run"]["runId"] == run for one in of_job)
    assert {one["job"]["name"] for one in of_job} == {"alpha.monthly"}
    [served] = of_job[0]["inputs"]
    assert served["facets"]["version"]["datasetVersion"] == "v1"
    [made] = [one["outputs"] for one in of_job if one["outputs"]]
    assert [(one["name"], one["facets"]["version"]["datasetVersion"]) for one in made] == [
        ("models/alpha", "v2"),
        ("models/alpha/artifacts/model.bin", "sha256:" + "5e" * 32),
    ]
    tests = [
        test for one in of_job for test in one["run"]["facets"].get("test", {"tests": []})["tests"]
    ]
    assert [(one["name"], one["status"]) for one in tests] == [
        ("data_integrity.whole", "pass"),
        ("candidate.better", "pass"),
        ("holdout.holds", "pass"),
        ("deployment", "pass"),
        ("observation.holds", "fail"),
    ]


def test_an_environment_is_told_as_engine_parameters_and_data_with_their_rows(
    working: Working,
) -> None:
    whole_life(working)
    events = told(working)
    first, second = [one for one in events if "executionParameters" in one["run"]["facets"]]
    engine = first["run"]["facets"]["processing_engine"]
    assert (engine["name"], engine["version"]) == ("CPython", "3.11.7")
    assert "processing_engine" not in second["run"]["facets"], "an image says it"
    assert parameters(first) == {
        "gate": "data_integrity", "attempt": "2", "code_commit": "5a" * 20,
        "code_changed": "false", "code_sha256": "ab" * 32, "interpreter": "CPython 3.11.7",
        "platform": "Linux", "packages": "3", "packages_sha256": "cd" * 32, "schema_version": "3",
        "features_version": "12", "architecture": "gbdt-200",
    }  # fmt: skip
    assert parameters(second)["seed"] == "7"
    assert parameters(second)["image"] == "train@sha256:" + "1a" * 32
    [read] = first["inputs"]
    assert read["name"] == "models/alpha/data/spring"
    assert read["facets"]["version"]["datasetVersion"] == "sha256:" + "5d" * 32
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 40_000


def parameters(event: dict[str, Any]) -> dict[str, str]:
    listed = event["run"]["facets"]["executionParameters"]["parameters"]
    return {one["key"]: one["value"] for one in listed}


def test_a_run_ends_with_no_action_and_later_events_are_other(working: Working) -> None:
    world = working.world
    working.propose()
    for _ in range(12):
        world.clock.advance(24 * HOUR)
        world.see("alpha", 0.3, world.clock.now_micros())
        world.settle()
    working.world.ledger.jobs.cancel(ANA, "j1", "it is well again")
    found = states(told(working), run_uuid(ORIGIN, run_of(working)))
    assert Counter(found)["COMPLETE"] == 1
    assert set(found[found.index("COMPLETE") + 1 :]) <= {"OTHER"}
    assert states(told(working), run_uuid(ORIGIN, run_of(working), "j1"))[-1] == "ABORT"


def test_the_run_of_a_job_alone_ends_with_it(working: Working) -> None:
    job = working.propose("j2", "beta")
    run_id = job.run_id or ""
    assert states(told(working, run_id), run_uuid(ORIGIN, run_id)) == ["START"]
    working.world.ledger.jobs.deny(BOB, "j2", "too dear")
    events = told(working, run_id)
    assert states(events, run_uuid(ORIGIN, run_id)) == ["START", "COMPLETE"]
    assert states(events, run_uuid(ORIGIN, run_id, "j2")) == ["START", "RUNNING", "ABORT"]
    assert [one["eventTime"] for one in events] == sorted(one["eventTime"] for one in events)


def test_money_that_is_spent_behind_the_end_is_told_as_other(sqlite_url: str) -> None:
    with paid_jobs(sqlite_url) as paid:
        token = begun(paid)
        paid.report("data_integrity", token, loss=500)
        run_id = paid.job().run_id or ""
        found = states(told(paid, run_id), run_uuid(ORIGIN, run_id))
        assert found == ["START", "RUNNING", "COMPLETE", "OTHER"]


@pytest.mark.parametrize("job", ["", "j1", "spring/2"])
def test_ids_are_those_of_version_5(job: str) -> None:
    name = f"ledger://example.com/fleet/runs/r1{'/jobs/' + job if job else ''}"
    assert run_uuid("example.com/fleet", "runs/r1", job) == str(
        uuid.uuid5(uuid.NAMESPACE_URL, name)
    )
    assert run_uuid("example.com/other", "runs/r1", job) != str(
        uuid.uuid5(uuid.NAMESPACE_URL, name)
    )
