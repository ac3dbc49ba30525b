"""The fleet that every section works with: 50 models with 5 signals, one policy, dense monitors.

A `data` ledger, so that a run takes no longer than the machine needs and its scores are the same on
every machine. A batch of 500 is two observations of each series, and a step of data time. The
policy scores a model again after six hours of it.
"""

from collections.abc import Iterator
from typing import Final

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.fleet.intake import ObservationRow
from ledger.application.ledger import LedgerApplication
from ledger.events.models import ModelRegistered
from ledger.events.policies import ScopePart
from ledger.events.signals import SignalDefined
from ledger.service import Service
from tools.quiet import quiet

ORIGIN: Final = "bench.example/fleet"
MONITOR: Final = "services/monitor-7"
MODELS: Final = tuple(f"model-{number:02d}" for number in range(50))
SIGNALS: Final = ("calibration", "gap-rate", "log-loss", "psi", "volume")
SERIES: Final = tuple((model, signal) for signal in SIGNALS for model in MODELS)
BATCH: Final = 500
START: Final = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
MINUTE: Final = 60_000_000
DAY: Final = 24 * 60 * MINUTE

_OWNER: Final = Caller("users/ana")
_SIGNAL_RULE: Final = (
    "    - {signal: NAME, weight: 0.2, baseline: 0.30, critical: 0.90, bucket: 1d, window: 28d,"
    " half_life: 7d, breach: 0.3, sustain: 0.5, transient: 0.2, min_buckets: 1, sample_cap: 1000,"
    " prior_samples: 50, sources_needed: 0, rationale: one of five alike}\n"
)
POLICY: Final = f"""
format: policy/1
title: Bench
rationale: five signals over 28 daily buckets each, two rules
scoring:
  kernel: bucketed/1
  combine: weighted_mean
  impact_gain: 1.0
  risk_gain: 0.5
  signals:
{"".join(_SIGNAL_RULE.replace("NAME", signal) for signal in SIGNALS)}
decision:
  procedure: rules/2
  cool_down: 24h
  rules:
    - {{id: sustained, when: 'priority >= 300000 && signals["log-loss"].sustained',
        hold: priority >= 200000, action: SCHEDULE_RETRAINING, tier: ds, rationale: it lasts}}
    - {{id: look, when: 'priority >= 100000', action: INVESTIGATE, tier: ds, rationale: it shows}}
  otherwise: {{action: NO_ACTION, tier: none}}
  error_tier: ds
planning: {{planner: excess/1, loss_signal: log-loss, candidates: all, period: 7d, half_life: 42d,
  quantile: 0.25, max_periods: 10}}
evaluation: {{interval: 6h, silence: 7d}}
tiers: [{{name: ds, route: mail, acknowledge: 24h}}]
"""


def create(database: str) -> None:
    """Begin a ledger with the fleet in service under the policy, in a database of its own."""
    with still(database) as service:
        service.create_ledger(ORIGIN, clock="data", actor="users/ana")
        _enrol(service.ledger())


def still(database: str) -> Service:
    """Return the service without evaluator and projections: what a section drives by itself."""
    return Service(quiet(database, service__evaluate=False, service__project=False))


def _enrol(ledger: LedgerApplication) -> None:
    commands = ledger.commands
    for signal in SIGNALS:
        ledger.definitions.define(
            _OWNER,
            SignalDefined(
                signal=signal,
                kind="drift",
                unit="",
                direction="higher_is_worse",
                meaning="made for the bench",
                collection="",
            ),
        )
    for model in MODELS:
        commands.register_model(_OWNER, registered(model))
        ledger.stated_deployments.record(
            _OWNER, DeploymentSpec(model, "v1", START, START - DAY, baseline_loss="0.4")
        )
    drafted = commands.draft_policy(_OWNER, "main", POLICY, "for the bench")
    everything = ScopePart(kind="ledger", model=None, labels={})
    commands.activate_policy(_OWNER, "main", drafted.version, drafted.digest, everything, "go")


def registered(model: str) -> ModelRegistered:
    """Return the description of a model of the fleet."""
    return ModelRegistered(
        model=model,
        owner="team-bench",
        tier="t2",
        labels={},
        impact_ppm=500_000,
        risk_ppm=100_000,
        slo_signal=None,
        unit_value_micros="1000000",
        cost_micros="1000000",
        recipe="",
        schema_version="",
        features_version="",
        architecture="",
        meaning="",
    )


def batches(observations: int, step: int, size: int = BATCH) -> Iterator[list[ObservationRow]]:
    """Yield batches of rows, series by series; data time moves by `step` with every 500.

    Values wander between 0.3 and 0.9 so that scores change and some models breach.
    """
    batch: list[ObservationRow] = []
    for number in range(observations):
        model, signal = SERIES[number % len(SERIES)]
        value = 0.3 + (number * 7919 % 6000) / 10_000
        observed_at = START + number // BATCH * step + number % BATCH
        batch.append((model, signal, "v1", value, observed_at, 100))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
