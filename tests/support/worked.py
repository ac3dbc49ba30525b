"""A ledger with an approved recipe whose steps really run, and workers for it.

`STEP` is the program of every step. It notes what it was asked, and does by `behaviour.json` what
a test wants of a task; else it reports numbers that pass.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ledger.client import LedgerClient
from ledger.clock import Clock, SystemClock
from ledger.worker.executor import WorkedJob, Worker, WorkerOptions
from ledger.worker.stopping import StopSignal
from tests.support.live_fleet import furnish

RECIPE: Final = """\
format: recipe/1
title: Retrain on recent rows
rationale: Small enough to follow.
run:
  argv: [python, step.py]
parameters:
  - {name: rows, value: "100", meaning: How many rows are read.}
environment: [NOTES]
outputs:
  - {name: model, meaning: What was trained.}
expected: {cost: 5, unit: EUR, duration: 1s}
limits: {time: TIME, memory: MEMORY, attempts: 3, lease: LEASE, heartbeat: 1s}
gates:
  - gate: data_integrity
    metrics:
      - {name: missing, unit: rows, meaning: Rows without a label.}
    criteria:
      - {name: whole, when: 'metrics["missing"] < 10', rationale: More was a broken feed.}
  - gate: candidate
    metrics:
      - {name: loss, unit: nano, meaning: Loss on unseen rows., of: versions}
    samples:
      - {name: rows, meaning: Rows compared.}
    criteria:
      - name: better
        when: candidate["loss"] < champion["loss"] && samples["rows"] > 0
        rationale: It has to be worth it.
  - gate: training
    metrics:
      - {name: loss, unit: nano, meaning: Loss on the rows that it learned.}
    criteria:
      - {name: learned, when: 'metrics["loss"] < 100', rationale: It has to have learned.}
  - gate: deployment
  - gate: observation
    metrics:
      - {name: loss, unit: nano, meaning: Loss in service.}
    criteria:
      - {name: holds, when: 'metrics["loss"] < 100', rationale: It has to hold in service.}
    window: 10h
"""
STEP: Final = """\
import json, os, pathlib, sys
told = json.loads(pathlib.Path(os.environ["DECISION_LEDGER_STEP"]).read_text())
task = told["task"]
notes = pathlib.Path(os.environ["NOTES"])
with (notes / "ran").open("a") as file:
    file.write(told["job"] + " " + task + "\\n")
print("The step of", task)
behaviours = notes / "behaviour.json"
behaviour = json.loads(behaviours.read_text()) if behaviours.exists() else {}
if task in behaviour and "python" in behaviour[task]:
    exec(behaviour[task]["python"])
report = {"format": "step/1", "cost_micros": 1_000_000}
asked = told["asked"]
for where, number in (("metrics", 1), ("samples", 50), ("champion", 90), ("candidate", 40)):
    report[where] = {name: number for name in asked[where]}
if task == "training":
    pathlib.Path("model.bin").write_bytes(b"weights of " + told["model"].encode())
    report["artifacts"] = {"model": "model.bin"}
    from ledger.environment import environment_record, snapshot
    report["environment"] = environment_record(
        data=[snapshot("rows", "step.py", 100)], seed=7, shuffle=range(5), schema="3")
if task == "deployment":
    assert pathlib.Path("model.bin").exists()
    report["version"] = {"model_version": "v2-" + told["job"],
                         "trained_through": "2026-01-01T00:00:00Z", "baseline_loss": "0.4"}
report |= behaviour.get(task, {}).get("report", {})
pathlib.Path(os.environ["DECISION_LEDGER_REPORT"]).write_text(json.dumps(report))
"""
ANA, BOB, WORKER = "users/ana", "users/bob", "services/worker-1"


@dataclass
class Workshop:
    """A folder with recipes, notes of what steps ran, and workers of a ledger."""

    folder: Path
    address: str
    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    on_told: Callable[[str], None] = lambda _: None
    """Is called with the name of what a worker has told."""

    @property
    def recipes(self) -> Path:
        return self.folder / "recipes"

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @property
    def ran(self) -> list[str]:
        """Every step that ran, as `JOB TASK`."""
        notes = self.notes / "ran"
        return notes.read_text().splitlines() if notes.exists() else []

    def behave(self, **tasks: Mapping[str, Any]) -> None:
        """Have steps do something else: `python` that they run first, or what they `report`."""
        (self.notes / "behaviour.json").write_text(json.dumps(tasks))

    @contextmanager
    def client(self, actor: str = ANA) -> Iterator[LedgerClient]:
        with LedgerClient(self.address, actor=actor, deadline_seconds=60.0) as client:
            yield client

    def propose(self, job: str, model: str = "fares") -> None:
        """Propose a job as one person and approve it as another."""
        with self.client() as client:
            made = client.propose_job(model, "weekly", reason="It got worse.", job_id=job)
        with self.client(BOB) as client:
            client.approve_job(made.job.name, made.job.evidence_position)

    def worker(
        self,
        client: LedgerClient,
        name: str = "one",
        clock: Clock | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Worker:
        """Return a worker with a folder of its own, which works until nothing is left."""

        def tell(event: str, sentence: str, facts: dict[str, Any]) -> None:
            self.told.append((event, sentence, facts))
            self.on_told(event)

        stated = {"is_once": True, "patience_seconds": 60.0} | options
        chosen = WorkerOptions(self.recipes, self.folder / "work" / name, **stated)
        return Worker(client, chosen, clock or SystemClock(), StopSignal(), tell)

    def work(self, name: str = "one", actor: str = WORKER) -> list[WorkedJob]:
        """Let a worker work until nothing is left."""
        with self.client(actor) as client:
            return self.worker(client, name).run()

    def files(self, job: str, attempt: int = 1, name: str = "one") -> Path:
        return self.folder / "work" / name / "jobs" / job / f"attempt-{attempt}"


def workshop(
    folder: Path,
    address: str,
    *,
    models: tuple[str, ...] = ("fares",),
    time: str = "10m",
    memory: str = "1 GiB",
    lease: str = "1h",
) -> Workshop:
    """Furnish a ledger that is there, with the recipe `weekly`, and make the folders."""
    made = Workshop(folder, address)
    (made.recipes / "weekly").mkdir(parents=True)
    (made.recipes / "weekly" / "step.py").write_text(STEP)
    made.notes.mkdir()
    text = RECIPE.replace("TIME", time).replace("MEMORY", memory).replace("LEASE", lease)
    with made.client() as client:
        furnish(client, models)
        drafted = client.draft_recipe("weekly", text, "because")
    with made.client(BOB) as client:
        client.approve_recipe("weekly", 1, drafted.version.digest)
    return made
