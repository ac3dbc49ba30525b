"""A run is shown from the command line as a tree, as JSON and as a page."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.client import LedgerRefusedError
from ledger.client.jobs import Artifact, ReportedEvidence
from ledger.compliance.run_page import branches, run_notes, tree_lines
from ledger.v1 import run_service_pb2 as pb
from ledger.v1.run_service_pb2_grpc import RunServiceStub
from tests.cli.conftest import against
from tests.support.job_worlds import RECIPE
from tests.support.live_fleet import START, furnish
from tests.support.served import TIMEOUT, Served, refused, serving

NAMED = "models/fares/jobs/j1"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server with a job that waits for its executor."""
    with serving(tmp_path) as found:
        found.create()
        with found.client(actor="users/ana") as client:
            furnish(client, ("fares", "hotels"))
            made = client.draft_recipe("weekly", RECIPE, "because")
        with found.client(actor="users/bob") as client:
            client.approve_recipe("weekly", 1, made.version.digest)
        with found.client(actor="users/ana") as client:
            client.propose_job("fares", "weekly", reason="<b>it</b> got worse", job_id="j1")
        with found.client(actor="users/bob") as client:
            client.approve_job(NAMED, client.get_job(NAMED).job.position, note="fine")
        yield found


def test_a_run_is_shown_as_a_tree_by_its_id_or_by_a_job(served: Served, tmp_path: Path) -> None:
    cli = against(served)
    shown = cli("run", "show", "--job", "j1")
    title, proposed, approved = shown.out.splitlines()
    run_id = title.partition(" ")[0]
    assert title == f"{run_id} of fares"
    assert proposed.startswith("└─ users/ana proposed job j1 by weekly version 1 under ")
    assert " by the recipe alone: <b>it</b> got worse. (position " in proposed
    assert approved.startswith("   └─ users/bob approved that it begins: fine. (position ")
    assert "2 events up to position " in shown.err
    page = tmp_path / "pages" / "run.html"
    by_id = cli("run", "show", run_id, "--html", str(page))
    assert by_id.out == shown.out
    assert f"Wrote {page}." in by_id.err
    text = page.read_text("utf-8")
    assert "&lt;b&gt;it&lt;/b&gt; got worse" in text
    assert "<b>it" not in text
    assert cli("run", "show", run_id.removeprefix("runs/")).out == shown.out
    assert cli("run", "show", "--job", NAMED).out == shown.out
    plain = json.loads(cli("run", "show", run_id, "--json").out)
    assert (plain["run_id"], plain["model"], plain["jobs"]) == (run_id, "fares", ["j1"])
    assert [one["type"] for one in plain["entries"]] == ["job.proposed.v1", "job.approved.v1"]
    assert plain["entries"][1]["parent_position"] == plain["entries"][0]["position"]


def test_a_run_is_told_to_readers_of_openlineage_one_event_a_line(served: Served) -> None:
    told = against(served)("run", "show", "--job", "j1", "--openlineage")
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [(one["eventType"], one["job"]["name"]) for one in events] == [
        ("START", "fares"), ("START", "fares.weekly"), ("RUNNING", "fares.weekly"),
    ]  # fmt: skip
    runs = RunServiceStub(served.channel)
    request = pb.GetRunDocumentRequest(name=NAMED)
    assert refused(lambda: runs.GetRunDocument(request, timeout=TIMEOUT)).reason == "FIELD_INVALID"
    with served.client() as client:
        found = client.get_run_document(NAMED, "openlineage")
    assert found.document.decode() == told.out
    assert found.media_type == "application/x-ndjson"


def test_what_a_job_deployed_is_stated_under_the_ledger_s_key(
    served: Served, tmp_path: Path
) -> None:
    cli, artifact = against(served), tmp_path / "model.bin"
    artifact.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    with served.client(actor="services/worker-1") as worker:
        lease = worker.lease_job(NAMED).job.lease
        assert lease is not None
        refused_yet = cli("run", "show", "--job", "j1", "--provenance")
        assert "cannot be attested: it has deployed nothing" in refused_yet.err
        missing = ReportedEvidence(metrics={"missing": 1}, artifacts=(Artifact("model", digest),))
        worker.report_gate(NAMED, lease.token, "data-integrity", missing)
        compared = ReportedEvidence(champion={"loss": 100}, candidate={"loss": 1})
        worker.report_gate(NAMED, lease.token, "candidate", compared)
        worker.report_gate(NAMED, lease.token, "holdout", ReportedEvidence(metrics={"loss": 7}))
        worker.deploy_job_version(
            NAMED, lease.token, "v2", in_service_at=START, trained_through=START, baseline_loss=0.3
        )
    told = cli("run", "show", "--job", "j1", "--provenance")
    statement = tmp_path / "statement.json"
    statement.write_text(told.out)
    key = cli("vkey").out.strip()
    verified = cli("run", "verify", str(statement), "--vkey", key, "--artifact", str(artifact))
    assert f"artifact  model sha256:{digest}" in verified.out
    assert "executor  services/worker-1" in verified.out
    assert "The ledger's key has signed this. Compared: model." in verified.err
    as_json = cli("run", "verify", str(statement), "--vkey", key, "--json").json
    assert (as_json["job"], as_json["model"]) == ("j1", "fares")
    artifact.write_bytes(b"others")
    other = cli("run", "verify", str(statement), "--vkey", key, "--artifact", str(artifact))
    assert other.code == 4
    assert "is none of the artifacts" in other.err
    statement.write_text(told.out.replace("signatures", "Signatures"))
    broken = cli("run", "verify", str(statement), "--vkey", key)
    assert broken.code == 4
    assert "its members are not those of an envelope" in broken.err
    assert cli("run", "verify", str(statement)).code == 2
    both = cli("run", "show", "--job", "j1", "--provenance", "--openlineage")
    assert both.code == 2


