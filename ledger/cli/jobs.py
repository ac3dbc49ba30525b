"""`decision-ledger job …`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.exits import Exit
from ledger.cli.moments import AsOf, moment_of
from ledger.cli.session import session
from ledger.events.notation import counted, listed, money, rounded_money
from ledger.jobs.environments import environment_words
from ledger.jobs.forecast_words import error_words, forecast_words
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.jobs import (
        GateJudgement,
        JobForecastError,
        MissingApprovals,
        ObservedSignal,
        RetrainingJob,
    )

_Job = Annotated[
    str, typer.Argument(metavar="JOB", help="Id of the job, or models/MODEL/jobs/JOB.")
]


def propose(
    model: Annotated[str, typer.Argument(help="The model to retrain.")],
    recipe: Annotated[str, typer.Option(help="An approved recipe.")],
    version: Annotated[int, typer.Option(help="Its version; the newest approved one if 0.")] = 0,
    plan: Annotated[str, typer.Option(help="The plan that admitted the model.")] = "",
    reason: Annotated[str, typer.Option(help="Why; needed without a plan.")] = "",
    job_id: Annotated[
        str, typer.Option("--id", help="Id of the job; one is picked if empty.")
    ] = "",
) -> None:
    """Propose that a model is retrained: as a plan admitted it, or as a person with a reason."""
    if not plan and not reason.strip():
        raise MisuseError(
            "A job needs a ground: neither --plan nor --reason is given.",
            "Name the plan that admitted the model, or say why it is to be retrained.",
        )
    chosen = session()
    made = chosen.client.propose_job(
        model, recipe, recipe_version=version, plan=plan, reason=reason, job_id=job_id
    )
    job = made.job
    chosen.show(made, f"Proposed job {job.job} of {job.model} at position {job.position}.")
    if not chosen.as_json:
        paid = _paid(job)
        output.say(f"{paid[:1].upper()}{paid[1:]}.")
        output.say(f"Its forecast is {_forecast(job)}.")
        if job.is_margin_unjudged:
            output.say(f"{_UNJUDGED}.")
        output.say(f"It {_waits(job)}.")


def list_(
    model: Annotated[str, typer.Argument(help="Only of this model.")] = "",
    state: Annotated[str, typer.Option(help="Only in this state, such as ready.")] = "",
    as_of: AsOf = None,
) -> None:
    """List jobs, newest first: what each waits for, or how it ended."""
    chosen, then = session(), moment_of(as_of)
    found = chosen.client.list_jobs(
        model, state=state or None, as_of=then.time, as_of_position=then.position
    )
    headings = ("JOB", "MODEL", "RECIPE", ">GATES", ">ATTEMPT", "STATE", ">COST")
    rows = [
        (
            one.job,
            one.model,
            f"{one.recipe} {one.recipe_version}",
            f"{one.gates_passed}/{len(one.gates)}",
            f"{one.attempt}/{one.attempts}",
            _state(one),
            money(one.cost_micros, one.unit),
        )
        for one in found
    ]
    chosen.show({"jobs": found}, output.table(headings, rows) if rows else "No job.")


def show(job: _Job) -> None:
    """Show a job: its gates with their verdicts, its lease, its cost, and what it waits for."""
    chosen = session()
    found = chosen.client.get_job(_named(job).name)
    one = found.job
    facts: list[tuple[str, object]] = [
        ("job", f"{one.job} of {one.model}, by {one.proposer}, at position {one.position}"),
        ("recipe", f"{one.recipe} version {one.recipe_version}, digest {one.recipe_digest}"),
        ("ground", f"plan at position {one.plan_position}" if one.plan_position else "a person"),
        ("policy", f"{one.policy} version {one.policy_version}" if one.policy else "none"),
        ("run", one.run_id),
        ("state", _state(one)),
        ("evidence", f"the newest is at position {one.evidence_position}"),
        ("attempt", f"{one.attempt} of {one.attempts}"),
        ("cost", f"{money(one.cost_micros, one.unit)} of {_expected(one)} expected"),
        *_test(one),
        ("forecast", _forecast(one)),
        ("budget", _paid(one)),
    ]  # fmt: skip
    if one.forecast_error is not None:
        facts.append(("error", f"the cost is {_error(one.forecast_error, one.unit)}"))
    if one.realised is not None:
        facts.append(("benefit", _benefit(one)))
    if one.deployment is not None:
        replaced = one.deployment.replaces or "no version"
        facts.append(("version", f"{one.deployment.model_version}, in the place of {replaced}"))
        if one.returns_to and one.outcome is None:
            when = ", if its observation fails" if one.state == "OBSERVING" else ""
            facts.append(("returns", f"to {listed(one.returns_to)}{when}"))
    facts += [("gate", _verdict(verdict)) for verdict in found.verdicts]
    if found.observation_evidence:
        facts.append(("window", found.observation_evidence))
    facts += [
        ("observed", _observed(signal)) for verdict in found.verdicts for signal in verdict.observed
    ]
    facts += [
        (
            "ran in",
            f"{report.gate.lower()}: {environment_words(dataclasses.asdict(report.environment))}",
        )
        for report in found.reports
        if report.environment is not None
    ]
    bare = [report.gate.lower() for report in found.reports if report.environment is None]
    if bare:
        said = ", ".join(dict.fromkeys(bare))
        facts.append(("ran in", f"no environment was recorded of {said}"))
    left = [gate.lower() for gate in one.gates[one.gates_passed :]]
    if left and one.outcome is None:
        facts.append(("left", ", ".join(left)))
    chosen.show(found, output.table(("FIELD", "VALUE"), facts))
    if not chosen.as_json and one.outcome is None:
        output.say(f"It {_waits(one)}.")


def approve(
    job: _Job,
    seen: Annotated[
        int, typer.Option(help="Position of the newest evidence that you saw; `job show` says it.")
    ],
    role: Annotated[str, typer.Option(help="The role as which you approve.")] = "",
    note: Annotated[str, typer.Option(help="A remark; recorded for good.")] = "",
) -> None:
    """Approve a job as one person: that it begins, or that its version is deployed.

    It counts for the evidence that was seen: where there is newer, it is refused.
    """
    chosen = session()
    changed = chosen.client.approve_job(_named(job).name, seen, role=role, note=note)
    chosen.show(changed, f"Approved job {changed.job.job} at position {changed.appended.position}.")
    if not chosen.as_json:
        output.say(f"It {_waits(changed.job)}.")


def deny(job: _Job, reason: Annotated[str, typer.Option(help="Why; recorded for good.")]) -> None:
    """Deny a job that waits for approvals, which ends it."""
    chosen = session()
    named = _named(job)
    appended = chosen.client.deny_job(named.name, reason)
    chosen.show(appended, f"Denied job {named.job} at position {appended.position}.")


def cancel(job: _Job, reason: Annotated[str, typer.Option(help="Why; recorded for good.")]) -> None:
    """Cancel a job; a version that is observed is to be taken back by an executor."""
    chosen = session()
    changed = chosen.client.cancel_job(_named(job).name, reason)
    chosen.show(
        changed, f"Cancelled job {changed.job.job} at position {changed.appended.position}."
    )
    if not chosen.as_json and changed.job.outcome is None:
        output.say(f"It {_waits(changed.job)}.")


def give_up(
    job: _Job,
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")],
    token: Annotated[int, typer.Option(help="Of the lease; that which is in force if 0.")] = 0,
) -> None:
    """Give a leased job back as its executor, who cannot go on; the attempt is lost.

    For an executor whose machine is gone, say who it was: --actor.
    """
    chosen = session()
    named = _named(job)
    known = token or (named.lease.token if named.lease is not None else 0)
    if not known:
        raise MisuseError(
            f"No executor has job {named.job}: it {_waits(named)}.",
            "See who has which: `decision-ledger job list`.",
        )
    changed = chosen.client.give_up_job(named.name, known, reason)
    chosen.show(changed, f"Gave up job {named.job} at position {changed.appended.position}.")
    if not chosen.as_json and changed.job.outcome is None:
        output.say(f"It {_waits(changed.job)}.")


def reproduce(
    job: _Job,
    recipes: Annotated[
        Path, typer.Option(help="Folder with a folder for each recipe, under its id.")
    ],
    work: Annotated[
        Path, typer.Option(help="Folder in which it runs; of this job it is new.")
    ] = Path("reproduced"),
) -> None:
    """Run a job's steps again in a new folder, and compare artifacts and metrics with the record.

    Nothing is reported to the ledger, and nothing is deployed. The exit is 4 where a result is
    another one; an environment that differs is told, and is no difference of results.
    """
    from ledger.worker.reproducing import reproduce as run_again
    from ledger.worker.state import WorkerError
    from ledger.worker.steps import StepError
    from ledger.worker.stopping import StopSignal

    chosen = session()
    stop = StopSignal()
    stop.take_signals()
    named = _named(job)
    try:
        found = run_again(chosen.client, chosen.clock, stop, named.name, recipes, work)
    except WorkerError as error:
        raise MisuseError(error.message, error.remedy) from error
    except StepError as error:
        output.say(str(error))
        raise typer.Exit(Exit.REFUSED) from error
    said = f"Ran {', '.join(found.gates)} of job {found.job} again: "
    what = "each artifact and metric is as recorded." if found.is_same else "results differ."
    rows = [(one.field, one.recorded, one.now) for one in found.differences]
    table = output.table(("FIELD", "RECORDED", "NOW"), rows)
    chosen.show(found, "\n".join([said + what, *([table] if rows else [])]))
    if not found.is_same:
        raise typer.Exit(Exit.INTEGRITY)


def _named(text: str) -> "RetrainingJob":
    """Return the job of an id or a resource name."""
    name = text.rpartition("/jobs/")[2]
    found = [one for one in session().client.list_jobs() if one.job == name]
    if not found:
        raise MisuseError(
            f"No job {name} was proposed.", "List the jobs: `decision-ledger job list`."
        )
    return found[0]


def _state(one: "RetrainingJob") -> str:
    if one.outcome is not None:
        return f"{one.outcome.lower().replace('_', ' ')}: {one.reason}"
    if one.lease is not None:
        return f"leased to {one.lease.executor} until {output.when(one.lease.expires_at)}"
    if one.is_return_overdue and one.return_due_at is not None:
        return f"rolling back, overdue since {output.when(one.return_due_at)}"
    return "unknown" if one.state is None else one.state.lower().replace("_", " ")


def _waits(one: "RetrainingJob") -> str:
    """Return what a job waits for, as a sentence goes on with it."""
    if one.missing_approvals:
        return f"waits for {listed([_approvals(one, each) for each in one.missing_approvals])}"
    if one.deployment is not None and one.deployment.observed_until is not None:
        until = output.when(one.deployment.observed_until)
        if one.state == "OBSERVING":
            return f"is observed until {until}"
    if one.lease is not None:
        return f"is worked on by {one.lease.executor}"
    if one.return_due_at is not None:
        due = output.when(one.return_due_at)
        side = f"overdue since {due}" if one.is_return_overdue else f"until {due}"
        return f"waits for an executor that takes it back, {side}"
    return "waits for an executor"


def _approvals(one: "RetrainingJob", missing: "MissingApprovals") -> str:
    """Return approvals that a job still takes, with the command that gives one."""
    said = counted(missing.count, "approval")
    command = f"decision-ledger job approve {one.job} --seen {one.evidence_position}"
    if not missing.role:
        return f"{said}: `{command}`"
    return f"{said} as {missing.role}: `{command} --role {missing.role}`"


def _expected(one: "RetrainingJob") -> str:
    return money(one.expected_micros, one.unit)


_UNJUDGED = "The margin of its policy was not judged: no plan states its benefit"


def _forecast(one: "RetrainingJob") -> str:
    return forecast_words(dataclasses.asdict(one.forecast), one.unit)


def _error(error: "JobForecastError", unit: str) -> str:
    return error_words(error.error_micros, unit, is_within=error.is_within)


def _benefit(one: "RetrainingJob") -> str:
    """Return the realised benefit beside the forecast one."""
    assert one.realised is not None, "it is there"
    said = (
        f"{rounded_money(one.realised.benefit_micros, one.unit)} by {one.realised.signal} on "
        f"{counted(one.realised.rows, 'row')} of its window"
    )
    expected = one.forecast.benefit_micros
    return said if expected is None else f"{said}, {rounded_money(expected, one.unit)} forecast"


def _test(one: "RetrainingJob") -> list[tuple[str, str]]:
    """Return what the test of a job's candidate took of its cost, as a line; none without one."""
    if not one.expected_test_micros:
        return []
    took = "not reported" if one.test_cost_micros is None else money(one.test_cost_micros, one.unit)
    so_far = " so far" if one.test_cost_micros and one.reserved_test_micros else ""
    return [("test", f"{took}{so_far} of {money(one.expected_test_micros, one.unit)} expected")]


