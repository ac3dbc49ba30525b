"""`decision-ledger signal …`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import PolicyReplacement
    from ledger.client.records import Defined
    from ledger.operations.signals import Definition


def define(
    signal: Annotated[str, typer.Argument(help="Its id; that of the standard if left out.")] = "",
    kind: Annotated[
        str,
        typer.Option(help="performance, drift, data-quality, latency, fairness, cost or custom."),
    ] = "",
    unit: Annotated[str, typer.Option(help="Unit of its values, such as log-loss or ms.")] = "",
    direction: Annotated[str, typer.Option(help="higher-is-worse or lower-is-worse.")] = "",
    meaning: Annotated[str, typer.Option(help="Its meaning, for people.")] = "",
    collection: Annotated[str, typer.Option(help="Where and how often it is collected.")] = "",
    owner: Annotated[str, typer.Option(help="The team that answers for it; stays if not.")] = "",
    standard: Annotated[
        str, typer.Option(metavar="NAME", help="Take from this standard what is not stated.")
    ] = "",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POLICY=FILE",
            help="Replace this policy in force, which reads the signal, with it; repeatable.",
        ),
    ] = None,
    rationale: Annotated[str, typer.Option(help="Why policies are replaced; recorded.")] = "",
) -> None:
    """Define a signal, or replace its definition as a whole.

    Kind, unit and direction change only together with the policies in force that read the signal:
    --policy names one and the document that replaces it, as `policy draft` takes it. All is
    recorded at once, or nothing is.

    A definition keeps the name and version of its standard as long as kind, unit and direction are
    those of the standard; meaning, collection and owner are the team's own words.
    """
    from ledger.client import Signal

    needed = {"SIGNAL": signal, "--kind": kind, "--unit": unit, "--direction": direction}
    needed["--meaning"] = meaning
    if not standard and not all(needed.values()):
        raise MisuseError(
            f"Missing: {', '.join(name for name, stated in needed.items() if not stated)}.",
            "See `decision-ledger signal define --help`. `decision-ledger signal standard` lists "
            "what `--standard` adopts.",
        )
    replacements = _replacements(policy or [], rationale)
    chosen = session()
    stated = Signal(signal, kind, unit, direction, meaning, collection)
    appended = chosen.client.define_signal(
        replace(stated, owner=owner, standard=standard), replacements=replacements
    )
    chosen.show(appended, " ".join(_said_of(appended, standard)))


def _said_of(appended: "Defined", standard: str) -> list[str]:
    """Return in sentences what was recorded; `standard` is the one that was to be adopted."""
    defined = appended.signal
    assert defined is not None, "the server answers with the definition"
    said = [f"Defined {defined.signal} at position {appended.first_position}."]
    if defined.standard:
        said.append(
            f"It adopts the standard {defined.standard}, version {defined.standard_version}."
        )
    elif standard:
        said.append("Its kind, unit or direction is not that of the standard, so it is your own.")
    if appended.policies_replaced:
        said.append(f"Replaced with it: {', '.join(appended.policies_replaced)}.")
    if appended.policies_in_force:
        said.append(f"Policies in force that use it: {', '.join(appended.policies_in_force)}.")
    return said


def _replacements(pairs: list[str], rationale: str) -> "list[PolicyReplacement]":
    """Return what replaces policies; each pair names one and the file of its document."""
    from ledger.cli.policies import read_document
    from ledger.client import PolicyReplacement

    if bool(pairs) != bool(rationale):
        raise MisuseError(
            "--policy and --rationale belong together.",
            "Say which policy is replaced, and why: --policy main=FILE --rationale WHY.",
        )
    found = []
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise MisuseError(
                f"--policy: {pair[:80]!r} is not of the form POLICY=FILE.",
                "Write the policy's id and the file of its document: main=policy.yaml.",
            )
        found.append(PolicyReplacement(name, read_document(file), rationale))
    return found


def list_() -> None:
    """List the defined signals."""
    chosen = session()
    found = list(chosen.client.list_signals())
    rows = [(one.signal, one.kind, one.unit, one.direction, one.meaning) for one in found]
    headings = ("SIGNAL", "KIND", "UNIT", "DIRECTION", "MEANING")
    chosen.show({"signals": found}, output.table(headings, rows))


def show(signal: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Show the definition of a signal, every version of it."""
    from ledger.operations.signals import definitions

    chosen = session()
    found = definitions(chosen.client, signal)
    newest = found[-1]
    lines = [f"{newest.signal}, version {newest.version}" + ("" if newest.kind else ", erased")]
    if newest.kind:
        lines += [f"  {name:<12}{value}" for name, value in _described(newest).items() if value]
    rows = [
        (
            one.version,
            one.position,
            output.when(one.recorded_at),
            one.actor or "erased",
            one.owner or "-",
            f"{one.standard} {one.standard_version}" if one.standard else "-",
            one.changed,
        )
        for one in found
    ]
    headings = (">VERSION", ">POSITION", "RECORDED", "BY", "OWNER", "STANDARD", "CHANGED")
    text = "\n".join((*lines, "", output.table(headings, rows)))
    chosen.show({"signal": newest.signal, "versions": found}, text)


