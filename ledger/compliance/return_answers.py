"""The answer about roll-backs: to which versions, when one was last done, how long it took."""

from collections.abc import Iterator
from typing import Any, Final

from ledger.compliance.deployments import (
    BASES,
    RETURN,
    RecordedDeployment,
    deployments_table,
    recorded_deployments,
)
from ledger.compliance.drills import drills_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry, need_model
from ledger.compliance.jobs import RecordedJob, jobs_in
from ledger.events import notation
from ledger.events.drills import DrillRecorded
from ledger.events.facts import Fact, readable
from ledger.events.models import ModelRetired
from ledger.events.notation import counted
from ledger.events.recipes import BENCHMARK_TYPES
from ledger.events.values import SECOND
from ledger.jobs.benchmarks import Benchmarks

_EXECUTOR: Final = "its executor"
_BY_PERSON: Final = (BASES["roll_back"], BASES["emergency"])
Data = dict[str, Any]


def roll_back(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say which version could be put back, when that was last done, and how long it took."""
    model = need_model(inquiry)
    jobs = jobs_in(source, FactFilter())
    deployments = recorded_deployments(source)
    of_model = sorted(
        (one for one in deployments if one.data["model"] == model),
        key=lambda one: one.in_service_order,
    )
    targets = _targets(of_model, [one for one in jobs if one.data["model"] == model], source, model)
    answer.say(*_serving(source, model, of_model))
    answer.say(*_possible(targets))
    returns = [_return(one) for one in jobs if one.went_back]
    own = [one for one in returns if one["model"] == model]
    answer.say(*_exercised(own, of_model, "of this model"))
    answer.say(*_return_sentences(own))
    if not own and not _put_back(of_model):
        answer.say(*_exercised(returns, deployments, "in the whole ledger"))
    answer.show(
        "targets",
        "Versions that may serve in the place of the one in service",
        (
            ("model_version", "text", "which version"),
            ("position", "integer", "where its newest deployment, or else its registry, is"),
            ("ground", "text", "it served before, or is registered, as what"),
            ("baseline_loss", "decimal", "its loss as seen in training"),
            ("by", "text", "who may put it into service"),
            ("refused_by", "text", "the job that took it back"),
        ),
        targets,
    )
    answer.show(
        "returns",
        "Jobs whose version was taken back",
        (
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("called_for_at", "time", "when it was called for"),
            ("called_for_position", "integer", "by the event there"),
            ("called_for", "text", "a verdict, or the word of a person"),
            ("overdue_at", "time", "when it was on record that no executor had taken it up"),
            ("returned_at", "time", "when the version before served again, or nothing was left"),
            ("seconds", "span", "how long that took"),
            ("by", "text", "what took it out of service; empty while that is open"),
            ("from_version", "text", "the version that was taken back"),
            ("to_version", "text", "the one that serves again"),
        ),
        own,
    )
    answer.tables.append(deployments_table(source, FactFilter(model=model)))
    answer.say(*_drills(source))
    answer.tables.append(drills_table(source, FactFilter()))
    answer.how = [f"decision-ledger model show {model}", "decision-ledger drill run rollback"]


def _serving(source: FactSource, model: str, of_model: list[RecordedDeployment]) -> Iterator[str]:
    if any(one.stream == f"models/{model}" for one in source.facts((ModelRetired.TYPE,))):
        yield "The model is retired: no version of it serves."
    elif of_model:
        newest = of_model[-1]
        before, earlier = newest.data["replaces"], newest.before
        if earlier is not None and earlier.fact.position > newest.fact.position:
            before = earlier.data["model_version"]  # recorded since
        yield (
            f"{newest.data['model_version']} serves since "
            f"{notation.time(newest.in_service_at)}; before it: {before or 'nothing'}."
        )
    else:
        yield "Nothing was ever deployed."


# ---- to what -------------------------------------------------------------------------------------


def _targets(
    of_model: list[RecordedDeployment], jobs: list[RecordedJob], source: FactSource, model: str
) -> list[Data]:
    """Return the versions that may serve again, the one that served last first.

    `of_model` in the order in which they serve.
    """
    found: dict[str, Data] = {}
    serving = of_model[-1].data["model_version"] if of_model else None
    for one in reversed(of_model):
        version = one.data["model_version"]
        if version == serving or version in found:
            continue
        refused = _refusing(jobs, version)
        found[version] = {
            "model_version": version,
            "position": one.fact.position,
            "ground": "it served before",
            "baseline_loss": one.data["baseline_loss"],
            "by": "an emergency alone" if refused else "its job, or a person with a reason",
            "refused_by": refused,
        }
    benchmarks = Benchmarks()
    for fact in source.facts(sorted(BENCHMARK_TYPES)):
        benchmarks = benchmarks.applied(fact.position, fact.type, fact.data)
    for version in benchmarks.fall_back(model):
        entries = [one for one in benchmarks.registered.values() if one.model_version == version]
        kind = entries[-1].kind.replace("_", " ")
        if version in found:
            found[version]["ground"] += f", and is registered as {kind}"
        elif version != serving:
            found[version] = {
                "model_version": version,
                "position": entries[-1].position,
                "ground": f"it is registered as {kind}",
                "baseline_loss": entries[-1].baseline_loss,
                "by": "a job that deploys where no version served before",
                "refused_by": None,
            }
    return list(found.values())


def _refusing(jobs: list[RecordedJob], version: str) -> str | None:
    """Return the newest job that deployed a version, where that was taken back."""
    made = [
        one
        for one in jobs
        if one.job.deployed is not None and one.job.deployed.model_version == version
    ]
    is_refused = bool(made) and made[-1].job.outcome in {"failed", "rolled_back"}
    return str(made[-1].data["job"]) if is_refused else None


def _possible(targets: list[Data]) -> Iterator[str]:
    """Yield to what it can be rolled back, and to what it cannot."""
    may = [one for one in targets if one["refused_by"] is None and one["by"].startswith("its job")]
    if may:
        others = len(may) - 1
        more = f" and to {counted(others, 'other version')} that served" if others else ""
        yield f"It can be rolled back to {may[0]['model_version']}, which served before{more}."
    else:
        yield "It cannot be rolled back: no other version that served may serve again."
    for one in targets:
        if one["refused_by"] is not None:
            yield (
                f"Not to {one['model_version']}, but in an emergency: job {one['refused_by']} took "
                "it back."
            )


# ---- when it was done ----------------------------------------------------------------------------


def _put_back(deployments: list[RecordedDeployment]) -> list[RecordedDeployment]:
    """Return the deployments by which an earlier version served again."""
    return [one for one in deployments if one.data["kind"] == "reinstated" or one.basis == RETURN]


def _exercised(
    returns: list[Data], deployments: list[RecordedDeployment], where: str
) -> Iterator[str]:
    """Yield how often versions were put back, when last, and how long that took."""
    back = _put_back(deployments)
    if not back:
        yield f"No version {where} was ever put back."
        return
    newest = max(back, key=lambda one: one.in_service_order)
    took = [one for one in returns if one["job"] == newest.job and one["seconds"] is not None]
    if newest.basis == RETURN and took:
        span = f"{notation.duration(took[-1]['seconds'])} after that was called for"
    elif newest.basis == BASES["put_back"]:
        span = "as the ledger proposed"
    elif newest.asked is not None:
        after = (newest.fact.recorded_at - newest.asked.recorded_at) // SECOND
        span = f"on record {notation.duration(after)} after {newest.asked.actor} asked for it"
    else:
        span = "which was stated once it was done, so how long it took is not known"
    by = sum(one.basis in _BY_PERSON for one in back)
    persons = f", {by} of them by persons" if by else ""
    yield (
        f"Versions {where} were put back {counted(len(back), 'time')}{persons}; last "
        f"{newest.data['model_version']} of {newest.data['model']} at "
        f"{notation.time(newest.in_service_at)}, {span}."
    )


def _return_sentences(records: list[Data]) -> Iterator[str]:
    """Yield what waits to be taken back, and where nothing was left to do."""
    waiting = [row for row in records if row["by"] is None]
    if waiting:
        late = sum(row["overdue_at"] is not None for row in waiting)
        overdue = f", {late} of them for longer than a lease lasts" if late else ""
        yield (
            f"{counted(len(waiting), 'return')} of jobs {'wait' if len(waiting) > 1 else 'waits'} "
            f"for an executor{overdue}."
        )
    if lapsed := [row for row in records if row["by"] not in {None, _EXECUTOR}]:
        yield (
            f"In {counted(len(lapsed), 'job')} nothing was left to put back: another version "
            "served already, or the model was retired."
        )


def _return(one: RecordedJob) -> Data:
    called, back, version = one.went_back, one.returned or one.lapsed, one.job.deployed
    assert called is not None, "asked of jobs that were to go back"
    return {
        "job": one.data["job"],
        "model": one.data["model"],
        "called_for_at": called.recorded_at,
        "called_for_position": called.position,
        "called_for": called.actor if called.actor.startswith("users/") else "a verdict",
        "overdue_at": None if one.overdue is None else one.overdue.recorded_at,
        "returned_at": None if back is None else back.recorded_at,
        "seconds": None if back is None else (back.recorded_at - called.recorded_at) // SECOND,
        "by": None if back is None else _EXECUTOR if back is one.returned else _lapse(back),
        "from_version": None if version is None else version.model_version,
        "to_version": (back.data or {}).get("model_version")
        if back is not None
        else next(iter(one.job.returns_to), None),
    }


def _lapse(fact: Fact) -> str:
    """Return what left nothing to do of a job."""
    data = fact.data or {}
    by = f" by {data['by']}" if data.get("by") else ""
    what = "the retirement of the model" if data.get("model_version") is None else "a deployment"
    return f"{what}{by}, at position {data.get('ended_by')}"


def _drills(source: FactSource) -> Iterator[str]:
    """Yield how often a roll-back was drilled, when last, and what came of it."""
    held = [
        data
        for _, data in readable(source.facts((DrillRecorded.TYPE,)))
        if data["drill"] == "rollback"
    ]
    if not held:
        yield "Drills of a roll-back on record: 0."
        return
    newest, took = held[-1], held[-1]["micros_to_detect"]
    within = "" if took is None else f" within {notation.short_span(took)}"
    came = f"it was noticed{within} and done" if newest["detected"] else "it was not noticed"
    yield (
        f"Drills of a roll-back on record: {len(held)}, the newest held "
        f"{notation.shown_time(newest['held_at'])}: {came}."
    )
