"""Jobs in a ledger that is the test's, step by step: a recipe, people, executors, and the governor.

`RECIPE` has a gate of each sort that needs no roles. A loss below 100 passes.
"""

from dataclasses import dataclass
from typing import Any, Final

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.deployments import ReturnSpec
from ledger.application.jobs.proposals import JobSpec
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.events.environment import EnvironmentPart
from ledger.events.gate_names import GateName
from ledger.events.jobs import GateReported, JobEnvironmentRecorded
from ledger.jobs.machine import Job
from ledger.storage.records import AppendResult
from tests.support.world import ANA, START, World

BOB: Final = Caller("users/bob")
ONE: Final = Caller("services/worker-1")
TWO: Final = Caller("services/worker-2")
LEASE_SECONDS: Final = 3_600
WINDOW_SECONDS: Final = 7_200

RECIPE: Final = """\
format: recipe/1
title: Retrain on recent rows
rationale: Small enough to follow.
run:
  argv: [python, -m, retrain]
expected: {cost: 5, unit: EUR, duration: 10m}
limits: {time: 1h, memory: 1 GiB, attempts: 2, lease: 1h, heartbeat: 10m}
gates:
  - gate: data_integrity
    metrics:
      - {name: missing, unit: rows, meaning: Rows without a label.}
    criteria:
      - {name: whole, when: 'metrics["missing"] < 10', rationale: More was a broken feed.}
  - gate: candidate
    metrics:
      - {name: loss, unit: nano, meaning: Loss on unseen rows., of: versions}
    criteria:
      - name: better
        when: candidate["loss"] < champion["loss"]
        rationale: It has to be worth it.
  - gate: holdout
    metrics:
      - {name: loss, unit: nano, meaning: Loss on the rows kept apart.}
    criteria:
      - {name: holds, when: 'metrics["loss"] < 100', rationale: It has to hold.}
    holdout: {name: spring, max_uses: 3}
  - gate: deployment
  - gate: observation
    metrics:
      - {name: loss, unit: nano, meaning: Loss in service.}
    criteria:
      - {name: holds, when: 'metrics["loss"] < 100', rationale: It has to hold in service.}
    window: 2h
"""
WATCHING: Final = (
    RECIPE[: RECIPE.index("  - gate: observation")].replace("spring", "winter")
    + """\
  - gate: observation
    signals: [loss]
    criteria:
      - name: holds
        when: observed["loss"] <= 500000 && rows["loss"] >= 100
        rationale: Beyond that the version before was better.
      - name: better
        when: compared["loss"] <= replaced["loss"]
        rationale: It has to be better on the same rows.
    window: 10m
"""
)
"""The same, whose observation is judged by what the ledger itself observes."""


def environment(**stated: Any) -> EnvironmentPart:  # noqa: ANN401 - members
    """Return an environment as a step records it, with what is stated otherwise."""
    usual = {
        "code_commit": "5a" * 20, "code_changed": False, "code_sha256": "ab" * 32, "image": None,
        "interpreter": "CPython 3.11.7", "platform": "Linux", "packages": 3,
        "packages_sha256": "cd" * 32, "snapshots": [], "schema_version": "3",
        "features_version": "12", "architecture": "gbdt-200", "seed": "7", "shuffle_sha256": None,
    }  # fmt: skip
    return EnvironmentPart.model_validate(usual | stated)


