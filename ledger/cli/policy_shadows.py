"""`decision-ledger policy shadow …` and `policy compare`: policies beside those in force."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.policies import scope_of, scope_text
from ledger.cli.session import session
from ledger.events.notation import counted, duration, money
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.policy_scopes import PolicyScope
    from ledger.client.shadows import ComparedPlans, ShadowComparison

_Shadow = Annotated[int, typer.Argument(min=1, help="The position that names the shadow.")]


def shadow(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="Id of the policy.")],
    version: Annotated[int, typer.Argument(min=1, help="Number of the version.")],
    rationale: Annotated[str, typer.Option(help="Why; recorded for good.")],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long: 30d, 12h.")],
    model: Annotated[str, typer.Option(help="For this model only.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(help="For models with this KEY=VALUE; repeatable.")
    ] = None,
    digest: Annotated[str, typer.Option(help="Refuse unless the version has this digest.")] = "",
) -> None:
    """Run a version in shadow: it decides beside the one in force, and nothing acts on it."""
    chosen = session()
    appended = chosen.client.shadow_policy(
        policy,
        version,
        rationale,
        values.seconds(span, "--for"),
        scope=scope_of(model, label),
        digest=digest,
    )
    chosen.show(
        appended,
        f"{policy} version {version} runs in shadow, named by position {appended.position}. To see "
        f"the effect: decision-ledger policy compare {appended.position}",
    )


def unshadow(
    shadow: _Shadow, reason: Annotated[str, typer.Option(help="Why; recorded for good.")]
) -> None:
    """End a shadow before its time."""
    chosen = session()
    appended = chosen.client.end_shadow(shadow, reason)
    chosen.show(
        appended, f"The shadow of position {shadow} ended, at position {appended.position}."
    )


def shadows() -> None:
    """List the policies that run in shadow, and those that did."""
    chosen = session()
    found = list(chosen.client.list_shadows())
    rows = [
        (
            one.position,
            f"{one.policy}/{one.version}",
            scope_text(one.scope),
            output.when(one.begun_at),
            output.when(one.until) if one.is_running else "over",
        )
        for one in found
    ]
    headings = (">POSITION", "VERSION", "FOR", "SINCE", "UNTIL")
    chosen.show({"shadows": found}, output.table(headings, rows))


def compare(
    shadow: _Shadow,
    as_of: Annotated[int, typer.Option(min=0, help="As it was seen from this position.")] = 0,
) -> None:
    """Compare a shadow with what was decided: where, how often, how long, and at which cost."""
    chosen = session()
    found = chosen.client.compare_shadow(shadow, as_of=as_of)
    chosen.show(found, output.lines(_told(found)))


def scope_of_shadow(policy: str, version: int, position: int, *, is_stated: bool) -> "PolicyScope":
    """Return the scope of the shadow that a step starts from; MisuseError if it ran another one."""
    if is_stated:
        raise MisuseError(
            "--shadow excludes --model and --label: a shadow is promoted on its own scope.",
            "Leave the scope out, or leave --shadow out.",
        )
    for one in session().client.list_shadows():
        if one.position == position:
            if (one.policy, one.version) == (policy, version):
                return one.scope
            raise MisuseError(
                f"--shadow: the shadow of position {position} runs {one.policy} version "
                f"{one.version}.",
                "Name that version, or its own shadow: `policy shadows` lists them.",
            )
    raise MisuseError(
        f"--shadow: no shadow began at position {position}.", "`policy shadows` lists them."
    )


def _told(found: "ShadowComparison") -> list[str]:
    before, after, unit = found.before, found.after, session().unit_of_cost
    one = found.shadow
    state = "runs" if one.is_running else "ran"
    lines = [f"{one.policy} version {one.version} {state} in shadow for {scope_text(one.scope)}."]
    rows: list[tuple[object, ...]] = [
        ("decisions", before.decisions, after.decisions),
        ("retrainings", before.retrainings, after.retrainings),
        ("their cost", *(money(side.cost_micros, unit) for side in (before, after))),
    ]
    tiers = sorted({*before.escalations, *after.escalations})
    rows += [
        (f"tier {name}", *(side.escalations.get(name, 0) for side in (before, after)))
        for name in tiers
    ]
    lines += ["", *output.table(("", ">IN FORCE", ">SHADOW"), rows).split("\n")]
    scored = after.scores
    if not scored:
        return [*lines, "", "No model was scored yet.", *_told_of_plans(found.plans)]
    share = f"{100 * found.differing / scored:.0f}%"
    lines += ["", f"They differ after {found.differing} of {counted(scored, 'score')} ({share})."]
    time = sum(each.seconds for each in found.pairs) or 1
    table = output.table(
        ("IN FORCE", "SHADOW", ">SCORES", ">TIME", ">SHARE"),
        [
            (
                each.before,
                each.after,
                each.scores,
                duration(each.seconds),
                f"{100 * each.seconds / time:.0f}%",
            )
            for each in found.pairs
        ],
    )
    lines += ["", *table.split("\n")]
    moved = [each for each in found.effects if each.differing]
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
        lines += ["", *table.split("\n")]
    lines += _told_of_plans(found.plans)
    if found.erased:
        gone = counted(found.erased, "event")
        lines.append(f"Erased, so not part of it: {gone}. A cost that is not known counts as 0.")
    return lines


def _told_of_plans(found: "ComparedPlans") -> list[str]:
    """Return what the plans on record and those of a shadow admitted."""
    if not found.plans:
        return ["", "No plan was made beside one of its own."]
    before, after, unit = found.before, found.after, session().unit_of_cost
    rows = [
        ("jobs", before.jobs, after.jobs),
        ("their cost", *(money(side.cost_micros, unit) for side in (before, after))),
    ]
    heading = "1 PLAN" if found.plans == 1 else f"{found.plans} PLANS"
    lines = ["", *output.table((heading, ">IN FORCE", ">SHADOW"), rows).split("\n")]
    if found.models:
        models = [(one.model, one.both, one.only_before, one.only_after) for one in found.models]
        headings = ("ADMITTED", ">BY BOTH", ">IN FORCE ONLY", ">SHADOW ONLY")
        lines += ["", *output.table(headings, models).split("\n")]
    if found.erased:
        lines.append(f"Erased, so not part of it: {counted(found.erased, 'plan')}.")
    return lines
