"""The drills that are built in, and performing them one after another, each on its own copy."""

import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from ledger.clock import Clock
from ledger.operations.drills import clocks, flood, rollback, sources, starts, stored
from ledger.operations.drills.attacked_ledger import AttackedLedger, AttackedLedgers
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.scene import Scene
from ledger.operations.failures import MisuseError
from ledger.setting_sections import Settings


class BuiltIn(NamedTuple):
    """A drill: what is tried, how, and whether it needs a ledger of its own anyhow."""

    scenario: str
    carry_out: Callable[[Scene], Detection]
    is_own: bool = False


POISONED: Final = "poisoned-source"
BUILT_IN: Final[dict[str, BuiltIn]] = {
    "tampered-row": BuiltIn(
        "A digit in the body of a stored event is changed.", stored.tampered_row
    ),
    "forged-append": BuiltIn(
        "An event is appended to the database, with every hash right and without a key.",
        stored.forged_append,
    ),
    "forged-approval": BuiltIn(
        "A person without a role writes into the database that they may approve, and do.",
        stored.forged_approval,
    ),
    POISONED: BuiltIn(
        "One source reports absurd values of every signal of a model.", sources.poisoned_source
    ),
    "flood": BuiltIn("One source sends as much as it can.", flood.flood, is_own=True),
    "restored-backup": BuiltIn(
        "A backup is put back that lacks an event of a published checkpoint.",
        starts.restored_backup,
    ),
    "lost-key": BuiltIn("The master key is gone when the server starts.", starts.lost_key),
    "rollback": BuiltIn(
        "A version that a job brought into service does worse than its recipe allows.",
        rollback.rollback,
        is_own=True,
    ),
    "clock-ahead": BuiltIn(
        "The server's clock is wound two hours ahead.", clocks.clock_ahead, is_own=True
    ),
    "clock-back": BuiltIn(
        "The server's clock is wound two hours back.", clocks.clock_back, is_own=True
    ),
    "stopped-clock": BuiltIn(
        "The server's clock does not move for two hours.", clocks.stopped_clock, is_own=True
    ),
}
"""By name, in the order in which they are performed."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """The outcome of one drill."""

    drill: str
    scenario: str
    """The attack, and the ledger that was attacked."""
    detected: bool
    detected_by: tuple[str, ...]
    """Rules of the auditor, reasons of refusals, bounds of a policy; the first to notice first."""
    micros_to_detect: int | None
    findings: tuple[str, ...]
    held_at: int


def chosen_drills(names: Sequence[str]) -> list[str]:
    """Return the drills that are named, all if none is; MisuseError for a name that is of none."""
    for name in names:
        if name not in BUILT_IN:
            near = get_close_matches(name, BUILT_IN, 1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise MisuseError(
                f"There is no drill {name[:80]!r}: {meant}".rstrip(": ") + ".",
                f"Drills: {', '.join(BUILT_IN)}.",
            )
    return [name for name in BUILT_IN if not names or name in names]


def perform(
    names: Sequence[str],
    settings: Settings,
    origin: str,
    clock: Clock,
    tell: Callable[[str, int], None],
) -> Generator[DrillResult]:
    """Perform drills on copies of a ledger that settings name, and yield what came of each.

    `tell` is told which drill begins, and how many are done. The ledger itself is only read. All
    copies are gone when this ends, however it ends.
    """
    with tempfile.TemporaryDirectory(prefix="decision-ledger-drill-") as folder:
        subjects = AttackedLedgers(settings, origin, Path(folder), clock)
        for done, name in enumerate(names):
            tell(name, done)
            drill = BUILT_IN[name]
            base = subjects.own if drill.is_own else subjects.copy
            if name == POISONED and not sources.can_be_poisoned(Scene(base, clock)):
                base = subjects.own
            yield _performed(name, drill, base, clock)


def _performed(name: str, drill: BuiltIn, base: AttackedLedger, clock: Clock) -> DrillResult:
    held_at, place = clock.now_micros(), str(base.database.parent)
    subject = base.copied(name)
    try:
        found = drill.carry_out(Scene(subject, clock))
    finally:
        subject.remove()
    on = f"on a copy of {base.origin}" if base.is_copy else "on a small ledger made for it"
    return DrillResult(
        name,
        f"{drill.scenario} Performed {on}.",
        bool(found.names),
        tuple(found.names),
        found.micros,
        tuple(what.replace(place, "the drill's folder") for what in found.said),
        held_at,
    )
