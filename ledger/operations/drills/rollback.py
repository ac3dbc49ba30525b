"""Roll-backs: of a job's version that does worse than its recipe allows, and as a person asks."""

from typing import Final

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.deployments import ReturnSpec
from ledger.application.jobs.proposals import JobSpec
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.application.ledger import LedgerApplication
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.clock import Clock
from ledger.events.jobs import GateReported
from ledger.operations.drills.detection import Detection, audited
from ledger.operations.drills.scene import Scene
from ledger.operations.drills.small_ledger import MODEL, PERSON
from ledger.operations.drills.stepped_clock import SteppedClock
from ledger.service import Service

_OTHER: Final = Caller("users/drill-approver")
_EXECUTOR: Final = Caller("services/drill-executor")
_JOB: Final = "drill"
_WINDOW_SECONDS: Final = 3_600
_RECIPE: Final = """\
format: recipe/1
title: For drills
rationale: A version is deployed, observed, and taken back.
run:
  argv: ["true"]
expected: {cost: 1, unit: EUR, duration: 1m}
limits: {time: 1h, memory: 1 GiB, attempts: 2, lease: 1h, heartbeat: 10m}
gates:
  - gate: deployment
  - gate: observation
    metrics:
      - {name: loss, unit: micro-nats, meaning: Mean loss in service.}
    criteria:
      - {name: holds, when: 'metrics["loss"] < 500000', rationale: Else the other was better.}
    window: 1h
"""


def rollback(scene: Scene) -> Detection:
    """Deploy a version by a job, observe that it does badly, and put the one before back.

    The ledger is to notice by itself once the window is over, to have the version before in
    service again, once more after a person asked for that, and to hold: an audit finds nothing.
    """
    subject = scene.subject
    clock = subject.clock(scene.clock)
    with Service(subject.settings(), clock, create=False) as service:
        ledger = service.ledger(subject.origin)
        before = _serving(ledger)
        _deploy(ledger, clock)
        clock.wait(_WINDOW_SECONDS + 1)
        found = scene.watching()
        ledger.governor.run_due()
        job = ledger.jobs.job(_JOB)
        if job.state != "rolling_back":
            found.said.append(f"Job {_JOB} {job.state.replace('_', ' ')}: nothing was noticed.")
            return found
        _, lease = ledger.jobs.lease(_EXECUTOR, _JOB)
        ledger.job_deployments.roll_back(
            _EXECUTOR, ReturnSpec(_JOB, lease.token, clock.now_micros())
        )
        after = _serving(ledger)
        asked = _ask_back(ledger, clock) if after == before else after
    broken = audited(subject.database, subject.origin)
    if after == asked == before and not broken:
        said = f"{job.why} {before} serves again, and so it did when a person asked."
        found.saw("observation", said)
    else:
        found.said.append(f"{after}, then {asked} serves, and {before} was to.")
        found.said += [f"{rule}: {what}" for rule, what in broken]
    return found


def _serving(ledger: LedgerApplication) -> str:
    ledger.fleet.refresh()
    known = ledger.fleet.model(MODEL)
    assert known is not None, "a small ledger has it"
    assert known.model.in_service is not None, "so it has one of its versions"
    return known.model.in_service.model_version


def _ask_back(ledger: LedgerApplication, clock: SteppedClock) -> str:
    """Put another version into service, carry out that a person asks for the one before.

    Return which serves then.
    """
    clock.wait(1)
    now = clock.now_micros()
    ledger.stated_deployments.record(PERSON, DeploymentSpec(MODEL, "v3", now, now, "0.4"))
    ledger.roll_backs.ask(PERSON, RollBackSpec(MODEL, "", "For drills."))
    clock.wait(1)
    for one in ledger.put_backs.open():
        at = clock.now_micros()
        ledger.stated_deployments.put_back(_EXECUTOR, one.model, one.position, at)
    return _serving(ledger)


def _deploy(ledger: LedgerApplication, clock: Clock) -> None:
    """Bring version v2 into service by a job, and report that it does badly there."""
    drafted = ledger.recipes.draft(PERSON, "drill", _RECIPE, "For drills.")
    ledger.recipes.approve(_OTHER, ChosenRecipe("drill", drafted.version), "For drills.")
    spec = JobSpec(model=MODEL, recipe="drill", recipe_version=0, job=_JOB, reason="For drills.")
    ledger.job_proposals.propose(PERSON, spec)
    ledger.jobs.approve(_OTHER, _JOB, ledger.jobs.job(_JOB).evidence_at, "", "For drills.")
    _, lease = ledger.jobs.lease(_EXECUTOR, _JOB)
    now = clock.now_micros()
    ledger.job_deployments.deploy(
        _EXECUTOR,
        _report(lease.token, "deployment", {}),
        DeploymentSpec("", "v2", now, now, "0.4"),
    )
    ledger.jobs.report(_EXECUTOR, _report(lease.token, "observation", {"loss": 900_000}))


def _report(token: int, gate: str, metrics: dict[str, int]) -> GateReported:
    return GateReported.from_data(
        {
            "job": _JOB,
            "attempt": 1,
            "token": token,
            "gate": gate,
            "metrics": metrics,
            "samples": {},
            "champion": {},
            "candidate": {},
            "cost_micros": "1000000",
            "artifacts": [],
            "links": [],
            "log_sha256": None,
            "window_ppm": None,
        }
    )
