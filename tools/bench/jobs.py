"""Steps of jobs: people and executors call a server, each step one append with what follows."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from ledger.application.commands import Caller
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.client import LedgerClient
from ledger.client.jobs import ReportedEvidence
from tools.bench import fleet, unary
from tools.bench.rows import Peer, Row, at_least, at_most, load_average, percentile
from tools.bench.run import Run, fresh, say
from tools.bench.serving import serving

CALLERS: Final = 8
JOBS: Final = 800
_CALLS: Final = 4_000
_PERSON: Final = "users/ana"
_OTHER: Final = "users/ben"
_RECIPE: Final = """\
format: recipe/1
title: Bench
rationale: Two gates, of which the second is not passed.
run:
  argv: ["true"]
expected: {cost: 1, unit: EUR, duration: 1m}
limits: {time: 1h, memory: 1 GiB, attempts: 2, lease: 1h, heartbeat: 10m}
gates:
  - gate: data_integrity
    metrics:
      - {name: missing, unit: rows, meaning: Rows without a label.}
    criteria:
      - {name: whole, when: 'metrics["missing"] < 10', rationale: For the bench.}
  - gate: candidate
    metrics:
      - {name: loss, unit: nano, meaning: Loss on unseen rows., of: versions}
    criteria:
      - {name: better, when: 'candidate["loss"] < champion["loss"]', rationale: For the bench.}
  - gate: deployment
"""


class Stepped(NamedTuple):
    """Steps a second, the milliseconds of each, and the load meanwhile."""

    rate: float
    milliseconds: list[float]
    load: float


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    found, peer = fresh(_pass, run)
    name = f"steps of jobs, {CALLERS} callers"
    note = "propose, approve, lease, report twice: each judged in its append, the last closes"
    other = Peer(f"SubmitSignals × 1, {CALLERS} callers", peer)
    p99 = percentile(found.milliseconds, 99)
    return [
        Row("jobs", name, found.rate, "steps/s", at_least(200), other, note, found.load),
        Row("jobs", f"{name}, p99", p99, "ms", at_most(200), load=found.load),
    ]


def _pass(run: Run) -> tuple[Stepped, float]:
    database = run.path("jobs.sqlite")
    jobs = run.count(JOBS, multiple=CALLERS)
    fresh(_create, str(database), jobs)
    with serving(database, is_live=False) as server:
        say(f"{jobs} jobs")
        shares = [range(first, jobs, CALLERS) for first in range(CALLERS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(max_workers=CALLERS) as threads:
            made = [threads.submit(_work, server.address, share) for share in shares]
            samples = [sample for one in made for sample in one.result()]
        took, load = time.perf_counter() - started, load_average()

        def connect() -> LedgerClient:
            return LedgerClient(server.address, actor=fleet.MONITOR)

        say("single observations")
        calls = run.count(_CALLS, multiple=CALLERS) // CALLERS
        return Stepped(len(samples) / took, samples, load), unary.callers(
            connect, CALLERS, calls
        ).rate


def _create(database: str, jobs: int) -> None:
    """Begin a ledger with an approved recipe, and a model for each job."""
    fleet.create(database)
    with fleet.still(database) as service:
        ledger = service.ledger()
        person = Caller(_PERSON)
        for number in range(jobs):
            ledger.commands.register_model(person, fleet.registered(_model(number)))
        drafted = ledger.recipes.draft(person, "bench", _RECIPE, "for the bench")
        ledger.recipes.approve(Caller(_OTHER), ChosenRecipe("bench", drafted.version), "go")


def _model(number: int) -> str:
    return f"job-model-{number:05d}"


def _work(address: str, numbers: range) -> list[float]:
    """Take each job from its proposal to its end; return how long each step took."""
    samples: list[float] = []
    with (
        LedgerClient(address, actor=_PERSON) as person,
        LedgerClient(address, actor=_OTHER) as other,
        LedgerClient(address, actor="services/worker-1") as worker,
    ):
        for number in numbers:
            at = time.perf_counter()

            def note() -> None:
                nonlocal at
                now = time.perf_counter()
                samples.append((now - at) * 1000)
                at = now

            made = person.propose_job(_model(number), "bench", reason="It got worse.").job
            job = made.name
            note()
            other.approve_job(job, made.evidence_position)
            note()
            lease = worker.lease_job(job).job.lease
            assert lease is not None
            token = lease.token
            note()
            worker.report_gate(
                job, token, "data_integrity", ReportedEvidence(metrics={"missing": 1})
            )
            note()
            worker.report_gate(
                job,
                token,
                "candidate",
                ReportedEvidence(champion={"loss": 100}, candidate={"loss": 200}),
            )
            note()
    return samples
