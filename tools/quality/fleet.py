"""A fleet as a ledger keeps it: told by losses and deployments, asked for plans and versions.

No rule is here: which version serves again, which models are tested, which candidates pass, which
models rest and what money is left, all of it is the ledger's answer.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Final

from ledger.client import LedgerClient, Model, Observation, Signal
from ledger.client.enums import PlanOutcome
from ledger.client.jobs import ReportedEvidence
from ledger.client.ranking import Plan
from tools.demo.server import ACTOR

PERIOD: Final = timedelta(days=1)
"""A period of the benchmark as the ledger's time has it: an executor's lease lasts several."""
MICROS: Final = 1_000_000
NANO: Final = 1_000_000_000
INVALID: Final = 2**53 - 1
"""Reported for a candidate whose loss is no number: a test without valid totals is a refusal."""

_BEGIN: Final = datetime(2019, 1, 3, tzinfo=UTC)
_AUTHOR: Final = "users/author"
_READER: Final = "users/reader"
_BATCH: Final = 2_000

Probe = Callable[[str], tuple[float | None, float | None] | None]
"""Tests a candidate: total loss of the version in service and of the candidate on the newest rows.

None where no test is possible, None in place of a loss that is no number.
"""


@dataclass(slots=True)
class LedgerFleet:
    """One fleet of the benchmark on a ledger of its own."""

    clients: Mapping[str, LedgerClient]
    """By actor: one that runs all, and two persons for the recipes."""
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """The loss per row that each version had in training, by model, as far as it is known."""
    costs: dict[str, float] = field(default_factory=dict)
    serving: dict[str, str] = field(default_factory=dict)
    """The version in service of each model, as told."""
    waiting: dict[str, str] = field(default_factory=dict)
    """The job of each model whose version is trained, and not known to be deployed yet."""
    _known: dict[tuple[str, str], float] = field(default_factory=dict)
    _last_baseline: dict[str, float] = field(default_factory=dict)
    _plans: int = 0

    @property
    def _client(self) -> LedgerClient:
        return self.clients[ACTOR]

    def begin(self, season_periods: int) -> None:
        """Define what is measured, approve the recipes, and bring the policy into force."""
        self._client.define_signal(
            Signal(
                signal="loss",
                kind="performance",
                unit="loss per row",
                direction="higher_is_worse",
                meaning="Mean loss of one version on the rows of one period.",
            )
        )
        recipe = _text("recipe.yaml")
        untested = recipe[: recipe.index("  - gate: candidate")] + "  - gate: deployment\n"
        for name, text in (("tested", recipe), ("untested", untested)):
            drafted = self.clients[_AUTHOR].draft_recipe(name, text, "The benchmark's.")
            version, digest = drafted.version.version, drafted.version.digest
            self.clients[_READER].approve_recipe(name, version, digest)
        policy = _text("policy.yaml")
        season = f"season_periods: {season_periods}"
        made = self._client.draft_policy(
            "fleet", policy.replace("season_periods: 0", season), "The benchmark's."
        )
        self._client.activate_policy(
            "fleet", made.version.version, "For the whole fleet.", digest=made.version.digest
        )

    def register(self, costs: Mapping[str, float]) -> None:
        """Register the models that are new, with the cost of a job of each."""
        for name, cost in costs.items():
            if name not in self.costs:
                self.costs[name] = cost
                described = Model(
                    model=model_id(name),
                    owner="benchmark",
                    unit_value_micros=MICROS,
                    cost_micros=round(cost * MICROS),
                    meaning=f"{name} of the benchmark.",
                )
                self._client.register_model(described)

    def learn(self, name: str, baseline: float) -> None:
        """Take in the baseline of the version in service."""
        self._last_baseline[name] = baseline
        self._known[name, self.serving[name]] = baseline

    def served(self, name: str, version: str, period: int) -> None:
        """Tell that the version that was trained at the end of the period before is in service."""
        begun = period_start(period)
        job = self.waiting.pop(name, "")
        if job:
            self._client.deploy_job_version(
                job,
                1,
                version_id(version),
                in_service_at=begun,
                trained_through=begun - timedelta(microseconds=1),
                baseline_loss=self._baseline(name, version),
            )
        else:
            self._client.record_deployment(
                model_id(name),
                version_id(version),
                in_service_at=begun,
                trained_through=begun - timedelta(microseconds=1),
                baseline_loss=self._baseline(name, version),
            )
        self.serving[name] = version

    def failed(self, name: str) -> None:
        """Tell that the version of a job could not be trained."""
        self._client.cancel_job(self.waiting.pop(name), "There were too few rows to train on.")

    def observe(self, losses: Mapping[str, tuple[int, Mapping[str, float]]], period: int) -> None:
        """Submit the rows and the total loss of each version of each model in a period."""
        at = _observed_at(period)
        rows = [
            Observation(
                model_id(name), "loss", _decimal(total / count), at, version_id(version), count
            )
            for name, (count, totals) in losses.items()
            for version, total in totals.items()
        ]
        for first in range(0, len(rows), _BATCH):
            self._client.submit(rows[first : first + _BATCH])

    def put_back(self, period: int) -> dict[str, str]:
        """Ask which versions are to serve again, put them into service, and return them."""
        names = {model_id(name): name for name in self.serving}
        found: dict[str, str] = {}
        for one in self._client.propose_reuse().proposals:
            name, version = names[one.model], one.put_back.removeprefix("v")
            self._client.record_deployment(
                one.model,
                one.put_back,
                in_service_at=_observed_at(period),
                trained_through=period_start(int(version) + 1) - timedelta(microseconds=1),
                baseline_loss=self._baseline(name, version),
            )
            self.serving[name] = found[name] = version
        return found

    def choose(self, budget_micros: int, cap_micros: int, probe: Probe) -> list[str]:
        """Have the period planned, its candidates tested and planned again; return the jobs."""
        names = {model_id(name): name for name in self.serving}
        chosen: list[str] = []
        first = plan = self._plan(budget_micros, cap_micros)
        while admitted := [
            row.model for row in plan.backlog if row.outcome == PlanOutcome.ADMITTED
        ]:
            outcomes = [self._job(plan, names[model], probe) for model in admitted]
            passed = [names[model] for model, one in zip(admitted, outcomes, strict=True) if one]
            chosen += passed
            if all(outcome == "passed" for outcome in outcomes):
                break
            plan = self._plan(0, cap_micros, second_to=first.plan)
        return chosen

    def _plan(self, budget: int, cap: int, second_to: str = "") -> Plan:
        self._plans += 1
        return self._client.make_plan(
            budget,
            budget_cap_micros=cap,
            policy="fleet",
            plan=f"plan-{self._plans}",
            second_to=second_to,
        ).plan

    def _job(self, plan: Plan, name: str, probe: Probe) -> str:
        """Carry one admitted job as far as its test; return `passed`, `untested`, or nothing."""
        model = model_id(name)
        tested = probe(name)
        recipe = "untested" if tested is None else "tested"
        job = self._client.propose_job(model, recipe, plan=plan.plan).job.name
        self._client.lease_job(job)
        if tested is not None:
            champion, candidate = (INVALID if one is None else round(one * NANO) for one in tested)
            evidence = ReportedEvidence(
                champion={"loss": champion},
                candidate={"loss": candidate},
                cost_micros=round(self.costs[name] * MICROS / 10),
            )
            verdict = self._client.report_gate(job, 1, "candidate", evidence).verdict
            if verdict is None or not verdict.is_passed:
                return ""
        self.waiting[name] = job
        return "untested" if tested is None else "passed"

    def _baseline(self, name: str, version: str) -> Decimal:
        """Return the loss in training of a version; of the one before it where it is not known."""
        found = self.baselines.get(name, {}).get(version) or self._known.get((name, version))
        return max(_decimal(found or self._last_baseline.get(name, 1.0)), Decimal("0.000000001"))


def model_id(name: str) -> str:
    """Return an id of a model that sorts as its name does by code point."""
    return f"m{name.encode().hex()}"


def version_id(version: str) -> str:
    """Return the id of a version."""
    return f"v{version}"


def period_start(period: int) -> datetime:
    """Return the time at which a period of the benchmark begins."""
    return _BEGIN + period * PERIOD


def actors() -> Iterable[str]:
    """Return the actors that a fleet needs clients of."""
    return (ACTOR, _AUTHOR, _READER)


def _observed_at(period: int) -> datetime:
    return period_start(period) + PERIOD / 2


def _decimal(value: float) -> Decimal:
    return Decimal(round(value * NANO)).scaleb(-9)


def _text(name: str) -> str:
    return files("tools.quality").joinpath(name).read_text(encoding="utf-8")
