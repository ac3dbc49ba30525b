"""`decision-ledger signal …`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.values import AllowLeap
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import PolicyReplacement
    from ledger.client.records import Defined
    from ledger.operations.signals import Definition
    from ledger.operations.submission.batches import SendOptions
    from ledger.operations.submission.rows import Row


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


def submit(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines or CSV; `-` or nothing: standard input.")
    ] = None,
    model: Annotated[str, typer.Option(help="One observation by flags: its model.")] = "",
    signal: Annotated[str, typer.Option(help="Its signal.")] = "",
    value: Annotated[str, typer.Option(help="Its value, decimal.")] = "",
    observed_at: Annotated[str, typer.Option(help="Its time; needed if data are the clock.")] = "",
    model_version: Annotated[str, typer.Option(help="Its version; that in service if not.")] = "",
    sample_size: Annotated[int, typer.Option(min=1, help="Rows it summarises.")] = 1,
    form: Annotated[
        str, typer.Option("--format", help="`jsonl`, `csv`, or `auto` by name and first byte.")
    ] = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, max=5_000, help="Observations in a batch; each is all or none.")
    ] = 500,
    skip: Annotated[int, typer.Option(min=0, help="Rows to pass over: those on record.")] = 0,
    request_prefix: Annotated[
        str,
        typer.Option(help="Name the batches PREFIX:1, PREFIX:2, …; a file's own if left out."),
    ] = "",
    rename: Annotated[
        str,
        typer.Option(
            "--map", help="Names of another program: Timestamp=observed_at,N=sample_size."
        ),
    ] = "",
    delimiter: Annotated[
        str, typer.Option(help="Between the cells of CSV: `,`, `;`, `|` or `tab`.")
    ] = ",",
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Record what is on record already again.")
    ] = False,
    allow_leap: AllowLeap = False,
) -> None:
    """Submit observations: one by flags, or a file of JSON lines or CSV.

    Fields of a row: model, signal, value; and if wanted observed_at (ISO 8601 with zone,
    microseconds since 1970, or a number with its unit: s, ms, us, ns), model_version, sample_size;
    estimated, raw, indicators, report_uri, report_sha256, or corrects: the position of what the row
    corrects. A `data` ledger needs observed_at, but for corrections; CSV needs a heading line. A
    bad row ends the run and is named; what was acknowledged is left out in a repeat.
    """
    from ledger.operations.submission import batches, headings, rows

    if form not in {"auto", "jsonl", "csv"}:
        raise MisuseError(f"--format: {form!r} is not one of `auto`, `jsonl`, `csv`.")
    how = batches.SendOptions(batch_size, skip, request_prefix, keep_duplicates, allow_leap)
    if model or signal or value:
        found = {"model": model, "signal": signal, "value": value, "model_version": model_version}
        found |= {"observed_at": observed_at} if observed_at else {}
        _submit_one(file, {**found, "sample_size": sample_size}, how)
        return
    names, cells = headings.FieldMap(headings.mapping_of(rename)), headings.delimiter_of(delimiter)
    if file is not None and file.is_file() and not request_prefix:
        so = (form, rename, cells, batch_size, skip, keep_duplicates)
        how = replace(how, request_prefix=batches.prefix_of(file, *so))
    with rows.opened(file) as source:
        read = rows.read(source, form, file, delimiter=cells, names=names)
        _submit_all(read, how, rows.size_of(file))


def _submit_all(rows: "Iterator[Row]", how: "SendOptions", total_bytes: int | None) -> None:
    """Send the rows of an input, with a bar over its bytes, and say what is on record."""
    from ledger.client import ClientError
    from ledger.operations.submission.batches import Submission

    chosen = session()
    submission = Submission(chosen.client, how)
    try:
        with output.progress("Submitting", total_bytes) as move:
            totals = submission.run(rows, move)
    except (KeyboardInterrupt, ClientError, MisuseError):
        output.say(submission.where)
        raise
    recorded = notation.counted(totals.recorded, "observation")
    said = [f"{recorded} recorded, up to position {totals.position}."]
    if not totals.recorded:
        beyond = f" after row {how.skip}" if how.skip else ""
        nothing = f"Nothing was submitted: the input holds no rows{beyond}."
        said = ["Nothing new." if totals.already else nothing]
    document = {
        "acknowledged": totals.acknowledged,
        "position": totals.position,
        "already_on_record": totals.already,
        "rounded": totals.rounded,
        "vanished": totals.vanished,
        "likely_duplicates": totals.likely_duplicates,
        "left_out": totals.left_out,
    }
    chosen.show(document, " ".join(filter(None, [*said, totals.on_record, *totals.remarks])))


def _submit_one(file: Path | None, stated: dict[str, object], how: "SendOptions") -> None:
    """Submit the observation that flags state, and say what became of it."""
    from ledger.operations.submission import batches, rows

    if file is not None or not all(stated[name] for name in ("model", "signal", "value")):
        raise MisuseError("State --model, --signal and --value together, and no file.")
    chosen = session()
    one = rows.Row(0, rows.observation(stated, "the flags"), 0)
    (row,) = batches.timed(chosen.client, iter([one]))
    appended = chosen.client.submit(
        [row.observation],
        request_id=how.request_prefix or None,
        leave_out_duplicates=not how.keep_duplicates,
        allow_leap=how.allow_leap,
    )
    totals = batches.SubmissionTotals()
    totals.take(appended, 1)
    said = [f"Recorded at position {appended.position}."] if totals.recorded else []
    chosen.show(appended, " ".join(filter(None, [*said, totals.on_record, *totals.remarks])))
