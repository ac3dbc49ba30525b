"""The second act on the screen: the plan, what became of its jobs, and the report of one.

Numbers come in from outside, in the words of the product's own reports.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.cli import output
from ledger.client import LedgerClient
from ledger.client.enums import JobOutcome, PlanOutcome
from ledger.client.jobs import JudgedJob
from ledger.client.ranking import Plan
from ledger.compliance.job_report import report_facts, report_page, report_tables, report_title
from ledger.compliance.run_page import branches, run_notes, run_page, run_title, tree_lines
from ledger.events.notation import counted, money
from ledger.jobs.confidence import report_digest
from ledger.private import make_folder, write_whole
from tools.demo.flights import weekly
from tools.demo.jobs import ORIGIN, SERVED_WEEKS, UNIT, JobsAct
from tools.demo.recipes.late_arrival.retrain import Flight
from tools.demo.screen import WIDTH, Screen, plain_table
from tools.demo.server import ACTOR, LEDGER_FILE, DemoServer

PAGES: Final = "pages"
_CENTS: Final = -4
"""To how many digits of micros an amount is rounded for people."""
_DEFERRED: Final = frozenset({PlanOutcome.OVER_BUDGET, PlanOutcome.SAVING})


def show_act(
    screen: Screen,
    server: DemoServer,
    directory: Path,
    flights: Mapping[str, list[Flight]],
    *,
    is_kept: bool,
) -> bool:
    """Have a plan carried out by jobs, and show what became of them; return whether all is well."""
    screen.section("The same by jobs: two workers, a recipe with gates, a budget")
    with LedgerClient(server.address, ledger=ORIGIN, actor=ACTOR) as client:
        by_week = {model: weekly(rows) for model, rows in flights.items()}
        act = JobsAct(client, server, directory / "jobs", by_week)
        jobs = [client.get_job(name) for name in _worked(screen, act)]
        show_jobs(screen, jobs)
        kept = next((one for one in jobs if one.job.outcome is JobOutcome.SUCCEEDED), jobs[0])
        back = next((one for one in jobs if one.job.outcome is JobOutcome.ROLLED_BACK), kept)
        with screen.busy("retraining from the record"):
            is_same, said = act.reproduce(kept.job.job)
        screen.say(said)
        show_report(screen, client, kept, directory)
        show_run(screen, client, back, directory)
    is_well = show_audit(screen, directory / LEDGER_FILE, ORIGIN)
    if is_kept:
        for page in sorted((directory / PAGES).glob("*.html")):
            screen.line(f"  {page}")
    else:
        screen.say("With `--data DIR` the ledgers are kept, with pages of report and run.")
    return is_same and is_well


def _worked(screen: Screen, act: JobsAct) -> list[str]:
    """Serve, plan, retrain by jobs and observe; return the names of the jobs."""
    with screen.busy("serving nine weeks"):
        act.set_up()
        act.live()
    plan = act.plan()
    screen.say(
        f"{len(act.serving)} models on a ledger of their own have served for {SERVED_WEEKS} weeks; "
        f"the week to {act.last_day:%d %B} is planned."
    )
    show_plan(screen, plan)
    names = act.propose(plan)
    damaged = names[-1].split("/")[1]
    screen.say(
        f"The feed loses {act.damage(damaged)} arrivals of the newest week of {damaged}, every "
        "second one. Two workers take the jobs; their versions are observed for a week."
    )
    with screen.busy("two workers retrain"):
        act.work()
    with screen.busy("two weeks go by"):
        act.next_week()
        act.work()
        act.next_week()
        act.govern()
        act.work()
    return names


def show_plan(screen: Screen, plan: Plan) -> None:
    """Show what a plan admits, and what its budget defers."""
    table = plain_table("model", "plan", ">benefit", ">cost")
    for row in plan.backlog:
        if row.outcome is PlanOutcome.ADMITTED or row.outcome in _DEFERRED:
            table.add_row(
                row.model,
                str(row.outcome.value).lower().replace("_", " "),
                money(round(row.benefit_micros, _CENTS), UNIT),
                money(row.cost_micros, UNIT),
            )
    screen.show(table)
    deferred = sum(row.outcome in _DEFERRED for row in plan.backlog)
    screen.say(
        f"The budget is exhausted by {counted(plan.admitted, 'job')}; it defers "
        f"{counted(deferred, 'model')} that would have been worth it."
    )


def show_jobs(screen: Screen, jobs: Sequence[JudgedJob]) -> None:
    """Show what became of jobs, and of those that did not succeed why."""
    table = plain_table("model", ">gates passed", "became", ">cost")
    for one in jobs:
        table.add_row(
            one.job.model,
            f"{one.job.gates_passed} of {len(one.job.gates)}",
            str(one.job.outcome or one.job.state or "").lower().replace("_", " "),
            money(one.job.cost_micros, one.job.unit),
        )
    screen.show(table)
    for one in jobs:
        if one.job.outcome is not JobOutcome.SUCCEEDED and one.verdicts:
            last = one.verdicts[-1]
            unmet = " ".join(each.sentence for each in last.criteria if not each.is_met)
            _hung(screen, f"{one.job.model}: ", f"{one.job.reason} {unmet}")


def show_report(screen: Screen, client: LedgerClient, job: JudgedJob, folder: Path) -> None:
    """Show the head of a job's confidence report; its page is whole."""
    document = client.get_run_document(job.job.name, "report").document
    made, digest = json.loads(document), report_digest(document)
    _page(folder, f"report-{job.job.job}", report_page(made, digest))
    screen.section(f"The report of a job, made by the ledger. {report_title(made)}")
    for name, value in report_facts(made, digest):
        _hung(screen, f"{name:<18}", value)
    [untested] = [table for table in report_tables(made) if table.name == "not_tested"]
    for row in untested.rows:
        _hung(screen, f"{'not tested':<18}", str(row[0]))


def show_run(screen: Screen, client: LedgerClient, job: JudgedJob, folder: Path) -> None:
    """Show the run of a job as a tree, each line as far as it fits; its page is whole."""
    run = output.plain(client.get_run(job.job.name))
    _page(folder, f"run-{job.job.job}", run_page(run))
    screen.section(f"Everything of the run of {job.job.model}, from its signals to its end")
    screen.say(run_title(run))
    for line in tree_lines(branches(run)):
        screen.line(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…")
    screen.say(run_notes(run))


def show_audit(screen: Screen, database: Path, origin: str) -> bool:
    """Audit a ledger by every rule, straight from the database; return whether all is well."""
    source = DatabaseSource(str(database), origin)
    try:
        with screen.busy("auditing"):
            report = Audit(source, "demo").run()
    finally:
        source.close()
    found = "nothing is wrong" if report.passed else "; ".join(map(str, report.findings[:3]))
    screen.say(f"{report.events:,} events of {origin} by every rule: {found}.")
    return report.passed


def _page(folder: Path, name: str, page: bytes) -> None:
    make_folder(folder / PAGES)
    write_whole(folder / PAGES / f"{name}.html", page)


def _hung(screen: Screen, head: str, text: str) -> None:
    """Write a text behind its head, further lines below the text."""
    for line in textwrap.wrap(head + text, WIDTH, subsequent_indent=" " * len(head)):
        screen.line(line)
