"""`decision-ledger job report`: what came of a job, and how sure that is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.compliance import source_of
from ledger.cli.runs import run_name
from ledger.cli.session import session
from ledger.cli.trust import Bundle, Keys, PolicyFile
from ledger.operations.failures import MisuseError
from ledger.private import make_folder, write_whole

if TYPE_CHECKING:
    from ledger.compliance.facts import FactSource


def report(
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="Id of the job, or models/MODEL/jobs/JOB.")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as a page to this file.")
    ] = None,
    bundle: Bundle = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Make the confidence report of a job: gain, samples, verdicts, what was not tested, cost.

    It is made of the events alone: equal events give an equal digest, of a server and of a bundle.
    """
    from ledger.compliance.job_report import (
        report_facts,
        report_page,
        report_tables,
        report_title,
        until,
    )
    from ledger.compliance.review_pack import text_table
    from ledger.jobs.confidence import report_digest

    chosen = session()
    if bundle is None and not vkey and policy is None:
        name = run_name(chosen.client, "", job)
        document = chosen.client.get_run_document(name, "report").document
    else:
        document = _of_source(source_of(bundle, vkey, policy), job.rpartition("/")[2])
    made, digest = json.loads(document), report_digest(document)
    if html is not None:
        page = report_page(made, digest)
        make_folder(html.parent)
        write_whole(html, page)  # for its owner only: it names people
        output.say(f"Wrote {html}.")
    facts = list(report_facts(made, digest))
    wide = max(len(name) for name, _ in facts)
    lines = [report_title(made), *(f"  {name:<{wide}}  {value}" for name, value in facts)]
    for table in report_tables(made):
        if table.name == "not_tested":
            lines += ["", f"{table.title}:", *(f"  {row[0]}" for row in table.rows)]
        elif table.rows:
            headed = output.table(*text_table(table, made["cost"]["unit"]))
            lines += ["", f"{table.title}:", *headed.split("\n")]
    chosen.show({"report": made, "digest": digest}, output.lines(lines))
    if not chosen.as_json:
        output.say(until(made))


def _of_source(source: "FactSource", job: str) -> bytes:
    """Return the report of a job by the events of a bundle."""
    from ledger.events.jobs import JOB_TYPES, JobProposed
    from ledger.jobs.confidence import report_bytes

    facts = [one for one in source.facts(JOB_TYPES) if one.stream == f"jobs/{job}"]
    if not facts or facts[0].type != JobProposed.TYPE or facts[0].data is None:
        raise MisuseError(
            f"The bundle does not have the proposal of a job {job}.",
            "Export the whole ledger, or the stream of the job: `export create`.",
        )
    return report_bytes(facts, source.origin)
