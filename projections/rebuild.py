"""Folds a projection again beside the one in use, compares the two, and switches.

The one in use serves all the while. The rebuilt rows are stored as they grow, so that a rebuild
interrupted by a stop or a crash goes on where it was. At the end both stand at one
position with one digest each; equal or not, the rebuilt rows are put into use, because they were
folded from the ledger by the code that runs now. Where they differ the old ones are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ledger.clock import Clock
from projections.fold import Fold
from projections.runner import Runner
from projections.tables import Generation

_OVERTAKEN: Final = "another server was rebuilding the same rows, or bodies were erased"
REBUILD_EVENTS: Final = 10_000  # events a read: what they change is stored in one transaction

Outcome = Literal["equal", "different", "interrupted", "stopped"]


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """How a rebuild ended, after so many events of its own.

    `equal`, `different`: compared at `position` and switched. `interrupted`: asked to stop, or
    another server works on the same rows; the next one resumes. `stopped`: an event could not be
    folded, as `why` says. Without a comparison nothing was switched and digests are empty.
    """

    outcome: Outcome
    why: str
    position: int
    live_digest: bytes
    rebuilt_digest: bytes
    events: int
    seconds: float


def rebuild(
    runner: Runner,
    *,
    clock: Clock,
    stop: Callable[[], bool] | None = None,
    keep_before: bool = False,
) -> RebuildResult:
    """Rebuild a runner's projection up to its position, compare, switch.

    `stop` is asked before each batch. The rows in use before are dropped unless
    they differ or `keep_before`; the next rebuild drops what was kept. STORE_UNAVAILABLE where the
    tables cannot be written.
    """
    started = clock.monotonic_seconds()
    fold, generation = _begin_or_resume(runner)
    resumed_from = fold.position

    def result(
        outcome: Outcome, *, why: str = "", live: bytes = b"", rebuilt: bytes = b""
    ) -> RebuildResult:
        return RebuildResult(
            outcome=outcome,
            why=why,
            position=fold.position,
            live_digest=live,
            rebuilt_digest=rebuilt,
            events=fold.position - resumed_from,
            seconds=clock.monotonic_seconds() - started,
        )

    try:
        while (target := runner.position) - fold.position > REBUILD_EVENTS:
            if stop is not None and stop():
                return result("interrupted")
            if not _step(runner, fold, generation, target):
                return result("stopped", why=_halted(fold))
        with runner.standing_still() as live:
            # The last step too may be long after a stop, so ask before holding callers up.
            if stop is not None and stop():
                return result("interrupted")
            while fold.position < live.position:
                if not _step(runner, fold, generation, live.position):
                    return result("stopped", why=_halted(fold))
            digests = live.digest, fold.digest
            is_equal = digests[0] == digests[1]
            drop_before = is_equal and not keep_before
            if not runner.store.switch(generation, fold.position, drop_before=drop_before):
                return result("interrupted", why=_OVERTAKEN)
            runner.adopt(fold, generation)
        return result("equal" if is_equal else "different", live=digests[0], rebuilt=digests[1])
    finally:
        runner.rebuilt_position = None


def _begin_or_resume(runner: Runner) -> tuple[Fold, Generation]:
    """Return an unfinished rebuild if it can be gone on with, else a new one."""
    in_use = runner.generation.number
    found: tuple[Fold, Generation] | None = None
    for number in reversed(runner.store.generations(runner.ledger, runner.stored_name)):
        generation = runner.generation._replace(number=number)
        if number == in_use:
            continue
        fold = runner.restore(generation) if number > in_use and found is None else None
        if fold is not None and fold.position <= runner.position:
            found = fold, generation
        else:
            runner.store.drop(generation)
    if found is None:
        generation = runner.store.begin(runner.ledger, runner.stored_name)
        found = runner.begin(), generation
    runner.rebuilt_position = found[0].position
    return found


def _step(runner: Runner, fold: Fold, generation: Generation, until: int) -> bool:
    """Fold and store one batch; False where a poison event is in the way."""
    events = runner.reader.read(
        runner.ledger, after=fold.position, until=until, limit=REBUILD_EVENTS
    )
    fold.apply(events)
    fold.publish()
    fold.save(runner.store, generation, only_live=False)
    runner.rebuilt_position = fold.position
    return fold.halt is None


def _halted(fold: Fold) -> str:
    assert fold.halt is not None
    return f"position {fold.halt.position}: {fold.halt.why}"
