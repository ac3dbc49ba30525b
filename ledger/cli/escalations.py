"""`decision-ledger escalation …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.decisions import position_of
from ledger.cli.moments import AsOf, moment_of
from ledger.cli.open_cases import answer_of
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.cases import Escalation

_Escalation = Annotated[
    str,
    typer.Argument(
        metavar="ESCALATION",
        help="MODEL, whose open one it is; or the position of its decision, or "
        "models/MODEL/escalations/POSITION.",
    ),
]


def list_(
    model: Annotated[str, typer.Argument(help="Only of this model.")] = "",
    tier: Annotated[str, typer.Option(help="Only those that have reached this tier.")] = "",
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only those not acknowledged in time.")
    ] = False,
    as_of: AsOf = None,
) -> None:
    """List the escalations that are open: at which tier, until when, and who has seen them."""
    chosen = session()
    then = moment_of(as_of)
    found = chosen.client.list_escalations(
        model, tier=tier, overdue=overdue, as_of=then.time, as_of_position=then.position
    )
    headings = (">DECISION", "MODEL", "ACTION", "TIER", "ROUTE", "RAISED", "ANSWER")
    rows = [
        (
            one.decision_position,
            one.model,
            one.action,
            one.tier if one.tier == one.raised_to else f"{one.tier}, after {one.raised_to}",
            one.route,
            output.when(one.raised_at),
            answer_of(one),
        )
        for one in found.escalations
    ]
    chosen.show(found, output.table(headings, rows) if rows else "No escalation is open.")
    if chosen.as_json:
        return
    output.say(f"As of position {found.position}, {output.when(found.recorded_at)}.")
    if waiting := next((one for one in found.escalations if not one.is_acknowledged), None):
        output.say(f"Take one on: `decision-ledger escalation acknowledge {waiting.model}`.")


def acknowledge(
    escalation: _Escalation,
    note: Annotated[str, typer.Option(help="A remark; recorded for good.")] = "",
) -> None:
    """Take an escalation on, as the person who calls: it goes on to no other tier."""
    chosen = session()
    one = _named(escalation)
    appended = chosen.client.acknowledge_escalation(one.name, note=note)
    chosen.show(
        appended,
        f"Acknowledged the escalation of {one.model} to {one.tier}, at position "
        f"{appended.position}.",
    )
    if not chosen.as_json:
        output.say(
            "Once it is dealt with: `decision-ledger escalation resolve "
            f'{one.model} --resolution "…"`.'
        )


def resolve(
    escalation: _Escalation,
    resolution: Annotated[str, typer.Option(help="How it was dealt with; recorded for good.")],
) -> None:
    """End an escalation, as the person who has dealt with it."""
    chosen = session()
    one = _named(escalation)
    appended = chosen.client.resolve_escalation(one.name, resolution)
    chosen.show(
        appended,
        f"Resolved the escalation of {one.model} to {one.tier}, at position {appended.position}.",
    )
    tasks = chosen.client.list_tasks(one.model).tasks
    if tasks and not chosen.as_json:
        output.say(
            f"A task of {one.model} is open: `decision-ledger task close {one.model} --outcome …`."
        )


def _named(text: str) -> "Escalation":
    """Return the open escalation of a model, of a decision's position, or of a resource name."""
    position = position_of(text)
    model, _, rest = text.removeprefix("models/").partition("/escalations/")
    found = session().client.list_escalations("" if position is not None else model).escalations
    asked = position_of(rest) if rest else position
    for one in found:
        if asked is None or one.decision_position == asked:
            return one
    raise MisuseError(
        f"No escalation of {'position ' + text if position is not None else text} is open.",
        "List those that are: `decision-ledger escalation list`.",
    )
