"""`decision-ledger policy diff` and `policy try`: policies in words, and by what they decide."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.policies import read_document
from ledger.cli.session import session
from ledger.events.notation import counted, money

if TYPE_CHECKING:
    from ledger.client.trials import PolicySource, PolicyTrial, TriedDecision

_HELP = "A version (`main/2`), a policy for the version in force (`main`), or a file."
_Before = Annotated[str, typer.Argument(metavar="BEFORE", help=_HELP)]
_After = Annotated[str, typer.Argument(metavar="AFTER", help=_HELP)]
_Tried = Annotated[str, typer.Argument(metavar="POLICY", help=_HELP)]
_Models = Annotated[list[str] | None, typer.Option("--model", help="Only this model; repeatable.")]
_Since = Annotated[str | None, typer.Option(metavar="TIME", help="Scores from this time on.")]
_Until = Annotated[str | None, typer.Option(metavar="TIME", help="Scores up to this time.")]
_VERSION = re.compile(r"([a-z0-9][a-z0-9._-]*)(?:/([1-9][0-9]{0,6}))?", re.ASCII)
_SHOWN_MAX = 20


def diff(
    before: _Before,
    after: _After,
    words: Annotated[bool, typer.Option("--words", help="Leave the history out.")] = False,
    model: _Models = None,
    since: _Since = None,
    until: _Until = None,
) -> None:
    """Say what two policies differ in, and where the second would have decided otherwise.

    The history is that of the ledger: both policies are tried on every score on record. Nothing is
    recorded.
    """
    chosen = session()
    first, second = _source(before), _source(after)
    found = chosen.client.diff_policy(first, second)
    lines = [change.sentence for change in found.changes] or ["The two are the same."]
    trial = None
    if not words and not all(change.is_text for change in found.changes):
        trial = _trial(second, first, model, since, until)
        lines += ["", *_told(trial, (before, after))]
    chosen.show({"diff": found, "trial": trial}, output.lines(lines))


def try_(
    policy: _Tried,
    against: Annotated[
        str | None, typer.Option(help="Compare with this policy rather than with the record.")
    ] = None,
    model: _Models = None,
    since: _Since = None,
    until: _Until = None,
) -> None:
    """Try a policy on the ledger's own history: what it would have decided, and where that differs.

    It is compared with the decisions on record. Where a model was never scored, the policy is tried
    at its own interval over the times of the observations. Nothing is recorded.
    """
    other = None if against is None else _source(against)
    trial = _trial(_source(policy), other, model, since, until)
    session().show(trial, output.lines(_told(trial, (against or "on record", policy))))


def _trial(
    policy: "PolicySource",
    against: "PolicySource | None",
    models: list[str] | None,
    since: str | None,
    until: str | None,
) -> "PolicyTrial":
    return session().client.try_policy(
        policy,
        against=against,
        models=models or (),
        since=None if since is None else values.parse_time(since, "--since"),
        until=None if until is None else values.parse_time(until, "--until"),
    )


def _source(text: str) -> "PolicySource":
    """Return the policy that an argument means; a file where it is one or is named like one."""
    from ledger.client.trials import PolicySource

    named = _VERSION.fullmatch(text)
    is_file = text.endswith((".yaml", ".yml", ".json")) or Path(text).is_file()
    if named is None or is_file:
        return PolicySource(document=read_document(text))
    return PolicySource(policy=named[1], version=int(named[2] or 0))


def _told(trial: "PolicyTrial", names: tuple[str, str]) -> list[str]:
    """Return a trial for people: counts of both sides, each model that moves, where they differ."""
    before, after, unit = trial.before, trial.after, session().unit_of_cost
    rows: list[tuple[object, ...]] = [
        ("scores", before.scores, after.scores),
        ("decisions", before.decisions, after.decisions),
        ("retrainings", before.retrainings, after.retrainings),
        ("their cost", *(money(side.cost_micros, unit) for side in (before, after))),
    ]
    for said, pick in (("in force: ", "actions"), ("tier ", "escalations")):
        sides = getattr(before, pick), getattr(after, pick)
        rows += [
            (f"{said}{name}", *(side.get(name, 0) for side in sides))
            for name in sorted({*sides[0], *sides[1]})
        ]
    lines = output.table(("", *(f">{name.upper()}" for name in names)), rows).split("\n")
    moved = [each for each in trial.effects if each.differing]
    if moved:
        table = output.table(
            ("MODEL", ">SCORES", ">DIFFER", ">RETRAININGS"),
            [
                (
                    each.model,
                    each.scores,
                    each.differing,
                    f"{each.before.retrainings} → {each.after.retrainings}",
                )
                for each in moved
            ],
        )
        lines += ["", *table.split("\n"), "", *_differences(trial)]
    elif before.scores:
        lines += ["", "Every score leads to the same decision."]
    if trial.erased:
        lines.append(f"{counted(trial.erased, 'event')} was erased since and is not part of it.")
    return lines


def _differences(trial: "PolicyTrial") -> list[str]:
    shown = trial.differences[:_SHOWN_MAX]
    more = f"; the first {len(shown)}" if trial.differing > len(shown) else ""
    rows = [
        (
            each.after.position,
            output.when(each.after.evaluated_at),
            each.after.model,
            _decision(each.before),
            _decision(each.after),
        )
        for each in shown
    ]
    table = output.table((">POSITION", "TIME", "MODEL", "BEFORE", "AFTER"), rows)
    said = f"After {counted(trial.differing, 'score')} the decisions differ{more}:"
    return [said, *table.split("\n")]


def _decision(made: "TriedDecision") -> str:
    tier = f" at {made.tier}" if made.tier not in ("", "none") else ""
    return f"{made.action}{tier} by {made.rule or 'otherwise'}"
