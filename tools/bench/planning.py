"""How long a plan takes: its arithmetic over a large fleet, MakePlan in a ledger, a replay."""

import time
from typing import Final, NamedTuple

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.events.policies import ScopePart
from ledger.kernel.excess import PeriodCell, PlanInputs, PlanModel, PlannerPolicy, plan
from tools.bench import fleet
from tools.bench.rows import Peer, Row, at_most, load_average, median
from tools.bench.run import Progress, Run, fresh, say

MODELS: Final = 10_000
PERIODS: Final = 52
_ROUNDS: Final = 3
_WEEK: Final = 7 * fleet.DAY
_JOB_MICROS: Final = 1_000_000
_OWNER: Final = Caller("users/ana")
_POLICY: Final = """
format: policy/2
title: Plans of the bench
rationale: one signal, and the planner that new policies get
scoring:
  kernel: bucketed/1
  combine: weighted_mean
  impact_gain: 1.0
  risk_gain: 0.5
  signals:
    - {signal: log-loss, weight: 1.0, baseline: 0.30, critical: 0.90, bucket: 1d, window: 28d,
       half_life: 7d, breach: 0.3, sustain: 0.5, transient: 0.2, min_buckets: 1, sample_cap: 1000,
       prior_samples: 50, sources_needed: 0, rationale: {weight: alone, thresholds: made up}}
decision:
  procedure: rules/2
  cool_down: 24h
  rules:
    - {id: look, when: 'priority >= 100000', action: INVESTIGATE, tier: ds, rationale: it shows}
  otherwise: {action: NO_ACTION, tier: none}
  error_tier: ds
planning: {planner: excess/2, loss_signal: log-loss, candidates: all, period: 7d, max_periods: 512}
evaluation: {interval: 6h, silence: 7d}
tiers: [{name: ds, route: mail, acknowledge: 24h}]
"""


class Planned(NamedTuple):
    """Seconds that a plan of a ledger took to make and to replay, and the load meanwhile.

    `worked`: those of the processor for making it, which a busy machine changes less.
    """

    made: float
    worked: float
    replayed: float
    load: float


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    models = run.count(MODELS)
    arithmetic, visit, load = fresh(_arithmetic, models)
    read_models, read_periods = run.count(run.planned[0]), run.planned[1]
    planned = fresh(_planned, run, read_models, read_periods)
    of_ledger = "MakePlan: the fleet read, ranked, recorded"
    return [
        Row(
            "planning",
            "arithmetic of a plan over a large fleet",
            arithmetic,
            "s",
            at_most(2),
            Peer("one visit to each cell", visit),
            f"{models:,} models × {PERIODS} periods",
            load,
        ),
        Row(
            "planning",
            of_ledger,
            planned.made,
            "s",
            None,
            Peer("its arithmetic alone", fresh(_arithmetic, read_models, read_periods)[0]),
            f"{read_models:,} models × {read_periods} periods",
            planned.load,
        ),
        Row(
            "planning",
            "processor time of that plan",
            planned.worked,
            "s",
            None,
            Peer(of_ledger, planned.made),
            f"{planned.worked / read_models * 1_000:.2f} ms a model",
            planned.load,
        ),
        Row(
            "planning",
            "replay of that plan",
            planned.replayed,
            "s",
            None,
            Peer(of_ledger, planned.made),
            load=planned.load,
        ),
    ]


def _arithmetic(models: int, periods: int = PERIODS) -> tuple[float, float, float]:
    """Return seconds of the planner, and of one visit to each cell that it reads."""
    inputs = _inputs(models, periods)
    plan(inputs)
    took, visits = [], []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        plan(inputs)
        took.append(time.perf_counter() - started)
        started = time.perf_counter()
        rows = 0
        for cells in inputs.periods.values():
            for cell in cells.values():
                rows += cell.rows
        visits.append(time.perf_counter() - started)
        assert rows
    return median(took), median(visits), load_average()


def _inputs(models: int, periods: int) -> PlanInputs:
    names = [f"model-{number:05d}" for number in range(models)]
    policy = PlannerPolicy(
        period_seconds=604_800, half_life_seconds=9 * 604_800, max_periods=512,
        quantile_ppm=500_000, probe_ppm=100_000,
    )  # fmt: skip
    known = tuple(
        PlanModel(name, number % 7, 400_000_000, 1_000_000, _JOB_MICROS)
        for number, name in enumerate(names)
    )
    cells = {
        period: {
            name: PeriodCell(100, 350_000_000 + (number * 7919 + period * 104_729) % 200_000_000,
                             400_000_000)
            for number, name in enumerate(names)
        }
        for period in range(1, periods + 1)
    }  # fmt: skip
    budget = models // 50 * _JOB_MICROS
    return PlanInputs(policy, periods, budget, 4 * budget, None, known, cells)


def _planned(run: Run, models: int, periods: int) -> Planned:
    """Make plans of a ledger whose models each have an observation in each period, and replay."""
    database = str(run.path("planning.sqlite"))
    fleet.create(database)
    with fleet.still(database) as service:
        ledger = service.ledger()
        drafted = ledger.commands.draft_policy(_OWNER, "plans", _POLICY, "for plans")
        everything = ScopePart(kind="ledger", model=None, labels={})
        ledger.commands.activate_policy(
            _OWNER, "plans", drafted.version, drafted.digest, everything, "go"
        )
        names = [f"planned-{number:05d}" for number in range(models)]
        progress = Progress("registering", models)
        for number, name in enumerate(names):
            ledger.commands.register_model(_OWNER, fleet.registered(name))
            ledger.stated_deployments.record(
                _OWNER, DeploymentSpec(name, "v1", fleet.START, fleet.START - fleet.DAY, "0.4")
            )
            progress.reach(number)
        rows = [
            (name, "log-loss", "v1", 0.3 + (number * 7919 + period) % 6_000 / 10_000,
             fleet.START + period * _WEEK + number, 100)
            for period in range(periods)
            for number, name in enumerate(names)
        ]  # fmt: skip
        for begin in range(0, len(rows), fleet.BATCH):
            ledger.intake.submit(Caller(fleet.MONITOR), rows[begin : begin + fleet.BATCH]).result()
        made, worked, replayed = [], [], []
        for number in range(_ROUNDS):
            say(f"plan {number + 1} of {_ROUNDS}")
            started, began = time.perf_counter(), time.process_time()
            budget = 100 * _JOB_MICROS
            _, event = ledger.plans.make(
                _OWNER, policy="", budget_micros=budget, budget_cap_micros=budget
            )
            made.append(time.perf_counter() - started)
            worked.append(time.process_time() - began)
            started = time.perf_counter()
            result = ledger.replayer.replay(event.position)
            replayed.append(time.perf_counter() - started)
            assert result.outcome == "IDENTICAL", result
        return Planned(median(made), median(worked), median(replayed), load_average())