def _described(one: "Definition") -> dict[str, str]:
    standard = f"{one.standard} version {one.standard_version}" if one.standard else ""
    return {
        "kind": one.kind,
        "unit": one.unit,
        "direction": one.direction.replace("_", " "),
        "owner": one.owner,
        "standard": standard,
        "meaning": one.meaning,
        "collection": one.collection,
    }


def standard(
    name: Annotated[str, typer.Argument(help="Only this one, with all its words.")] = "",
) -> None:
    """Show the catalogue of standard signals, which `signal define --standard` adopts.

    BASELINE and CRITICAL are hints for a policy before there is history; `policy init` uses them.
    """
    from ledger.application.names import did_you_mean
    from ledger.events.standard_signals import standards

    known = standards()
    found = [one for one in known if name in {"", one.name}]
    if not found:
        raise MisuseError(
            f"There is no standard signal {name[:80]!r}.",
            f"{did_you_mean(name, [one.name for one in known])}"
            "List them with `decision-ledger signal standard`.",
        )
    rows = [
        (
            one.name,
            one.family,
            one.unit,
            one.direction.replace("_", " "),
            one.baseline or "-",
            one.critical or "-",
            "yes" if one.is_estimated else "-",
        )
        for one in found
    ]
    headings = ("STANDARD", "FAMILY", "UNIT", "DIRECTION", ">BASELINE", ">CRITICAL", "ESTIMATED")
    text = output.table(headings, rows)
    if name:
        (one,) = found
        words = (f"version {one.version}, kind {one.kind}", one.meaning, one.collection)
        text = "\n".join((text, "", *words, f"Hints: {one.rationale}"))
    session().show({"standards": found}, text)


def states(
    model: Annotated[str, typer.Argument(help="Only of this model.")] = "",
) -> None:
    """Show each signal of each model as it is: latest value, trend, breach.

    REPEATED: of the model's newest 1000 observations, those that repeat another one.
    """
    chosen = session()
    found = chosen.fresh(
        lambda client, head: client.list_signal_states(model=model, min_position=head)
    )
    rows = [
        (
            one.model,
            one.signal,
            one.latest_value,
            output.when(one.observed_at),
            output.percent(one.magnitude_ppm),
            output.percent(one.trend_ppm),
            one.breach or "-",
            one.observations,
            one.likely_duplicates,
        )
        for one in found.states
    ]
    headings = (
        "MODEL",
        "SIGNAL",
        ">LATEST",
        "OBSERVED",
        ">MAGNITUDE",
        ">TREND",
        "BREACH",
        ">OBSERVATIONS",
        ">REPEATED",
    )
    chosen.show(found, output.table(headings, rows))
