"""`decision-ledger task …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.decisions import position_of
from ledger.cli.moments import AsOf, moment_of
from ledger.cli.open_cases import OUTCOMES, due_of, work_of
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.cases import ModelTask

_Task = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="MODEL, if it has one open; or the position of its decision, or "
        "models/MODEL/tasks/POSITION.",
    ),
]


def list_(
    model: Annotated[str, typer.Argument(help="Only of this model.")] = "",
    owner: Annotated[str, typer.Option(help="Only those of this owner.")] = "",
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only those not closed in time.")
    ] = False,
    as_of: AsOf = None,
) -> None:
    """List the tasks that are open: whose they are, until when, and who works on them."""
    chosen = session()
    then = moment_of(as_of)
    found = chosen.client.list_tasks(
        model, owner=owner, overdue=overdue, as_of=then.time, as_of_position=then.position
    )
    headings = (">DECISION", "MODEL", "WORK", "OWNER", "OPENED", "DUE", "TAKEN BY")
    rows = [
        (
            one.decision_position,
            one.model,
            one.action,
            one.owner,
            output.when(one.opened_at),
            due_of(one),
            one.taken_by or "-",
        )
        for one in found.tasks
    ]
    chosen.show(found, output.table(headings, rows) if rows else "No task is open.")
    if chosen.as_json:
        return
    output.say(f"As of position {found.position}, {output.when(found.recorded_at)}.")
    if waiting := next((one for one in found.tasks if not one.taken_by), None):
        output.say(f"Work on one: `decision-ledger task take {waiting.decision_position}`.")


def take(task: _Task) -> None:
    """Work on a task, as the person who calls."""
    chosen = session()
    one = _named(task)
    appended = chosen.client.take_task(one.name)
    chosen.show(
        appended,
        f"Took the task of {one.model} to {work_of(one)}, at position {appended.position}; "
        f"due {due_of(one)}.",
    )
    if not chosen.as_json:
        output.say(
            f"Once it is done: `decision-ledger task close {one.decision_position} --outcome "
            f"…`, with {OUTCOMES}."
        )


def close(
    task: _Task,
    outcome: Annotated[str, typer.Option(help=f"How it ended: {OUTCOMES}.")],
    note: Annotated[str, typer.Option(help="A remark; recorded for good.")] = "",
) -> None:
    """Close a task with its outcome, as the person who has done it."""
    chosen = session()
    word = outcome.lower().replace("-", "_")
    if word not in OUTCOMES.replace("-", "_").replace(" or ", ", ").split(", "):
        raise MisuseError(f"--outcome: {outcome[:40]!r} is no outcome.", f"Say {OUTCOMES}.")
    one = _named(task)
    appended = chosen.client.close_task(one.name, word.upper(), note=note)
    chosen.show(
        appended,
        f"Closed the task of {one.model} to {work_of(one)} as {word.replace('_', ' ')}, at "
        f"position {appended.position}.",
    )
    if word == "retrain_after_all" and not chosen.as_json:
        output.say(
            f"Have it retrained: `decision-ledger decision override {one.model} --action "
            'schedule-retraining --expires 7d --reason "…"`.'
        )


def _named(text: str) -> "ModelTask":
    """Return the open task of a model, of a decision's position, or of a resource name."""
    position = position_of(text)
    model, _, rest = text.removeprefix("models/").partition("/tasks/")
    found = session().client.list_tasks("" if position is not None else model).tasks
    asked = position_of(rest) if rest else position
    of_it = [one for one in found if asked is None or one.decision_position == asked]
    if len(of_it) > 1:
        places = " and ".join(str(one.decision_position) for one in of_it)
        raise MisuseError(f"{model} has several tasks open.", f"Name one by position: {places}.")
    if not of_it:
        raise MisuseError(
            f"No task of {'position ' + text if position is not None else text} is open.",
            "List those that are: `decision-ledger task list`.",
        )
    return of_it[0]
