"""`decision-ledger signal submit`: one observation by flags, or many from a file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.values import AllowLeap
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.operations.submission.batches import SendOptions
    from ledger.operations.submission.rows import Row

_OF_ONE: Final = ("model", "signal", "value")

Raw = Annotated[str, typer.Option(help="Its raw value, which the value is derived from.")]
Indicator = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A further value of it, by name; may be repeated."),
]
Estimated = Annotated[
    bool, typer.Option("--estimated", help="Its value is an estimate of what is not known yet.")
]
Corrects = Annotated[
    int, typer.Option(min=0, help="Position of the one that it corrects; its time stays out.")
]
ReportUri = Annotated[str, typer.Option(help="Where its raw report lies.")]
ReportSha256 = Annotated[str, typer.Option(help="SHA-256 of that report, in hex.")]
SampleSize = Annotated[int, typer.Option(min=1, help="Rows it summarises.")]
Form = Annotated[
    str, typer.Option("--format", help="`jsonl`, `csv`, or `auto` by name and first byte.")
]
BatchSize = Annotated[
    int, typer.Option(min=1, max=5_000, help="Observations in a batch; each is all or none.")
]
Skip = Annotated[int, typer.Option(min=0, help="Rows to pass over: those on record.")]
RequestPrefix = Annotated[
    str, typer.Option(help="Name the batches PREFIX:1, PREFIX:2, …; a file's own if left out.")
]
Renaming = Annotated[
    str,
    typer.Option("--map", help="Names of another program: Timestamp=observed_at,N=sample_size."),
]
Delimiter = Annotated[str, typer.Option(help="Between the cells of CSV: `,`, `;`, `|` or `tab`.")]
KeepDuplicates = Annotated[
    bool, typer.Option("--keep-duplicates", help="Record what is on record already again.")
]


def submit(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines or CSV; `-` or nothing: standard input.")
    ] = None,
    model: Annotated[str, typer.Option(help="One observation by flags: its model.")] = "",
    signal: Annotated[str, typer.Option(help="Its signal.")] = "",
    value: Annotated[str, typer.Option(help="Its value, decimal.")] = "",
    observed_at: Annotated[str, typer.Option(help="Its time; needed if data are the clock.")] = "",
    model_version: Annotated[str, typer.Option(help="Its version; that in service if not.")] = "",
    sample_size: SampleSize = 1,
    raw: Raw = "",
    indicator: Indicator = None,
    estimated: Estimated = False,
    corrects: Corrects = 0,
    report_uri: ReportUri = "",
    report_sha256: ReportSha256 = "",
    form: Form = "auto",
    batch_size: BatchSize = 500,
    skip: Skip = 0,
    request_prefix: RequestPrefix = "",
    rename: Renaming = "",
    delimiter: Delimiter = ",",
    keep_duplicates: KeepDuplicates = False,
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
    stated = {
        "model": model, "signal": signal, "value": value, "observed_at": observed_at,
        "model_version": model_version, "raw": raw, "indicators": _indicators(indicator or []),
        "estimated": estimated, "corrects": corrects, "report_uri": report_uri,
        "report_sha256": report_sha256,
    }  # fmt: skip
    if any(stated.values()):
        found = {name: one for name, one in stated.items() if one or name in _OF_ONE}
        _submit_one(file, {**found, "sample_size": sample_size}, how)
        return
    names, cells = headings.FieldMap(headings.mapping_of(rename)), headings.delimiter_of(delimiter)
    if file is not None and file.is_file() and not request_prefix:
        so = (form, rename, cells, batch_size, skip, keep_duplicates)
        how = replace(how, request_prefix=batches.prefix_of(file, *so))
    with rows.opened(file) as source:
        read = rows.read(source, form, file, delimiter=cells, names=names)
        _submit_all(read, how, rows.size_of(file))


def _indicators(stated: list[str]) -> dict[str, str]:
    """Return the values of --indicator by name; MisuseError for what is no NAME=VALUE."""
    found: dict[str, str] = {}
    for one in stated:
        name, equals, value = one.partition("=")
        if not equals or not name or name in found:
            raise MisuseError(
                f"--indicator: {one[:40]!r} is not a new NAME=VALUE.",
                "Write each name once: --indicator accuracy=0.93",
            )
        found[name] = value
    return found


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
