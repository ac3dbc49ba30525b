"""`decision-ledger job report`: what came of a job, and how sure that is."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.runs import run_name
from ledger.cli.session import session
from ledger.private import make_folder, write_whole


def report(
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="Id of the job, or models/MODEL/jobs/JOB.")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as a page to this file.")
    ] = None,
) -> None:
    """Make the confidence report of a job: gain, samples, verdicts, what was not tested, cost.

    It is made of the events alone: equal events give an equal digest.
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
    found = chosen.client.get_run_document(run_name(chosen.client, "", job), "report")
    made, digest = json.loads(found.document), report_digest(found.document)
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
