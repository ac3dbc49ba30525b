"""The second act: what is decided becomes jobs, and two workers carry them out.

The same flights on a ledger of their own. The fleet serves for weeks with its first versions; then
a week is planned under a budget, each model that the plan admits becomes a job, and two processes
of `decision-ledger worker` retrain them by the recipe in `tools/demo/recipes`. The end of each job
follows from the flights: of one model the feed loses the arrivals of half of the newest week, and
that is all that is done to them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from ledger.client import LedgerClient, Model, Observation
from ledger.client.enums import PlanOutcome
from ledger.client.ranking import Plan
from tools.demo.fleet import COMMON_QUANTILE
from tools.demo.recipes.late_arrival.retrain import (
    COLUMNS,
    MISSING,
    Flight,
    Version,
    feed_file,
    serve,
    write_flights,
)
from tools.demo.server import DemoServer
from tools.demo.year import SIGNALS, week_end, week_start

ORIGIN: Final = "demo.example.com/flights-2013-jobs"
RECIPE: Final = "late_arrival"
RECIPES: Final = Path(__file__).with_name("recipes")
POLICY: Final = "delay-jobs"
BUDGET: Final = "main"
PEOPLE: Final = ("users/ana", "users/ben")
"""The author of the recipe, and the person who approves it."""
WORKERS: Final = ("services/worker-1", "services/worker-2")
PLANNED_ON: Final = date(2013, 6, 19)
"""The last day of the week whose end is planned."""
SERVED_WEEKS: Final = 8
"""How long the first versions have served by then."""
TRAINED_WEEKS: Final = 6
BUDGET_JOBS: Final = 5
JOB_MICROS: Final = 1_000_000
UNIT: Final = "EUR"

_EPOCH: Final = date(1970, 1, 1)
_USED_SIGNALS: Final = ("log_loss", "excess_loss")
_WORKER_SECONDS: Final = 120.0
_ARRIVALS: Final = (COLUMNS.index("arr_time"), COLUMNS.index("arr_delay"))
_ROOT: Final = Path(__file__).parents[2]

Flights = Mapping[str, Mapping[int, list[Flight]]]
"""By model and week."""


@dataclass(slots=True)
class JobsAct:
    """The fleet whose models are retrained by jobs; steps in the order in which they are called."""

    client: LedgerClient
    server: DemoServer
    folder: Path
    flights: Flights
    week: int = (PLANNED_ON - _EPOCH).days // 7
    serving: dict[str, Version] = field(default_factory=dict)
    worked: dict[str, list[str]] = field(default_factory=dict)
    """By job, the workers that had it, in order."""

    @property
    def last_day(self) -> date:
        """The last day of the newest week."""
        return _last_day(self.week)

    @property
    def feed(self) -> Path:
        """The folder of the flights that jobs are trained on."""
        return self.folder / "feed"

    @property
    def store(self) -> Path:
        """The folder of versions."""
        return self.folder / "store"

    def set_up(self) -> None:
        """Have a fleet with its first versions in service, a policy, a budget and a recipe."""
        client, first = self.client, self.week - SERVED_WEEKS
        client.create_ledger(ORIGIN, clock="data", unit_of_cost=UNIT)
        for signal in SIGNALS:
            if signal.signal in _USED_SIGNALS:
                client.define_signal(signal)
        for model in self.flights:
            weeks = [self.flights[model].get(first - back, []) for back in range(TRAINED_WEEKS)]
            if all(weeks):
                self._begin(model, [one for week in reversed(weeks) for one in week], first)
        made = client.draft_policy(POLICY, policy_text(), "Its text says why.")
        client.activate_policy(
            POLICY, made.version.version, "For the whole fleet.", digest=made.version.digest
        )
        client.set_budget(
            BUDGET, unit=UNIT, period=timedelta(days=7), refill_micros=BUDGET_JOBS * JOB_MICROS
        )
        author, reader = (self.client.using(actor=one) for one in PEOPLE)
        text = (RECIPES / RECIPE / "recipe.yaml").read_text("utf-8")
        drafted = author.draft_recipe(RECIPE, text, "As small as a recipe with every check is.")
        reader.approve_recipe(RECIPE, drafted.version.version, drafted.version.digest)

    def _begin(self, model: str, flights: Sequence[Flight], week: int) -> None:
        self.client.register_model(
            Model(
                model=model,
                owner="delay-forecasts",
                unit_value_micros=JOB_MICROS,
                cost_micros=JOB_MICROS,
                recipe=RECIPE,
            )
        )
        version = Version.trained(flights, _last_day(week))
        serve(self.store, model, version)
        self.serving[model] = version
        self.client.record_deployment(
            model,
            version.name,
            in_service_at=week_start(week + 1),
            trained_through=week_end(week),
            baseline_loss=f"{version.baseline_loss:.9f}",
        )

    # ---- a week ----------------------------------------------------------------------------------

    def live(self) -> None:
        """Let the fleet serve until the week that is planned, and have all of it decided about."""
        for week in range(self.week - SERVED_WEEKS + 1, self.week + 1):
            self._observe(week)
        for week in range(self.week - TRAINED_WEEKS, self.week + 1):
            self._deliver(week)
        self._evaluate()

    def next_week(self) -> None:
        """Let another week pass: its flights are delivered and its losses observed."""
        self.week += 1
        for job in self.client.list_models():
            version = self.store / job.model / f"{job.version_in_service}.json"
            self.serving[job.model] = Version.read(version)
        self._observe(self.week)
        self._deliver(self.week)

    def _observe(self, week: int) -> None:
        seen = {
            model: (version.loss(flights), len(flights))
            for model, version in self.serving.items()
            if (flights := self.flights[model].get(week))
        }
        ratios = {name: seen[name][0] / self.serving[name].baseline_loss for name in seen}
        common = float(np.quantile(list(ratios.values()), COMMON_QUANTILE))
        self.client.submit(
            [
                Observation(
                    name, signal, value, week_end(week), self.serving[name].name, seen[name][1]
                )
                for name in seen
                for signal, value in (
                    ("log_loss", seen[name][0]),
                    ("excess_loss", ratios[name] - common),
                )
            ],
            request_id=f"observed-{week}",
        )

    def _deliver(self, week: int) -> None:
        for model in self.serving:
            place = feed_file(self.feed, model, _last_day(week))
            write_flights(place, self.flights[model].get(week, []))

    def _evaluate(self) -> None:
        self.client.evaluate(list(self.serving), request_id=f"evaluated-{self.week}")

    def damage(self, model: str) -> int:
        """Lose the arrivals of every second flight of a model's newest week; return how many."""
        lost = 0
        flights = [list(one) for one in self.flights[model][self.week]]
        for flight in flights[::2]:
            lost += flight[_ARRIVALS[-1]] != MISSING
            for column in _ARRIVALS:
                flight[column] = MISSING
        write_flights(feed_file(self.feed, model, _last_day(self.week)), flights)
        return lost

    # ---- jobs ------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Plan the week under what the budget has free."""
        budget = self.client.get_budget(BUDGET).budget
        return self.client.make_plan(
            budget.jobs.free_micros,
            budget_cap_micros=budget.jobs.cap_micros,
            policy=POLICY,
            plan=f"week-{_last_day(self.week)}",
        ).plan

    def propose(self, plan: Plan) -> list[str]:
        """Make each model that a plan admitted a job; return their names in that order."""
        return [
            self.client.propose_job(
                row.model, RECIPE, plan=plan.plan, job_id=f"{row.model}-{_last_day(self.week)}"
            ).job.name
            for row in plan.backlog
            if row.outcome is PlanOutcome.ADMITTED
        ]

    def work(self) -> None:
        """Let two workers work until nothing is left; RuntimeError where one ends badly."""
        with ExitStack() as opened:
            processes = [opened.enter_context(self._worker(actor)) for actor in WORKERS]
            for process in processes:
                opened.callback(process.kill)  # where one hangs; those that ended are left alone
            ended = [process.communicate(timeout=_WORKER_SECONDS) for process in processes]
        for actor, process, (out, log) in zip(WORKERS, processes, ended, strict=True):
            if process.returncode:
                raise RuntimeError(f"{actor} ended with {process.returncode}:\n{log[-2_000:]}")
            for job in json.loads(out)["jobs"]:
                self.worked.setdefault(job["job"], []).append(actor.partition("/")[2])

    def _worker(self, actor: str) -> subprocess.Popen[str]:
        work = self.folder / actor.partition("/")[2]
        command = self.command("worker", "--recipes", str(RECIPES), "--work", str(work))
        return subprocess.Popen(
            [*command, "--once", "--json", "--actor", actor],
            env=self.environment,
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str) -> list[str]:
        """Return a command line of `decision-ledger` for this ledger."""
        named = ("--server", self.server.address, "--ledger", ORIGIN)
        return [sys.executable, "-m", "ledger", *words, *named]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of what runs recipes."""
        return os.environ | {"FLIGHTS_FEED": str(self.feed), "MODEL_STORE": str(self.store)}

    def govern(self) -> None:
        """Have the governor judge the observations that are over."""
        self.server.govern(ORIGIN)

    def reproduce(self, job: str) -> tuple[bool, str]:
        """Run a job again from its record; return whether all is the same, and what is said."""
        words = ("job", "reproduce", job, "--recipes", str(RECIPES))
        done = subprocess.run(
            [*self.command(*words), "--work", str(self.folder / "again"), "--actor", PEOPLE[1]],
            env=self.environment,
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=_WORKER_SECONDS,
            check=False,
        )
        return done.returncode == 0, (done.stdout or done.stderr).strip()


def _last_day(week: int) -> date:
    return week_end(week).date()


def policy_text() -> str:
    """Return the policy of the act as it was written."""
    return files("tools.demo").joinpath("jobs_policy.yaml").read_text("utf-8")
