"""`decision-ledger run …`: everything of one run, from the first signal to the last outcome."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.trust import Keys
from ledger.events.notation import counted, shown_time
from ledger.operations.failures import MisuseError
from ledger.private import make_folder, write_whole

if TYPE_CHECKING:
    from ledger.client import LedgerClient


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as runs/… or its id.")] = "",
    job: Annotated[str, typer.Option(help="The run of this job.")] = "",
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as a page to this file.")
    ] = None,
    openlineage: Annotated[
        bool, typer.Option("--openlineage", help="As events of OpenLineage, one a line.")
    ] = False,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance",
            help="As a statement about what its job deployed, signed by the ledger: in-toto, SLSA.",
        ),
    ] = False,
) -> None:
    """Show the lineage of a run: signals, decision, plan, job, gates, deployment, outcome.

    Each line is an event below the one that it follows from. Of observations the newest that its
    first score counted are there, up to five of each signal.
    """
    from ledger.compliance.run_page import branches, run_notes, run_page, run_title, tree_lines

    chosen = session()
    name = run_name(chosen.client, run, job)
    if openlineage and provenance:
        raise MisuseError("--openlineage and --provenance are two documents.", "Ask for one.")
    if openlineage or provenance:
        form = "openlineage" if openlineage else "provenance"
        output.write(chosen.client.get_run_document(name, form).document.decode().rstrip("\n"))
        return
    found = chosen.client.get_run(name)
    plain = output.plain(found)
    if html is not None:
        page = run_page(plain)
        make_folder(html.parent)
        write_whole(html, page)  # for its owner only: it names people
        output.say(f"Wrote {html}.")
    chosen.show(found, output.lines([run_title(plain), *tree_lines(branches(plain))]))
    if not chosen.as_json:
        output.say(run_notes(plain))


def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The output of `run show --provenance`.")
    ],
    artifact: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Also compare this file with what it is about."),
    ] = None,
    vkey: Keys = None,
) -> None:
    """Verify what a job deployed, offline: the signature of a statement, checkpoint, artifacts."""
    from ledger.operations.provenance import verified_provenance
    from ledger.operations.trust import trusted

    found = verified_provenance(file, trusted(vkey, None), artifact or ())
    facts = [
        ("ledger", f"{found.ledger}, a head of {counted(found.size, 'event')}"),
        ("model", found.model),
        ("job", f"{found.job} by {found.recipe}, of {found.run}"),
        ("executor", found.executor),
        ("time", f"{shown_time(found.started_on)} to {shown_time(found.finished_on)}"),
        *(("artifact", f"{one.name} sha256:{one.sha256}") for one in found.subjects),
    ]
    session().show(found, output.table(("FIELD", "VALUE"), facts))
    if not session().as_json:
        said = f" Compared: {', '.join(found.compared)}." if found.compared else ""
        output.say(f"The ledger's key has signed this.{said}")


def run_name(client: "LedgerClient", run: str, job: str) -> str:
    """Return the resource name of a run, or of a job that it is named by."""
    if bool(run) == bool(job):
        raise MisuseError(
            "Name either a run or a job of it.",
            "Write `run show RUN` or `run show --job JOB`; `job show JOB` names the run.",
        )
    if run:
        return run if run.startswith("runs/") else f"runs/{run}"
    if job.startswith("models/"):
        return job
    found = [one for one in client.list_jobs() if one.job == job]
    if not found:
        raise MisuseError(
            f"No job {job} was proposed.", "List the jobs: `decision-ledger job list`."
        )
    return found[0].name
