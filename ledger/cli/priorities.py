"""`decision-ledger priorities` and `why`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.values import PositionOrTime, parse_moment
from ledger.events.inert import inert
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.outcomes import ExplainedDecision
    from ledger.client.ranking import Priorities, Priority

_When = "a position, a time, `yesterday`, or how long ago as 12h, 7d or 2w"


def priorities(
    as_of: Annotated[str | None, typer.Option(help=f"Show a past moment: {_When}.")] = None,
    since: Annotated[
        str | None, typer.Option(help=f"Show who moved since then, and why: {_When}.")
    ] = None,
    by: Annotated[str, typer.Option(help="Order: `priority`, or `plan` for the last plan.")] = (
        "priority"
    ),
    limit: Annotated[int, typer.Option(min=0, help="Rows to show; 0 for all.")] = 0,
) -> None:
    """Rank the fleet, now or as it was; with --since, say who moved and why."""
    if by not in {"priority", "plan"}:
        raise MisuseError(f"--by: {by!r} is neither `priority` nor `plan`.")
    chosen = session()
    then = parse_moment(as_of, "--as-of", chosen.now) if as_of else PositionOrTime()
    before = parse_moment(since, "--since", lambda: _time_of(then)) if since else PositionOrTime()
    found = chosen.fresh(
        lambda client, head: client.list_priorities(
            as_of=then.time,
            as_of_position=then.position,
            since=before.time,
            since_position=before.position,
            order_by="LAST_PLAN" if by == "plan" else "PRIORITY",
            min_position=head,
        )
    )
    rows = found.priorities[:limit] if limit else found.priorities
    text = _moves(found, rows) if since else _ranks(rows)
    chosen.show(found, text)
    if not chosen.as_json:
        output.say(f"As of position {found.position}, {output.when(found.recorded_at)}.")


def _time_of(moment: PositionOrTime) -> datetime:
    """Return the time that a relative --since counts back from: that of --as-of, or now."""
    if moment.time is not None:
        return moment.time
    if moment.position:
        then = session().client.list_priorities(as_of_position=moment.position).recorded_at
        return then or session().now()
    return session().now()


def _ranks(rows: "tuple[Priority, ...]") -> str:
    return output.table(
        (">#", "MODEL", ">PRIORITY", "ACTION", "RULE", "MOSTLY", "SINCE", "PLAN"),
        [
            (
                row.rank,
                row.model,
                output.percent(row.priority_ppm),
                row.action or "-",
                row.rule or "-",
                row.top_signal or "-",
                output.when(row.since),
                f"{row.plan_place}. {row.plan_outcome}" if row.plan_outcome else "-",
            )
            for row in rows
        ],
    )


def _moves(found: "Priorities", rows: "tuple[Priority, ...]") -> str:
    told = output.table(
        (">#", ">WAS", "MODEL", ">PRIORITY", ">WAS", "ACTION", "WHY"),
        [
            (
                row.rank,
                (row.change.previous_rank or "new") if row.change else "",
                row.model,
                output.percent(row.priority_ppm),
                output.percent(row.change.previous_priority_ppm) if row.change else "",
                row.action or "-",
                (row.change.why or "unchanged") if row.change else "",
            )
            for row in rows
        ],
    )
    gone = [f"left: {one.model}, was {one.previous_rank}. {one.why}" for one in found.left]
    return "\n".join([told, *map(inert, gone)])


def why(
    model: Annotated[str, typer.Argument(help="Id of the model.")],
) -> None:
    """Say in one paragraph what state a model is in, why, and what would change it."""
    chosen = session()
    found = chosen.fresh(lambda client, head: client.list_priorities(min_position=head))
    row = next((each for each in found.priorities if each.model == model), None)
    if row is None:
        chosen.client.get_model(model)  # refuses an unknown name in the ledger's own words
        raise MisuseError(f"{model} has left the fleet.", "See `decision-ledger model show`.")
    # The score, not the decision: that may be older, and there may be none yet.
    score = f"models/{model}/scores/{row.score_position}"
    explained = chosen.client.explain_decision(score) if row.score_position else None
    paragraph = _paragraph(row, len(found.priorities), explained)
    document = {"model": model, "rank": row.rank, "of": len(found.priorities)}
    chosen.show(
        {**document, "paragraph": paragraph, "priority": row, "explained": explained},
        inert(paragraph),
    )


def _paragraph(row: "Priority", fleet: int, explained: "ExplainedDecision | None") -> str:
    said = [f"{row.model} ranks {row.rank} of {fleet}"]
    if row.priority_ppm is None:
        said.append(" and was never scored: no policy is in force for it, or nothing was observed.")
        return "".join(said)
    said.append(f", with a priority of {output.percent(row.priority_ppm)}.")
    if explained is not None:
        said.append(f" {explained.explanation.paragraph}")
        if explained.override:
            said.append(f" {explained.override}")
        nearest = explained.explanation.boundaries[:1]
        if nearest and nearest[0].sentence not in explained.explanation.paragraph:
            said.append(f" {nearest[0].sentence}")
    if row.plan_reason:
        said.append(f" The last plan ({row.plan}) says: {row.plan_reason}")
    return "".join(said)
