"""The year as the ledger's clients live it: monitors report, the policy decides, the plan is done.

Everything goes over gRPC to a real server. Week by week: submit what the monitors saw of the
versions in service and, in shadow, of earlier ones; evaluate the whole fleet in one call, so that
nothing depends on timing; make the plan under what the budget holds; retrain what it admits; put an
earlier version back where it does better in shadow. Each deployment is recorded before the week in
which it serves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final

from ledger.client import LedgerClient, Model, Observation, Signal
from tools.demo.fleet import Fleet, Version
from tools.demo.recipes.late_arrival.retrain import WEEK_DAYS
from tools.demo.rivals import (
    Budget,
    Outcome,
    Services,
    better_earlier_version,
    join,
    last_served_week,
    weekly_loss,
)

ORIGIN: Final = "demo.example.com/flights-2013"
POLICY: Final = "flight-delays"
LOSS_SIGNAL: Final = "log_loss"
JOB_MICROS: Final = 1_000_000
"""The cost of one retraining; one unit of the demo's money."""
NAT_MICROS: Final = 1_000_000
"""The value of one nat of loss on one flight."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)

SIGNALS: Final = (
    Signal(
        signal=LOSS_SIGNAL,
        kind="performance",
        unit="nats",
        direction="higher_is_worse",
        meaning="Mean log-loss per flight of the predicted chance of a late arrival.",
        collection="Weekly, from all flights of the week, beside inference.",
    ),
    Signal(
        signal="excess_loss",
        kind="performance",
        unit="share of the loss in training",
        direction="higher_is_worse",
        meaning="Log-loss over that in training, less the fleet's lower quartile of the week.",
        collection="Weekly, once all models have reported their loss.",
    ),
    Signal(
        signal="hour_psi",
        kind="drift",
        unit="1",
        direction="higher_is_worse",
        meaning="Population stability index of the scheduled hour against training.",
        collection="Weekly, over six parts of the day.",
    ),
    Signal(
        signal="gap_rate",
        kind="data_quality",
        unit="share of flights",
        direction="higher_is_worse",
        meaning="Flight records without tail number, times or arrival.",
        collection="Weekly, from the records as they came.",
    ),
    Signal(
        signal="volume_ratio",
        kind="data_quality",
        unit="share of the weekly flights in training",
        direction="lower_is_worse",
        meaning="Flights of the week against a mean week in training.",
        collection="Weekly, by counting.",
    ),
)


def policy_text() -> str:
    """Return the demo's policy as it was written."""
    return files("tools.demo").joinpath("policy.yaml").read_text("utf-8")


def week_start(week: int) -> datetime:
    """Return the first moment of a week."""
    return _EPOCH + timedelta(days=week * WEEK_DAYS)


def week_end(week: int) -> datetime:
    """Return the last second of a week: when its observations are stated to be made."""
    return week_start(week + 1) - _SECOND


def version_name(trained_week: int) -> str:
    """Return the name of a version: the last day it was trained on."""
    return f"through-{week_end(trained_week):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Week:
    """The events at the end of one week."""

    week: int
    models: int
    position: int
    """Of the plan, or of the last event: what was known before anything was deployed."""
    plan: str
    scheduled: int
    """Decisions to schedule a retraining."""
    retrained: tuple[int, ...]
    reinstated: tuple[int, ...]
    joined: tuple[int, ...]


