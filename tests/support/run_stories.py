"""Runs in a ledger that is the test's: from a decision to a job that is rolled back."""

from pathlib import Path
from typing import Final

from ledger.events.job_parts import ArtifactPart
from ledger.events.values import SECOND
from ledger.storage.vault import Vault
from tests.support.job_worlds import LEASE_SECONDS, TWO, WINDOW_SECONDS, Working
from tests.support.world import HOUR, World, rule

GOOD, BAD = 0.4, 1.4
ROWS: Final = [{"name": "spring", "sha256": "5d" * 32, "rows": 40_000}]
ARTIFACT: Final = ArtifactPart(name="model.bin", sha256="5e" * 32)


def decided(folder: Path, vault: Vault | None = None) -> Working:
    """Return two models; by a decision with its run `alpha` is to be retrained."""
    world = World(folder / "ledger.db", clock="wall", vault=vault)
    working = Working.of(world.begin("alpha", "beta", rules=[rule("bad", "priority >= 300000")]))
    for model, value in (("alpha", BAD), ("beta", GOOD), ("alpha", BAD)):
        world.clock.advance(HOUR)
        world.see(model, value, world.clock.now_micros())
    world.settle()
    return working


def run_of(working: Working) -> str:
    """Return the run of the first decision."""
    run_id = working.world.events("decision.made.v2")[0].body.run_id
    assert run_id is not None
    return run_id


def deployed(working: Working, job: str = "j1") -> int:
    """Take a job through a lost lease and its gates into service; return its token.

    The steps of its first two gates ran on the same data, each in an environment of its own.
    """
    world = working.world
    working.propose(job)
    working.approve(job)
    working.lease(job)
    world.clock.advance((LEASE_SECONDS + 1) * SECOND)
    world.govern()
    world.clock.advance((LEASE_SECONDS + 1) * SECOND)
    world.govern()
    token = working.lease(job, by=TWO)
    working.record_environment("data_integrity", token, job, by=TWO, snapshots=ROWS, seed=None)
    evidence = working.reported("data_integrity", token, job)
    world.ledger.jobs.report(TWO, evidence.model_copy(update={"artifacts": [ARTIFACT]}))
    image = "train@sha256:" + "1a" * 32
    working.record_environment(
        "candidate", token, job, by=TWO, snapshots=ROWS, image=image, interpreter="", platform="",
        code_commit=None,
    )  # fmt: skip
    for gate in ("candidate", "holdout"):
        working.report(gate, token, job, by=TWO)
    working.deploy(token, "v2", job, by=TWO, at=world.clock.now_micros())
    return token


def whole_life(working: Working) -> None:
    """Take a job through a lost lease, its gates, a failed observation, and its return."""
    world, token = working.world, deployed(working)
    working.report("observation", token, by=TWO, loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    world.govern()
    working.take_back(working.lease(by=TWO), by=TWO, at=world.clock.now_micros())
    world.settle()
