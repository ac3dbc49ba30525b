"""Run the demo: a year of flights, a real server, a ledger that can be checked.

Exit code 0 means that every replay was identical, the chain verified, the edit was found where it
was made, over the whole year the ledger's way of choosing lost less than every other, a job run
again gave the same, the audit of the jobs found nothing and, with `--train`, every version could be
trained again to the same bytes; 1 that one of these failed. (The worth of a few weeks is shown, and
proves nothing.)
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.client import LedgerClient
from tools.demo.fleet import Fleet
from tools.demo.flights import load_flights, models_of, read_flights
from tools.demo.job_views import show_act
from tools.demo.proofs import (
    edit_a_copy,
    keep_evidence,
    replay_everything,
    verify_everything,
)
from tools.demo.rivals import (
    Alarms,
    Never,
    RoundRobin,
    errors_rose,
    inputs_moved,
    last_served_week,
    simulate,
)
from tools.demo.screen import Contender, Screen
from tools.demo.server import ACTOR, LEDGER_FILE, serving
from tools.demo.year import ORIGIN, Payoff, Year, best_retraining, week_end

OURS: Final = "the ledger"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code."""
    options = _parser().parse_args(arguments)
    started = time.monotonic()
    screen = Screen()
    with _workplace(options.data) as directory:
        good = run(
            screen,
            directory,
            weeks=options.weeks,
            is_kept=options.data is not None,
            is_trained_again=options.train,
        )
    screen.say()
    screen.say(f"{time.monotonic() - started:.0f} s in all.")
    return 0 if good else 1


def run(
    screen: Screen,
    directory: Path,
    *,
    weeks: int | None,
    is_kept: bool,
    is_trained_again: bool = False,
    has_jobs: bool = True,
) -> bool:
    """Run everything in a directory; return whether all went as promised."""
    with screen.busy("reading the flights of 2013"):
        flights = read_flights()
        fleet = Fleet(models_of(flights))
    served = last_served_week(fleet, weeks) - fleet.first_trained_week
    screen.say(
        f"{len(fleet.models)} delay models, one per carrier and airport; each trained on six weeks "
        f"of 2013, then served for {served}. Server and ledger are real, the flights too."
    )
    with (
        serving(directory) as server,
        LedgerClient(server.address, ledger=ORIGIN, actor=ACTOR) as client,
    ):
        client.create_ledger(ORIGIN, clock="data")
        year = Year(client, fleet, weeks)
        year.set_up()
        with screen.progress(year, served) as progress:
            for week in year.run():
                progress.done(week)
        payoff = best_retraining(fleet, year)
        if payoff is not None:
            _show_week(screen, client, year, payoff)
        good = _compare(screen, fleet, year, weeks)
        good = replay_everything(screen, client) and good
        kept = verify_everything(screen, client)
        good = edit_a_copy(screen, directory, kept, year, payoff) and good
        if has_jobs:
            good = show_act(screen, server, directory, flights, is_kept=is_kept) and good
        if is_kept:
            keep_evidence(screen, client, directory, kept)
    return (not is_trained_again or _train_again(screen, fleet)) and good


def _show_week(screen: Screen, client: LedgerClient, year: Year, payoff: Payoff) -> None:
    """Show the week whose retraining paid best, as it was known then, and why it was decided."""
    week = next(done for done in year.history if done.week == payoff.week)
    name = year.fleet.models[payoff.model].name
    screen.section(f"The fleet as of {week_end(week.week):%d %B}, read back at the end of the year")
    priorities = client.list_priorities(as_of_position=week.position, order_by="LAST_PLAN")
    screen.ranking(priorities.priorities, week)
    screen.section(f"Why {name} was to be retrained; it saved {payoff.saved:,.0f} nats")
    screen.explanation(client.explain_decision(year.decisions[payoff.model, payoff.week]))


def _compare(screen: Screen, fleet: Fleet, year: Year, weeks: int | None) -> bool:
    """Measure the other ways of choosing; return whether the ledger's lost least in a year."""
    screen.section("The value of the plan, against other ways of spending the same")
    with screen.busy("serving the year again, chosen otherwise"):
        rivals = [
            Contender("never retraining", simulate(fleet, Never(), weeks=weeks)),
            Contender("round robin", simulate(fleet, RoundRobin(), weeks=weeks)),
            Contender("drift alarms on inputs", simulate(fleet, Alarms(inputs_moved), weeks=weeks)),
            Contender("drift alarms on errors", simulate(fleet, Alarms(errors_rose), weeks=weeks)),
            Contender(
                "round robin with reuse",
                simulate(fleet, RoundRobin(), weeks=weeks, reuse=True),
            ),
        ]
    last = last_served_week(fleet, weeks)
    flights = sum(
        fleet.rows(model, week)
        for model in range(len(fleet.models))
        for week in range(fleet.first_trained_week + 1, last + 1)
        if (model, week) in year.outcome.in_service
    )
    served = last - fleet.first_trained_week
    screen.comparison([*rivals, Contender(OURS, year.outcome)], served, flights)
    return weeks is not None or all(year.outcome.loss < one.outcome.loss for one in rivals)


def _train_again(screen: Screen, fleet: Fleet) -> bool:
    """Train all versions again from the flights; return whether they are the same to the byte."""
    with screen.busy("training all versions again"):
        again = Fleet(load_flights())
        kept = fleet.trained()
        others = [key for key, version in kept.items() if not version.is_same(again.version(*key))]
    screen.say(
        f"{len(kept)} versions trained again: "
        + (f"{len(others)} differ." if others else "the same bytes.")
    )
    return not others


@contextmanager
def _workplace(data: Path | None) -> Iterator[Path]:
    """Return the directory to work in: the one named, or one that is gone afterwards."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="decision-ledger-demo-") as directory:
            yield Path(directory)
        return
    data.mkdir(parents=True, exist_ok=True)
    if (data / LEDGER_FILE).exists():
        sys.exit(f"{data / LEDGER_FILE} exists, and a ledger is never overwritten; name another.")
    yield data


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.demo", description="The product on real data.")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep the ledger, an export bundle of it and the verifier key there",
    )
    parser.add_argument(
        "--train",
        action="store_true",
        help="train all versions once more in the end, and compare them to the byte",
    )
    parser.add_argument(
        "--weeks", type=_weeks, metavar="N", help="serve only the first N weeks; the year is 45"
    )
    return parser


def _weeks(text: str) -> int:
    """Return a number of weeks: 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