@dataclass(slots=True)
class Year:
    """A run of the fleet under the ledger. `run` yields each week as it ends."""

    client: LedgerClient
    fleet: Fleet
    weeks: int | None = None
    outcome: Outcome = field(default_factory=Outcome)
    services: Services = field(default_factory=Services)
    history: list[Week] = field(default_factory=list)
    decisions: dict[tuple[int, int], str] = field(default_factory=dict)
    """(model, week) → name of the decision made about it then."""
    _budget: Budget = field(default_factory=Budget)

    def set_up(self) -> None:
        """Describe signals and models, and bring the policy into force."""
        for signal in SIGNALS:
            self.client.define_signal(signal)
        for flights in self.fleet.models:
            carrier, airport = flights.name.split("-")
            self.client.register_model(
                Model(
                    model=flights.name,
                    owner="delay-forecasts",
                    unit_value_micros=NAT_MICROS,
                    cost_micros=JOB_MICROS,
                    tier="standard",
                    labels={"carrier": carrier, "airport": airport},
                    impact_ppm=self._impact(len(flights.week)),
                    recipe="late-arrival-logit",
                    architecture="logistic regression",
                    meaning=f"Chance that a flight of {carrier.upper()} out of {airport.upper()} "
                    "arrives over 15 minutes late, or never.",
                )
            )
        drafted = self.client.draft_policy(
            POLICY, policy_text(), rationale="The demo's policy; its text says why."
        )
        self.client.activate_policy(
            POLICY,
            drafted.version.version,
            digest=drafted.version.digest,
            rationale="In force for the whole fleet from the first week of service.",
        )

    def run(self) -> Iterator[Week]:
        """Serve the weeks, and yield each one once all of it is on record."""
        fleet, services = self.fleet, self.services
        last = last_served_week(fleet, self.weeks)
        for week in range(fleet.first_trained_week, last + 1):
            self.outcome.loss += weekly_loss(fleet, services, week)
            for model, service in services.items():
                self.outcome.in_service[model, week] = service.version.trained_week
            done = self._close(week, is_last=week == last)
            self.history.append(done)
            yield done

    def _close(self, week: int, *, is_last: bool) -> Week:
        """Observe, evaluate, plan and act at the end of a week; after the last, train nothing."""
        models, plan, scheduled, position = len(self.services), "", 0, 0
        admitted: list[int] = []
        budget = self._budget.refilled()
        if models:
            self._submit(week)
            scheduled = self._evaluate(week)
            plan, position, admitted = self._plan(week, budget)
        retrained: list[int] = []
        reinstated: list[int] = []
        joined: list[int] = []
        if not is_last:
            retrained = [model for model in admitted if self._retrain(model, week)]
            reinstated = self._reinstate(week, set(retrained))
            joined = join(self.fleet, self.services, week)
            for model in joined:
                self._deploy(model, self.services[model].version, week, replaces="")
        return Week(
            week=week,
            models=models,
            position=position,
            plan=plan,
            scheduled=scheduled,
            retrained=tuple(retrained),
            reinstated=tuple(reinstated),
            joined=tuple(joined),
        )

    def _submit(self, week: int) -> None:
        """Send the week's observations in one request: all are recorded, or none."""
        serving = {model: service.version for model, service in self.services.items()}
        common = self.fleet.common_ratio(serving, week)
        at = week_end(week)
        batch: list[Observation] = []
        for model, service in self.services.items():
            name, version = self._name(model), service.version
            batch += [
                Observation(
                    name,
                    reading.signal,
                    reading.value,
                    at,
                    version_name(version.trained_week),
                    reading.sample_size,
                )
                for reading in self.fleet.readings(model, version, week, common)
            ]
            flights = self.fleet.rows(model, week)
            for trained_week in service.shadows() if flights else ():
                shadow = self._version(model, trained_week)
                mean = self.fleet.loss(model, shadow, week) / flights
                batch.append(
                    Observation(name, LOSS_SIGNAL, mean, at, version_name(trained_week), flights)
                )
        self.client.submit(batch, request_id=f"observed-{week}")

    def _evaluate(self, week: int) -> int:
        """Have the whole fleet decided about; return how many are to be retrained."""
        order = list(self.services)
        evaluation = self.client.evaluate(
            [self._name(model) for model in order], request_id=f"evaluated-{week}"
        )
        scheduled = 0
        for model, one in zip(order, evaluation.evaluated, strict=True):
            self.decisions[model, week] = one.decision.name
            scheduled += one.decision.action == "SCHEDULE_RETRAINING"
        return scheduled

    def _plan(self, week: int, budget: int) -> tuple[str, int, list[int]]:
        """Make the week's plan; return its id, its position and whom it admits, best first."""
        made = self.client.make_plan(
            budget_micros=budget * JOB_MICROS,
            budget_cap_micros=self._budget.cap * JOB_MICROS,
            policy=POLICY,
            plan=f"week-{week_start(week):%Y-%m-%d}",
            request_id=f"planned-{week}",
        )
        self._budget.jobs = made.plan.budget_left_micros // JOB_MICROS
        index = {self._name(model): model for model in self.services}
        admitted = [index[row.model] for row in made.plan.backlog if row.outcome == "ADMITTED"]
        return made.plan.plan, made.plan.position, admitted

    def _retrain(self, model: int, week: int) -> bool:
        """Train and deploy; False where the window holds too little to learn from."""
        version = self.fleet.version(model, week)
        if version is None:
            return False
        service = self.services[model]
        replaces = service.version.trained_week
        service.train(version)
        self._deploy(model, version, week, replaces=version_name(replaces))
        self.outcome.jobs += 1
        return True

    def _reinstate(self, week: int, retrained: set[int]) -> list[int]:
        """Put back every earlier version that does better in shadow."""
        done: list[int] = []
        for model, service in self.services.items():
            if model in retrained:
                continue
            version = better_earlier_version(self.fleet, model, service, week)
            if version is not None:
                replaces = version_name(service.version.trained_week)
                service.reinstate(version)
                self._deploy(model, version, week, replaces=replaces)
                done.append(model)
        self.outcome.reinstated += len(done)
        return done

    def _deploy(self, model: int, version: Version, week: int, *, replaces: str) -> None:
        """Record that a version serves from the next week on."""
        self.client.record_deployment(
            self._name(model),
            version_name(version.trained_week),
            in_service_at=week_start(week + 1),
            trained_through=week_end(version.trained_week),
            baseline_loss=f"{version.baseline_loss:.9f}".rstrip("0"),
            replaces=replaces,
            request_id=f"deployed-{week}-{self._name(model)}",
        )

    def _impact(self, flights: int) -> int:
        """Return a model's impact in ppm: its flights against those of the busiest model."""
        return 1_000_000 * flights // max(len(each.week) for each in self.fleet.models)

    def _name(self, model: int) -> str:
        return self.fleet.models[model].name

    def _version(self, model: int, trained_week: int) -> Version:
        version = self.fleet.version(model, trained_week)
        assert version is not None, "what served was trained"
        return version


@dataclass(frozen=True, slots=True)
class Payoff:
    """The loss that one retraining saved while its version served, against the one it replaced."""

    model: int
    week: int
    saved: float


def best_retraining(fleet: Fleet, year: Year) -> Payoff | None:
    """Return the retraining that saved most loss until its version was next replaced."""
    best: Payoff | None = None
    served = year.outcome.in_service
    for done in year.history:
        for model in done.retrained:
            new = fleet.version(model, done.week)
            old = fleet.version(model, served[model, done.week])
            assert new is not None
            assert old is not None
            saved, week = 0.0, done.week + 1
            while served.get((model, week)) == done.week:
                saved += fleet.loss(model, old, week) - fleet.loss(model, new, week)
                week += 1
            if best is None or saved > best.saved:
                best = Payoff(model, done.week, saved)
    return best
