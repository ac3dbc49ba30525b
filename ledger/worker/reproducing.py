"""A job run again from its record: the same recipe in a new folder, compared field by field.

Nothing is reported. The steps are those of the gates before the deployment that were reported, in
the order of the recipe; the version that served then is told to them as the one that serves.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ledger.client import LedgerClient
from ledger.client.jobs import JobReport
from ledger.clock import Clock, uuid7
from ledger.worker.attending import StepResult, StepRunner
from ledger.worker.calls import PatientCalls, StoppedError
from ledger.worker.recipes import RecipeFolders
from ledger.worker.reports import environment_of
from ledger.worker.state import WorkerError
from ledger.worker.stopping import StopSignal

_AGAIN: Final = ("data_integrity", "representativeness", "candidate", "training", "holdout")
_NUMBERS: Final = ("metrics", "samples", "champion", "candidate")
_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class ReproducedField:
    """A field that is another one than in the record; `-` for one that is not there."""

    field: str
    recorded: str
    now: str
    is_result: bool
    """Whether it is an artifact or a number, and not of the environment."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The outcome of running a job again."""

    job: str
    model: str
    is_same: bool
    """Whether every artifact and every number is as recorded."""
    gates: tuple[str, ...]
    """Those whose steps ran again."""
    folder: str
    differences: tuple[ReproducedField, ...]


def reproduce(
    client: LedgerClient, clock: Clock, stop: StopSignal, name: str, recipes: Path, folder: Path
) -> Reproduction:
    """Run `models/{model}/jobs/{job}` again, in a folder that is new.

    StepError where a step has no result now, WorkerError where the job cannot be run again here.
    """
    told: list[str] = []
    calls = PatientCalls(
        client, clock, stop, lambda _, what, __: told.append(what), _PATIENCE_SECONDS
    )
    judged = calls.ask(lambda: client.get_job(name))
    job, known = judged.job, {one.gate.lower(): one for one in judged.reports}
    kept = RecipeFolders(
        recipes, lambda one, version: calls.ask(lambda: client.get_recipe(one, version)), calls.tell
    )
    recipe = kept.of(job)
    if recipe is None:
        if told:
            raise WorkerError(
                told[-1], "Put that right, or name another folder of recipes: --recipes."
            )
        why = f"There is no folder {recipes / job.recipe}."
        raise WorkerError(why, "Name the folder of recipes: --recipes.")
    gates = [gate for gate in _AGAIN if gate in known]
    if not gates:
        raise WorkerError(f"No gate of {job.job} was reported.", "There is nothing to compare.")
    runner = StepRunner(calls, kept, folder, calls.ask(client.get_ledger).origin)
    if runner.place(job, "", job.attempt).attempt.exists():
        raise WorkerError(f"{job.job} was run again in {folder} before.", "Name another: --work.")
    served = None if job.deployment is None else job.deployment.replaces
    left, found = float(recipe.limits.time_seconds), list[ReproducedField]()
    for gate in gates:
        began = clock.monotonic_seconds()
        place = runner.place(job, gate, job.attempt)
        try:
            request = uuid7(clock)  # its results are its own, and not those of the record
            result = runner.run(job, recipe, place, left, lambda: None, served, request)
        except StoppedError:
            raise WorkerError("It was interrupted.", "Run it again.") from None
        left = max(1.0, left - (clock.monotonic_seconds() - began))
        found += _differences(gate, known[gate], result)
    is_same = not any(one.is_result for one in found)
    return Reproduction(job.job, job.model, is_same, tuple(gates), str(folder), tuple(found))


def _differences(gate: str, known: JobReport, result: StepResult) -> Iterator[ReproducedField]:
    now: dict[str, dict[str, Any]] = {name: getattr(result.report, name) for name in _NUMBERS}
    now["artifacts"] = {one.name: one.sha256 for one in result.artifacts}
    for part, numbers in now.items():
        recorded = dict(getattr(known, part))
        yield from _compared(f"{gate}.{part}", recorded, numbers, is_result=True)
    if known.environment is None:
        return
    environment = result.report.environment
    here = {} if environment is None else asdict(environment_of(environment.model_dump()))
    yield from _compared(
        f"{gate}.environment", _flat(asdict(known.environment)), _flat(here), is_result=False
    )


def _flat(environment: dict[str, Any]) -> dict[str, Any]:
    """Return an environment with a field for each snapshot."""
    flat = {name: value for name, value in environment.items() if name != "snapshots"}
    for one in environment.get("snapshots", ()):
        flat[f"snapshots.{one['name']}"] = f"{one['sha256']} of {one['rows']} rows"
    return flat


def _compared(
    place: str, recorded: dict[str, Any], now: dict[str, Any], *, is_result: bool
) -> Iterator[ReproducedField]:
    for name in sorted(recorded.keys() | now.keys()):
        before, after = recorded.get(name, "-"), now.get(name, "-")
        if before != after:
            yield ReproducedField(f"{place}.{name}", str(before), str(after), is_result)
