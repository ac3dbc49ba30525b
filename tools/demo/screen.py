"""The demo's output for a person. Numbers come in from outside; nothing here computes a result.

On a terminal there are colours and a live bar; in a pipe the same words in plain lines, no wider
than `WIDTH`.
"""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ledger.client.outcomes import ExplainedDecision
from ledger.client.ranking import Priority
from ledger.events.notation import percent
from tools.demo.evidence import Edit, Verified
from tools.demo.rivals import BANKED_WEEKS, JOBS_A_WEEK, Outcome
from tools.demo.year import Week, Year, week_end, week_start

WIDTH: Final = 100
_ROWS_SHOWN: Final = 12
_WEEKS_A_LINE: Final = 5  # in a pipe a line for every so many weeks is enough


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the comparison."""

    name: str
    outcome: Outcome


class Screen:
    """Writes the demo's report, section by section."""

    def __init__(self, console: Console | None = None) -> None:
        plain = Console(highlight=False)
        self._console = console or (
            plain if plain.is_terminal else Console(highlight=False, width=WIDTH)
        )

    def say(self, text: str = "") -> None:
        """Write a paragraph as it is; nothing in it is markup."""
        for line in textwrap.wrap(text, self._console.width) or [""]:
            self._console.print(line, markup=False)

    def line(self, text: str) -> None:
        """Write one line as it is."""
        self._console.print(text, markup=False, soft_wrap=True)

    def show(self, table: Table) -> None:
        """Write a table."""
        self._console.print(table)

    def section(self, title: str) -> None:
        """Begin a section."""
        self._console.print(f"\n[bold]{title}[/bold]")

    def busy(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal that something takes a moment; write nothing elsewhere."""
        return self._console.status(what)

    @contextmanager
    def progress(self, year: Year, weeks: int) -> Iterator["YearProgress"]:
        """Show how the year comes along."""
        if not self._console.is_terminal:
            yield YearProgress(self, year, weeks)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} weeks"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[news]}"),
        )
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("serving 2013", total=weeks, news="")
            yield YearProgress(self, year, weeks, bar, task)

    def ranking(self, rows: Sequence[Priority], week: Week) -> None:
        """Show the fleet as it was ranked at the end of a week."""
        table = plain_table(
            ">", "model", ">priority", "decision", "since", "plan", "version in service"
        )
        for row in rows[:_ROWS_SHOWN]:
            priority = "–" if row.priority_ppm is None else percent(row.priority_ppm)
            since = "" if row.since is None else f"{row.since:%d %b}"
            table.add_row(
                str(row.plan_place or row.rank),
                row.model,
                priority,
                _words(row.action),
                since,
                _words(row.plan_outcome),
                row.model_version,
            )
        self._console.print(table)
        if len(rows) > _ROWS_SHOWN:
            self.say(f"… and {len(rows) - _ROWS_SHOWN} more, as of position {week.position}")

    def explanation(self, explained: ExplainedDecision) -> None:
        """Show why a decision came out as it did."""
        reasons = explained.explanation
        self._console.print(reasons.headline, style="bold", markup=False)
        self.say(reasons.paragraph)
        table = plain_table("signal", ">severity", ">in breach", ">sustained", ">counts", ">share")
        for contribution in reasons.contributions:
            score = contribution.score
            table.add_row(
                score.signal,
                percent(score.magnitude_ppm),
                f"{score.breaches} of {counted(score.buckets, 'week', 'weeks')}",
                "yes" if score.sustained else "no",
                percent(score.effective_ppm),
                percent(score.share_ppm),
            )
        self._console.print(table)
        for boundary in reasons.boundaries[1:2]:  # the paragraph ends with the nearest
            self.say(boundary.sentence)

    def verified(self, found: Verified, origin: str) -> None:
        """Show that the chain is whole."""
        self.say(
            f"{found.events:,} events of {origin}: positions, links, bodies and stream versions in "
            f"order; head {found.head.hex()[:16]}…, Merkle root {found.root.hex()[:16]}… as signed."
        )

    def edit(self, edit: Edit, position: int, why: str) -> None:
        """Show an edit and how it was found."""
        self.say(f"An UPDATE of position {edit.position} was refused: {edit.refusal}")
        self.say("The triggers were dropped, and one digit of the stored body changed:")
        for label, body in (("before", edit.before), ("after", edit.after)):
            self.say(f"  {label:<6} …{_value_in(body)}…")
        self.say(f"Verification stops at position {position}: {why}.")

    def comparison(self, contenders: Sequence[Contender], weeks: int, flights: int) -> None:
        """Show what each way of choosing lost; the first is the measure of all."""
        self.say(
            f"{weeks} weeks, {flights:,} flights; {JOBS_A_WEEK} retrainings a week, unspent ones "
            f"kept for up to {BANKED_WEEKS} weeks; the same versions, data and budget for all."
        )
        table = plain_table(
            "way of choosing", ">retrained", ">put back", ">loss, nats", ">against never"
        )
        never = contenders[0].outcome.loss
        for contender in contenders:
            outcome = contender.outcome
            change = 100 * (outcome.loss / never - 1) if never else 0.0
            table.add_row(
                contender.name,
                str(outcome.jobs),
                str(outcome.reinstated),
                f"{outcome.loss:,.0f}",
                "" if contender is contenders[0] else f"{change:+.2f}%",
            )
        self._console.print(table)


@dataclass(slots=True)
class YearProgress:
    """Shows each week as it is done: by a bar on a terminal, by a line now and then elsewhere."""

    screen: Screen
    year: Year
    weeks: int
    bar: Progress | None = None
    task: TaskID | None = None
    served: int = 0

    def done(self, week: Week) -> None:
        """Take note of a week."""
        names = [flights.name for flights in self.year.fleet.models]
        news = "; ".join(
            f"{verb} {', '.join(names[model] for model in models)}"
            for verb, models in (("retrained", week.retrained), ("put back", week.reinstated))
            if models
        )
        self.served += week.models > 0
        if self.bar is not None and self.task is not None:
            self.bar.update(
                self.task,
                completed=self.served,
                description=f"{week_start(week.week):%d %b %Y}",
                news=news,
            )
        elif self.served and (self.served % _WEEKS_A_LINE == 0 or self.served == self.weeks):
            self.screen.say(
                f"week to {week_end(week.week):%d %b}: {week.models} models, "
                f"{week.scheduled} to retrain; {news or 'nothing deployed'}"
            )


def _words(name: object) -> str:
    """Return a contract's name in small letters; empty for what is not stated."""
    return "" if name is None else str(name).lower().replace("_", " ")


def _value_in(body: bytes) -> str:
    """Return the part of an observation's body that holds its signal and value."""
    text = body.decode()
    start = text.find('"signal"')
    return text[start : start + 60] if start >= 0 else text[:60]


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def plain_table(*headings: str) -> Table:
    """Return a table without a frame, to be pasted anywhere; `>` aligns a column to the right."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(
            heading.removeprefix(">"), justify="right" if heading[:1] == ">" else "left"
        )
    return table