@dataclass(frozen=True, slots=True)
class Working:
    """A world with an approved recipe, and what is done with jobs in it."""

    world: World
    recipe: str = "monthly"

    @classmethod
    def testing(cls, world: World, cost: str, test: str, recipe: str = "tested") -> "Working":
        """Have a recipe approved that says which part of its cost the test is."""
        text = RECIPE.replace("spring", "tested").replace(
            "{cost: 5,", f"{{cost: {cost}, test: {test},"
        )
        return cls.of(world, text, recipe)

    @classmethod
    def of(cls, world: World, text: str = RECIPE, recipe: str = "monthly") -> "Working":
        """Draft a recipe and have another person approve it."""
        recipes = world.ledger.recipes
        drafted = recipes.draft(ANA, recipe, text, "because")
        recipes.approve(BOB, ChosenRecipe(recipe, drafted.version), "fine")
        return cls(world, recipe)

    def job(self, name: str = "j1") -> Job:
        return self.world.ledger.jobs.job(name)

    def propose(self, name: str = "j1", model: str = "alpha", **more: Any) -> Job:  # noqa: ANN401
        caller = more.pop("caller", ANA)
        spec = JobSpec(
            model=model, recipe=self.recipe, recipe_version=0, job=name,
            **({"reason": "it got worse"} | more),
        )  # fmt: skip
        return self.world.ledger.job_proposals.propose(caller, spec)[1]

    def approve(self, name: str = "j1", by: Caller = BOB) -> AppendResult:
        jobs = self.world.ledger.jobs
        return jobs.approve(by, name, jobs.job(name).evidence_at, "", "fine")

    def lease(self, name: str = "j1", by: Caller = ONE) -> int:
        return self.world.ledger.jobs.lease(by, name)[1].token

    def reported(
        self, gate: str, token: int, name: str = "j1", *, loss: int = 1, cost: int = 1_000_000
    ) -> GateReported:
        """Return a report on a gate of the recipe; a loss of 100 or more passes no gate of it."""
        known = self.job(name)
        numbers: dict[str, Any] = {"metrics": {}, "champion": {}, "candidate": {}}
        if gate == "data_integrity":
            numbers["metrics"] = {"missing": loss // 10}
        elif gate == "candidate":
            numbers |= {"champion": {"loss": 100}, "candidate": {"loss": loss}}
        elif gate != "deployment":
            numbers["metrics"] = {"loss": loss}
        return GateReported.from_data(
            {
                "job": name,
                "attempt": known.attempt,
                "token": token,
                "gate": gate,
                "samples": {},
                "cost_micros": str(max(cost, known.cost_micros)),
                "artifacts": [],
                "links": [],
                "log_sha256": None,
                "window_ppm": None,
            }
            | numbers
        )

    def report(
        self, gate: str, token: int, name: str = "j1", *, by: Caller = ONE, loss: int = 1,
        cost: int = 1_000_000,
    ) -> AppendResult:  # fmt: skip
        reported = self.reported(gate, token, name, loss=loss, cost=cost)
        return self.world.ledger.jobs.report(by, reported)

    def record_environment(
        self,
        gate: GateName,
        token: int,
        name: str = "j1",
        *,
        by: Caller = ONE,
        **stated: Any,  # noqa: ANN401
    ) -> AppendResult:
        """Record in which environment the step of a gate has run."""
        recorded = JobEnvironmentRecorded(
            job=name,
            attempt=self.job(name).attempt,
            token=token,
            gate=gate,
            environment=environment(**stated),
        )
        return self.world.ledger.jobs.record_environment(by, recorded)

    def deploy(
        self, token: int, version: str, name: str = "j1", *, by: Caller = ONE, at: int = START
    ) -> AppendResult:
        spec = DeploymentSpec("", version, at, at, "0.4")
        return self.world.ledger.job_deployments.deploy(
            by, self.reported("deployment", token, name), spec
        )

    def take_back(
        self, token: int, name: str = "j1", *, by: Caller = ONE, at: int = START
    ) -> AppendResult:
        wanted = ReturnSpec(name, token, at)
        return self.world.ledger.job_deployments.roll_back(by, wanted)

    def pass_gates(self, token: int, name: str = "j1", *, by: Caller = ONE) -> None:
        """Pass every gate before the deployment."""
        for gate in ("data_integrity", "candidate", "holdout"):
            self.report(gate, token, name, by=by)

    def observing(self, version: str, name: str = "j1", *, model: str = "alpha", at: int) -> int:
        """Take a new job as far as its observation; return its token."""
        self.propose(name, model)
        self.approve(name)
        token = self.lease(name)
        self.pass_gates(token, name)
        self.deploy(token, version, name, at=at)
        return token
