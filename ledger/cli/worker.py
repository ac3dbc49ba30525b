"""`decision-ledger worker`: the reference executor, in the foreground until it is told to stop."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ledger.cli import output
from ledger.cli.exits import Exit
from ledger.cli.session import session
from ledger.events.notation import counted
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.worker.calls import Tell

_PATIENCE_ONCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = "5s"


def worker(
    recipes: Annotated[
        Path, typer.Option(help="Folder with a folder for each recipe, under its id.")
    ],
    work: Annotated[
        Path, typer.Option(help="Folder of this worker: its state, and the files of its jobs.")
    ] = Path("worker"),
    poll: Annotated[
        str, typer.Option(metavar="SPAN", help="How long to wait before looking for work again.")
    ] = _POLL_SECONDS,
    once: Annotated[
        bool, typer.Option("--once", help="End once nothing is left to do; for scripts and cron.")
    ] = False,
    give_up: Annotated[
        bool,
        typer.Option(
            "--give-up", help="When told to end, give the job up; for workers that do not return."
        ),
    ] = False,
) -> None:
    """Lease jobs, run the steps of their recipes and report numbers, until SIGTERM or Ctrl-C.

    A step that runs then is ended. The lease stays: a worker that is started again in the same
    folder before it is over goes on with it. With --give-up it is given up, which is an attempt,
    and another worker takes the job at once. With --once the exit is 1 if a job was left
    because its step failed or its lease was lost.
    """
    import math

    from ledger.worker.executor import Worker, WorkerOptions
    from ledger.worker.state import WorkerError
    from ledger.worker.stopping import StopSignal

    chosen = session()
    options = WorkerOptions(
        recipes,
        work,
        is_once=once,
        poll_seconds=_seconds(poll),
        patience_seconds=_PATIENCE_ONCE_SECONDS if once else math.inf,
        gives_up=give_up,
    )
    stop = StopSignal()
    stop.take_signals()
    try:
        made = Worker(chosen.client, options, chosen.clock, stop, _teller(as_json=chosen.as_json))
        worked = made.run()
    except WorkerError as error:
        raise MisuseError(error.message, error.remedy) from error
    failed = [one for one in worked if one.end in {"step_failed", "lost"}]
    chosen.show({"jobs": worked}, f"Worked on {counted(len(worked), 'job')}.")
    if once and failed:
        raise typer.Exit(Exit.REFUSED)


def _seconds(text: str) -> float:
    from ledger.events.notation import parse_duration

    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise MisuseError(f"--poll: {error}.") from error


def _teller(*, as_json: bool) -> "Tell":
    """Return what tells people, or programs with --json, what happens: a line each, with a time."""
    from datetime import UTC, datetime

    clock = session().clock

    def tell(event: str, sentence: str, facts: dict[str, Any]) -> None:
        at = output.iso(datetime.fromtimestamp(clock.now_micros() / 1_000_000, UTC))
        if as_json:
            output.say(output.json_text({"time": at, "event": event, **facts}))
        else:
            output.say(f"{at[:19]}Z {sentence}")

    return tell