def _paid(one: "RetrainingJob") -> str:
    """Return which budget pays for a job, and what it keeps for it."""
    if not one.budget:
        return "no budget covers its model"
    if one.outcome is not None:
        return f"budget {one.budget} paid {money(one.cost_micros, one.unit)} for it"
    kept = f"budget {one.budget} keeps {money(one.reserved_micros, one.unit)} for it"
    if not one.reserved_test_micros:
        return kept
    return f"{kept}, and {money(one.reserved_test_micros, one.unit)} for the test of its candidate"


def _observed(one: "ObservedSignal") -> str:
    if one.mean_micros is None:
        return f"{one.signal}: nothing"
    said = f"{one.signal}: {money(one.mean_micros)} on {counted(one.rows, 'row')}"
    if one.compared_mean_micros is None or one.replaced_mean_micros is None:
        return said
    return (
        f"{said}; on {counted(one.compared_rows, 'row')} of both versions "
        f"{money(one.compared_mean_micros)}, before {money(one.replaced_mean_micros)}"
    )


def _verdict(one: "GateJudgement") -> str:
    said = " ".join(criterion.sentence for criterion in one.criteria)
    what = "passed" if one.is_passed else "not passed"
    return f"{one.gate.lower()} {what}{': ' + said if said else ''}"
