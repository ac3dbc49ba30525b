"""A pipeline elsewhere does the work of a step: it is started once, and its report is taken back.

Method: a pipeline on loopback, asked by a worker's real steps and directly.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ledger.worker.pipeline import Pipeline, PipelineError
from tests.support.served import serving
from tests.support.worked import RECIPE, WORKER, workshop

TOLD: dict[str, Any] = {
    "ledger": "example.com/fleet", "job": "j1", "attempt": 1, "task": "candidate", "request": None,
}  # fmt: skip


class Elsewhere:
    """A pipeline that has its report after so many looks."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: list[tuple[str, str, dict[str, str], Any]] = []
        self.codes: list[int] = []
        """Answers before the true one."""
        self.looks = 1
        self.location = "/runs/1"

    def posts(self) -> list[tuple[str, str, dict[str, str], Any]]:
        return [one for one in self.came if one[0] == "POST"]

    def keys(self) -> set[str]:
        return {one[2]["Idempotency-Key"] for one in self.posts()}

    def report(self, told: dict[str, Any]) -> dict[str, Any]:
        report: dict[str, Any] = {"format": "step/1", "links": [f"{self.url}/runs/1"]}
        for where, number in (("metrics", 1), ("samples", 50), ("champion", 90), ("candidate", 40)):
            report[where] = dict.fromkeys(told.get("asked", {}).get(where, ()), number)
        if told["task"] == "training":
            report["environment"] = {
                "code_commit": None, "code_changed": False, "code_sha256": "ab" * 32,
                "image": "images.example.com/train@sha256:" + "cd" * 32, "interpreter": "",
                "platform": "", "packages": 0, "packages_sha256": None, "snapshots": [],
                "schema_version": "", "features_version": "", "architecture": "", "seed": None,
                "shuffle_sha256": None,
            }  # fmt: skip
        if told["task"] == "deployment":
            report["version"] = {"model_version": "v2", "baseline_loss": "0.4",
                                 "trained_through": "2026-01-01T00:00:00Z"}  # fmt: skip
        return report


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            made.came.append((self.command, self.path, dict(self.headers), body))
            code, found = 202, b""
            if made.codes:
                code = made.codes.pop(0)
            elif self.command == "GET":
                looks = len([one for one in made.came if one[0] == "GET"])
                started = [one[3] for one in made.came if one[0] == "POST"][-1]
                code = 200 if looks > made.looks else 404
                found = json.dumps(made.report(started)).encode() if code == 200 else b""
            self.send_response(code)
            self.send_header("Location", made.location)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Elsewhere(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def test_a_worker_has_a_job_done_by_a_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path))
    monkeypatch.setenv("PIPELINE_TOKEN", "let-me-in")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with serving(tmp_path) as served, elsewhere() as there:
        served.create()
        shop = workshop(tmp_path / "shop", served.server.address)
        argv = f"[python, -m, ledger.worker.pipeline, '{there.url}/start']"
        text = RECIPE.replace("[python, step.py]", argv).replace("MEMORY", "1 GiB")
        text = text.replace("[NOTES]", "[PIPELINE_TOKEN, PYTHONPATH]")
        with shop.client() as client:
            text = text.replace("TIME", "10m").replace("LEASE", "1h")
            drafted = client.draft_recipe("weekly", text, "because")
        with shop.client("users/bob") as client:
            client.approve_recipe("weekly", 2, drafted.version.digest)
        shop.propose("j1")
        [worked] = shop.work("one", WORKER)
        assert worked.end == "observing", worked.reason
        with served.client(actor="users/ana") as client:
            reports = client.get_job("models/fares/jobs/j1").reports
    assert [one.links for one in reports] == [(f"{there.url}/runs/1",)] * 5
    assert len(there.keys()) == len(there.posts()) == 5
    assert {one[2]["Authorization"] for one in there.came} == {"Bearer let-me-in"}


def test_a_pipeline_that_is_busy_or_away_is_asked_again() -> None:
    with elsewhere() as there:
        there.codes = [503, 429, 202, 500]
        report = json.loads(Pipeline(f"{there.url}/start", TOLD).run())
        assert report["format"] == "step/1"
        assert [one[0] for one in there.came].count("POST") == 3
        assert len(there.keys()) == 1


@pytest.mark.parametrize(
    "other",
    [{"ledger": "example.com/other"}, {"job": "j2"}, {"attempt": 2}, {"task": "training"},
     {"request": "0190"}],
)  # fmt: skip
def test_what_is_asked_for_something_else_is_a_run_of_its_own(other: dict[str, Any]) -> None:
    with elsewhere() as there:
        for told in (TOLD, TOLD | other, TOLD):
            Pipeline(f"{there.url}/start", told).run()
        first, second, third = (one[2]["Idempotency-Key"] for one in there.posts())
        assert first == third != second


@pytest.mark.parametrize("codes", [[400], [202, 410]])
def test_a_pipeline_that_refuses_is_named(codes: list[int]) -> None:
    with elsewhere() as there:
        there.codes = list(codes)
        with pytest.raises(PipelineError, match=f"answered {codes[-1]}"):
            Pipeline(f"{there.url}/start", TOLD).run()


def test_no_token_goes_to_another_host_and_none_over_an_open_wire() -> None:
    with elsewhere() as there:
        there.location = "http://127.0.0.1:1/runs/1"
        with pytest.raises(PipelineError, match="names a report on another host"):
            Pipeline(f"{there.url}/start", TOLD, "secret").run()
    with pytest.raises(PipelineError, match="neither https:// nor on loopback"):
        Pipeline("http://pipelines.example.com/start", TOLD)


def test_a_pipeline_told_to_end_is_asked_to_end() -> None:
    with elsewhere() as there:
        there.looks = 10**9
        pipeline = Pipeline(f"{there.url}/start", TOLD)
        pipeline.ended.tell()
        with pytest.raises(PipelineError, match="told to end"):
            pipeline.run()
        assert there.came[-1][:2] == ("DELETE", "/runs/1")


def test_a_step_that_waits_for_a_pipeline_loads_no_library_of_others() -> None:
    look = "import sys, ledger.worker.pipeline; print(*{one.split('.')[0] for one in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "ledger" in loaded
    assert not loaded & {"cryptography", "google", "grpc", "pydantic", "rich", "typer"}
