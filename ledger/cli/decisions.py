"""`decision-ledger decision …` and `evaluate`."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output, values
from ledger.cli.open_cases import open_facts
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, given_or_own
from ledger.cli.values import POSITION_DIGITS_MAX, parse_time
from ledger.cli.verification import show_verdict
from ledger.limits import OVERRIDE_SECONDS_MAX
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.private import make_folder, open_file, write_whole

if TYPE_CHECKING:
    from ledger.client.outcomes import Decision, ReplayProgress, ReplayResult


_Name = Annotated[
    str,
    typer.Argument(
        metavar="DECISION",
        help="models/MODEL/decisions/POSITION, MODEL/POSITION, POSITION, or MODEL: the one in "
        "force.",
    ),
]


_HISTORICAL: Final = "historical, so it changes nothing in force"


def evaluate(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids of models.")],
    at: Annotated[
        str | None,
        typer.Option(help="A time before the newest observation that counts: historical."),
    ] = None,
) -> None:
    """Score models now, decide, and record both."""
    chosen = session()
    time = parse_time(at, "--at") if at else None
    done = chosen.client.evaluate(models, at=time)
    rows = [
        (
            each.decision.model,
            output.percent(each.score.priority_ppm),
            each.decision.action,
            each.decision.rule or "-",
            each.decision.position,
        )
        for each in done.evaluated
    ]
    chosen.show(done, output.table(("MODEL", ">PRIORITY", "ACTION", "RULE", ">POSITION"), rows))
    if any(each.decision.horizon.historical for each in done.evaluated):
        output.say(f"Evaluated as of {output.when(time)}: {_HISTORICAL}.")


def list_(
    model: Annotated[str, typer.Argument(help="Only of this model.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=output.COUNT_MAX, help="At most so many.")] = 50,
) -> None:
    """List decisions, newest first."""
    chosen = session()
    found = list(islice(chosen.client.list_decisions(model), limit))
    rows = [
        (
            one.position,
            one.model,
            one.action,
            one.rule or "-",
            output.percent(one.environment.priority_ppm),
            output.when(one.horizon.evaluated_at),
            _note(one),
        )
        for one in found
    ]
    headings = (">POSITION", "MODEL", "ACTION", "RULE", ">PRIORITY", "EVALUATED", "NOTE")
    chosen.show({"decisions": found}, output.table(headings, rows))


def _note(one: "Decision") -> str:
    """Return what a list says of a decision beside its own outcome."""
    if one.overruled_by:
        last = one.overruled_by[-1]
        word = "overruled" if last.in_effect else "was overruled"
        return f"{word} until {output.when(last.effective_until)} by {last.actor}"
    if one.set_by:
        return f"by the override of {one.set_by.actor}"
    return "historical" if one.horizon.historical else ""


def show(decision: _Name) -> None:
    """Show one decision and its score."""
    from ledger.operations.explanation import told_overruling

    chosen = session()
    found = chosen.client.get_decision(resolved(decision))
    signals = output.table(
        ("SIGNAL", ">WEIGHT", ">MAGNITUDE", ">EFFECTIVE", ">SHARE", ">TREND", "SUSTAINED"),
        [
            (
                one.signal,
                output.percent(one.weight_ppm),
                output.percent(one.magnitude_ppm),
                output.percent(one.effective_ppm),
                output.percent(one.share_ppm),
                output.percent(one.trend_ppm),
                "yes" if one.sustained else "no",
            )
            for one in found.score.signals
        ],
    )
    told = _facts(found.decision)
    told += [("overruled", told_overruling(one)) for one in found.decision.overruled_by]
    if not chosen.as_json:
        told += open_facts(found.decision.model, found.decision.position)
    facts = output.table(("FIELD", "VALUE"), told)
    chosen.show(found, f"{facts}\n\n{signals}")


def _facts(one: "Decision") -> list[tuple[str, object]]:
    return [
        ("decision", one.name),
        ("action", one.action),
        ("tier", one.tier or "-"),
        ("rule", one.rule or "-"),
        ("reason", one.reason),
        ("held back", one.held_back or "no"),
        ("overridden", _overridden(one)),
        ("since", output.when(one.since)),
        ("evaluated", output.when(one.horizon.evaluated_at)),
        ("historical", "yes: it changes nothing in force" if one.horizon.historical else "no"),
        ("policy", f"{one.horizon.policy} version {one.horizon.policy_version}"),
        ("as of position", one.horizon.as_of_position),
        ("priority", output.percent(one.environment.priority_ppm)),
    ]


def _overridden(one: "Decision") -> str:
    by, set_by = one.overridden, one.set_by
    if not by:
        return "no"
    told = f"at position {by.position}; by the rules alone: {by.action}"
    if set_by:
        role = f" as {set_by.role}" if set_by.role else ""
        until = output.when(set_by.effective_until)
        told += f"; by {set_by.actor}{role} until {until}: {set_by.reason}"
    return told


def explain(
    decision: _Name,
    full: Annotated[bool, typer.Option("--full", help="Also every bucket and sum.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as a page to this file.")
    ] = None,
) -> None:
    """Say why a decision came out as it did, and what would have changed it."""
    from ledger.operations.explanation import explanation_page, explanation_text

    chosen = session()
    found = chosen.client.explain_decision(resolved(decision, or_score=True), with_grounds=True)
    if html is not None:
        page = explanation_page(found)
        make_folder(html.parent)
        write_whole(html, page)  # for its owner only: it holds what was observed
        output.say(f"Wrote {html}.")
    chosen.show(found, explanation_text(found, is_full=full))


def override(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Id of the model.")],
    action: Annotated[
        str,
        typer.Option(help="no-action, investigate, adjust-data-collection or schedule-retraining."),
    ],
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")],
    expires: Annotated[
        str, typer.Option(metavar="SPAN", help="For how long, such as 12h or 7d; 90d at most.")
    ],
    tier: Annotated[str, typer.Option(help="Escalation tier of the model's policy.")] = "none",
    role: Annotated[
        str, typer.Option(help="The role in which you overrule; one that you hold, if left out.")
    ] = "",
    seen: Annotated[
        int | None,
        typer.Option(min=1, help="Only if the decision at this position is in force still."),
    ] = None,
) -> None:
    """Set a model's action for a time; it overrides the rules.

    Only a person may override; the record names that person, the role and the reason. It cannot
    be taken back: it ends by itself, and a later override replaces it.
    """
    chosen = session()
    recorded = chosen.client.override_decision(
        model,
        action,
        reason=reason,
        expires_after=values.seconds(expires, "--expires", OVERRIDE_SECONDS_MAX),
        tier=tier,
        role=role,
        decision_position=seen or 0,
    )
    word = action.upper().replace("-", "_")
    prior = recorded.decision_position
    over = f"over the decision at position {prior}" if prior else "over no decision"
    over += f", as {recorded.role}" if recorded.role else ""
    chosen.show(
        recorded,
        f"{model.removeprefix('models/')}: {word} until {output.when(recorded.effective_until)}, "
        f"{over}; recorded at position {recorded.position}.",
    )


def replay(
    decision: Annotated[
        str,
        typer.Argument(help="A decision as above, plans/PLAN, or a position; none with --all."),
    ] = "",
    all_: Annotated[bool, typer.Option("--all", help="Everything in the ledger.")] = False,
    first: Annotated[int, typer.Option(min=1, help="With --all: from this position.")] = 1,
    last: Annotated[int | None, typer.Option(min=1, help="With --all: up to this one.")] = None,
) -> None:
    """Recompute decisions, scores and plans from the recorded events, and compare bit for bit.

    Exits with 4 if anything differs. Reads no projection.
    """
    if all_ == bool(decision):
        raise MisuseError("Name one decision, plan or position, or say --all.")
    if all_:
        _replay_all(first, last or 0)
        return
    chosen = session()
    position = position_of(decision)
    target: str | int = decision if position is None else position
    if isinstance(target, str) and not target.startswith("plans/"):
        target = resolved(target)
    result = chosen.client.replay(target)
    chosen.show(result, _told(result))
    _fail_on(1 if result.outcome == "DIVERGENT" else 0)


def _replay_all(first: int, last: int) -> None:
    chosen = session()
    end: ReplayProgress | None = None
    with output.progress("Replaying") as move:
        for report in chosen.client.replay_range(first_position=first, last_position=last):
            for result in report.results:
                if chosen.as_json:
                    output.write_json(result, is_line=True)
                else:
                    output.write(_told(result))
            end = report.progress
            move(end.position - first + 1, end.last_position - first + 1)
    if end is None or not end.done:
        raise IntegrityFailure("The replay ended early.", "Repeat it; nothing was settled.")
    if chosen.as_json:
        output.write_json({"progress": end}, is_line=True)
    else:
        output.write(
            f"{end.identical} identical, {end.divergent} divergent, "
            f"{end.not_replayable} not replayable, up to position {end.last_position}."
        )
    _fail_on(end.divergent)


def _fail_on(divergent: int) -> None:
    if divergent:
        raise IntegrityFailure(
            f"{divergent} recorded outcome{'s differ' if divergent > 1 else ' differs'} from what "
            "the recorded events give.",
            "Keep the database as evidence and run `decision-ledger verify`.",
        )


def _told(result: "ReplayResult") -> str:
    lines = [f"{result.name or result.position}: {result.outcome}"]
    if result.why:
        lines.append(f"  {result.why}")
    lines += [
        f"  {each.path}: recorded {each.recorded or 'nothing'}, "
        f"recomputed {each.recomputed or 'nothing'}"
        for each in result.differences
    ]
    return output.lines(lines)


def position_of(name: str) -> int | None:
    """Return the position that digits alone are; None for a name."""
    if not (name.isascii() and name.isdigit()):
        return None
    if len(name) > POSITION_DIGITS_MAX:
        raise MisuseError(f"{name[:40]}… is not a position: it has {len(name)} digits.")
    return int(name)


def resolved(name: str, *, or_score: bool = False) -> str:
    """Return the resource name of a decision; for a model alone, of the one in force.

    Digits alone are a position, also where a model has such a name: that is `models/NAME`.
    `or_score`: it may be that of a score too.
    """
    if (at := position_of(name)) is not None:
        if not at:
            raise _no_decision("There is no position 0.")
        return f"positions/{at}" if or_score else _at(at)
    if name.startswith("models/") and "/decisions/" in name:
        return name
    model, slash, position = name.removeprefix("models/").partition("/")
    if slash:
        return f"models/{model}/decisions/{position}"
    for decision in session().client.list_decisions(model):
        if not decision.horizon.historical:
            return decision.name
    raise MisuseError(
        f"No decision was made about {model} yet.",
        f"Run `decision-ledger evaluate {model}`, or wait for the evaluator.",
    )


def _at(position: int) -> str:
    """Return the resource name of the decision at a position."""
    from ledger.client.errors import NotAuthorisedError
    from ledger.events.decisions import DECISION_TYPES

    client, only = session().client, (position - 1, position)
    for decision in client.list_decisions(after_position=only[0], until_position=only[1]):
        return decision.name
    try:  # what else it holds takes another right, which is not needed for a decision
        for event in client.list_events(after_position=only[0], until_position=only[1]):
            if event.type in DECISION_TYPES:  # its body is gone
                return f"{event.stream}/decisions/{position}"
            raise _no_decision(f"Position {position} holds {event.type}, no decision.")
    except NotAuthorisedError:
        pass
    raise _no_decision(f"There is no decision at position {position}.")


def _no_decision(what: str) -> Exception:
    from ledger.client.errors import refused
    from ledger.errors import Reason

    remedy = "List decisions with `decision-ledger decision list`."
    return refused(Reason.DECISION_UNKNOWN, what, remedy=remedy)


def receipt(
    decision: Annotated[
        str,
        typer.Argument(
            help="models/MODEL/decisions/POSITION, a position, or MODEL (the one in force)."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Write a receipt of one decision: the event, what it rests on, and proofs of all of it.

    It verifies anywhere, without this service: `decision-ledger verify`.
    """
    from ledger.cli.decisions import resolved
    from ledger.operations.receipt import fetch_receipt
    from ledger.operations.trust import trusted
    from ledger.operations.verification.files import check_receipt

    if out.exists():
        raise MisuseError(f"{out} is there already.", "Name another file, or move it away.")
    chosen = session()
    given = trusted(vkey, policy, chosen.times)
    data = fetch_receipt(chosen.client, resolved(decision))
    given = given_or_own(given)
    make_folder(out.parent)
    with open_file(out) as file:  # it holds bodies, as a bundle does
        file.write(data)
    show_verdict(check_receipt(out, given), f"Wrote {out} ({len(data):,} bytes), and verified it.")
