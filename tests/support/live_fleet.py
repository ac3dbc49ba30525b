"""A small fleet set up over gRPC, and an endless supply of observations about it.

Every request of the set-up has an id of its own, so it may be repeated by a caller that does not
know how far an earlier attempt came. The ledger's clock is `data`: each observation moves it half
an hour, so the evaluator always has something to do.
"""

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ledger.client import LedgerClient, Model, Signal

ORIGIN = "ledger.example/fleet"
MODELS = ("m0", "m1", "m2", "m3")
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=30)
POLICY = """
format: policy/1
title: Fleet
rationale: Loss alone decides.
scoring:
  kernel: bucketed/1
  combine: weighted_mean
  impact_gain: 1.0
  risk_gain: 0.5
  signals:
    - {signal: log-loss, weight: 1.0, baseline: 0.40, critical: 0.60, bucket: 1d, window: 28d,
       half_life: 7d, breach: 0.3, sustain: 0.5, transient: 0.2, min_buckets: 1, sample_cap: 1000,
       prior_samples: 50, sources_needed: 0, rationale: What is lost is what counts.}
decision:
  procedure: rules/2
  cool_down: 0s
  rules:
    - {id: high, when: priority >= 400000, hold: priority >= 300000,
       action: SCHEDULE_RETRAINING, tier: ds, rationale: It is bad.}
    - {id: middle, when: priority >= 100000, action: INVESTIGATE, tier: ds, rationale: Look.}
  otherwise: {action: NO_ACTION, tier: none}
  error_tier: ds
planning: {planner: excess/1, loss_signal: log-loss, candidates: all, period: 7d, half_life: 42d,
  quantile: 0.25, max_periods: 10}
evaluation: {interval: 1h, silence: 12h}
tiers: [{name: ds, route: mail, acknowledge: 24h}]
"""

Row = tuple[str, str, float, datetime, str, int]
"""Model, signal, value, observed_at, model version, sample size, as the client takes them."""


def add_model(client: LedgerClient, name: str) -> None:
    """Register a model and put a version into service."""
    model = Model(
        model=name,
        owner="team-fares",
        tier="high",
        labels={"region": "east"},
        impact_ppm=500_000,
        unit_value_micros=2_000_000,
        cost_micros=50_000_000,
    )
    client.register_model(model, request_id=f"register-{name}")
    client.record_deployment(
        name,
        "v1",
        in_service_at=START,
        trained_through=START - timedelta(days=1),
        baseline_loss="0.4",
        request_id=f"deploy-{name}",
    )


def furnish(
    client: LedgerClient,
    models: Sequence[str] = MODELS,
    *,
    signals: Sequence[str] = ("log-loss",),
    policy: str = "fleet",
    document: str = POLICY,
) -> None:
    """Define signals, put models into service and a policy in force; or find them so."""
    for name in signals:
        signal = Signal(name, "PERFORMANCE", "nats", "HIGHER_IS_WORSE", "How wrong it is.")
        client.define_signal(signal, request_id=f"define-{name}")
    for name in models:
        add_model(client, name)
    draft = client.draft_policy(policy, document, "to begin with", request_id="draft")
    client.activate_policy(policy, draft.version.version, "to begin with", request_id="activate")


def prepare(client: LedgerClient) -> None:
    """Create the ledger and furnish it; or find it so."""
    client.create_ledger(ORIGIN, clock="data", request_id="create")
    furnish(client)


class Observed:
    """Batches of observations, each later than all before it. Safe between threads."""

    def __init__(
        self, models: Sequence[str] = MODELS, *, after: int = 0, step: timedelta = STEP
    ) -> None:
        """`after` so many steps that passed before; a step is half an hour unless stated.

        Where several senders draw far ahead of each other, steps must be short: a ledger of the
        clock `data` takes no leaps.
        """
        self._step = step
        self._models = itertools.cycle(models)
        self._numbers = itertools.count(after + 1)
        self._lock = threading.Lock()

    def rows(self, count: int) -> list[Row]:
        """Return a batch; losses wander between good and bad, so that decisions change."""
        with self._lock:
            return [self._row(next(self._numbers)) for _ in range(count)]

    def _row(self, number: int) -> Row:
        loss = 0.35 + (number * 37 % 100) / 250
        return (next(self._models), "log-loss", loss, START + number * self._step, "v1", 100)