def test_the_confidence_report_of_a_job_is_shown_written_and_named_by_its_digest(
    served: Served, tmp_path: Path
) -> None:
    cli, page = against(served), tmp_path / "report.html"
    shown = cli("job", "report", "j1", "--html", str(page))
    assert shown.out.startswith("Job j1 of fares: ready\n")
    assert "  Candidate: the job did not come so far.\n" in shown.out
    assert "As of " in shown.err
    assert "Candidate: the job did not come so far." in page.read_text("utf-8")
    plain = cli("job", "report", NAMED, "--json").json
    assert plain["report"]["format"] == "job-report/1"
    with served.client() as client:
        document = client.get_run_document(NAMED, "report").document
    assert plain["digest"] == hashlib.sha256(document).hexdigest()
    assert f"digest     {plain['digest']}" in shown.out
    assert "No job j9 was proposed." in cli("job", "report", "j9").err
    key = cli("vkey").out.strip()
    for name, options in (("whole", ()), ("stream", ("--stream", "jobs/j1"))):
        bundle = tmp_path / name
        assert cli("export", "create", str(bundle), *options, "--vkey", key).code == 0
        of_bundle = cli("job", "report", "j1", "--bundle", str(bundle), "--vkey", key, "--json")
        assert of_bundle.json == plain
        lacking = cli("job", "report", "j9", "--bundle", str(bundle))
        assert "does not have the proposal of a job j9" in lacking.err
    assert cli("job", "report", "j1", "--vkey", key).code == 2


def test_what_names_no_run_is_told_what_to_do(served: Served) -> None:
    cli = against(served)
    for named in ((), ("runs/none", "--job", "j1")):
        misused = cli("run", "show", *named)
        assert misused.code == 2
        assert "Name either a run or a job of it." in misused.err
    assert "No job j9 was proposed." in cli("run", "show", "--job", "j9").err
    unknown = cli("run", "show", "runs/none")
    assert "No event names the run 'runs/none'." in unknown.err
    assert unknown.code == 1


def test_a_run_comes_in_pages_as_of_one_position(served: Served) -> None:
    runs = RunServiceStub(served.channel)
    first = runs.GetRun(pb.GetRunRequest(name=NAMED, page_size=1), timeout=TIMEOUT)
    assert (len(first.entries), first.is_whole, list(first.jobs)) == (1, True, ["j1"])
    with served.client(actor="services/worker-1") as worker:
        worker.lease_job(NAMED)
        asked = pb.GetRunRequest(name=NAMED, page_size=1, page_token=first.next_page_token)
        second = runs.GetRun(asked, timeout=TIMEOUT)
        assert [one.type for one in second.entries] == ["job.approved.v1"]
        assert (second.as_of, second.next_page_token) == (first.as_of, "")
        whole = worker.get_run(first.run_id)
        assert [one.type for one in whole.entries] == [
            "job.proposed.v1", "job.approved.v1", "job.leased.v1",
        ]  # fmt: skip
        assert all(one.is_of_run for one in whole.entries)
        hashes = {one.position: one.event_hash for one in worker.list_events()}
        assert all(hashes[one.position] == one.event_hash for one in whole.entries)
        with pytest.raises(LedgerRefusedError) as of_another:
            worker.get_run("models/hotels/jobs/j1")
        assert of_another.value.reason == "JOB_UNKNOWN"
    for name in ("", "runs/", "jobs/j1", "models/fares/jobs/", "models/fares"):
        request = pb.GetRunRequest(name=name)
        assert refused(lambda: runs.GetRun(request, timeout=TIMEOUT)).reason == "FIELD_INVALID"  # noqa: B023


def entry(position: int, parent: int, type_: str) -> dict[str, object]:
    return {
        "position": position,
        "parent_position": parent,
        "type": type_,
        "recorded_at": "2026-03-01T00:00:00.000000Z",
        "text": f"{type_} {position}.",
    }


def test_many_events_alike_are_told_by_the_first_and_the_last() -> None:
    scores = [entry(at, 0, "score") for at in range(1, 7)]
    run = {"entries": [*scores, entry(7, 6, "decision")], "is_whole": True, "as_of": 9}
    assert [line.partition(" (")[0] for line in tree_lines(branches(run))] == [
        "├─ score 1.",
        "├─ … and 3 more of these, until:",
        "├─ score 5.",
        "└─ score 6.",
        "   └─ decision 7.",
    ]
    assert run_notes(run) == "7 events up to position 9."
    cut = run_notes(run | {"is_whole": False})
    assert cut == "The first 7 events, up to position 7: what came after that is not shown."
