"""`decision-ledger benchmark …`: versions to measure by, and those to fall back to."""

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.values import parse_time
from ledger.operations.failures import MisuseError

_Model = Annotated[str, typer.Argument(metavar="MODEL", help="Id of the model.")]
_Version = Annotated[str, typer.Argument(metavar="VERSION", help="The version of the model.")]
_KnownGood = Annotated[
    bool,
    typer.Option("--known-good", help="As known to be good: it served, and may serve again."),
]


def register(
    model: _Model,
    version: _Version,
    known_good: _KnownGood = False,
    artifact: Annotated[
        Path | None, typer.Option(help="The file of its artifact, whose digest is recorded.")
    ] = None,
    sha256: Annotated[str, typer.Option(help="The digest of its artifact instead.")] = "",
    trained_through: Annotated[
        str, typer.Option(help="Of a benchmark to fall back to: time of its newest training data.")
    ] = "",
    baseline_loss: Annotated[
        str, typer.Option(help="Of a benchmark to fall back to: its loss in training; decimal.")
    ] = "",
    note: Annotated[str, typer.Option(help="A note; recorded for good.")] = "",
) -> None:
    """Register a version as a benchmark, or as known to be good, with its artifact."""
    from ledger.operations.digests import digest_of_file
    from ledger.operations.submission.rows import decimal_text

    if (artifact is None) == (not sha256):
        raise MisuseError("Name the artifact: either --artifact FILE or --sha256 DIGEST.")
    digest = sha256 if artifact is None else digest_of_file(artifact)
    trained = parse_time(trained_through, "--trained-through") if trained_through else None
    chosen = session()
    appended = chosen.client.register_benchmark(
        model,
        version,
        _kind(known_good),
        digest,
        note=note,
        trained_through=trained,
        baseline_loss=decimal_text(baseline_loss, "--baseline-loss") if baseline_loss else None,
    )
    chosen.show(
        appended,
        f"{model} version {version} is registered as {_said(known_good)}, at position "
        f"{appended.position}; artifact {digest}.",
    )


def retire(
    model: _Model,
    version: _Version,
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")],
    known_good: _KnownGood = False,
) -> None:
    """Record that a version is no benchmark any more, or not known to be good any more."""
    chosen = session()
    appended = chosen.client.retire_benchmark(model, version, _kind(known_good), reason)
    chosen.show(
        appended,
        f"{model} version {version} is retired as {_said(known_good)}, at position "
        f"{appended.position}.",
    )


def list_(model: Annotated[str, typer.Option(help="Of this model only.")] = "") -> None:
    """List what is registered, for every model or for one."""
    chosen = session()
    found = list(chosen.client.list_benchmarks(model))
    rows = [
        (
            one.model,
            one.model_version,
            one.kind.lower().replace("_", " "),
            one.artifact[:12],
            one.note,
        )
        for one in found
    ]
    headings = ("MODEL", "VERSION", "KIND", "ARTIFACT", "NOTE")
    chosen.show({"benchmarks": found}, output.table(headings, rows))


def _kind(known_good: bool) -> str:
    return "KNOWN_GOOD" if known_good else "BENCHMARK"


def _said(known_good: bool) -> str:
    return "known to be good" if known_good else "a benchmark"
