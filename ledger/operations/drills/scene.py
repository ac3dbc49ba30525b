"""Where a drill is performed: the ledger that it attacks, and the clock by which it is watched."""

from dataclasses import dataclass

from ledger.application.commands import Caller
from ledger.application.ledger import LedgerApplication
from ledger.clock import Clock
from ledger.events.drills import DrillRecorded
from ledger.events.values import format_time
from ledger.operations import PROGRAM
from ledger.operations.drills.attacked_ledger import AttackedLedger
from ledger.operations.drills.detection import Detection


@dataclass(frozen=True, slots=True)
class Scene:
    """One drill's own ledger, to do with as it likes."""

    subject: AttackedLedger
    clock: Clock

    def watching(self) -> Detection:
        """Return a detection that begins now: the attack has been made."""
        return Detection(self.clock)

    def watched(self) -> Detection:
        """Return what a start of a server on the database notices, and an audit of it."""
        found = self.watching()
        found.start(self.subject.settings(), self.subject.clock(self.clock))
        found.audit(self.subject.database, self.subject.origin)
        return found


def write_something(ledger: LedgerApplication) -> None:
    """Append an event that any ledger takes."""
    note = DrillRecorded(
        drill="inside",
        kind="built_in",
        scenario="An event of a drill, in the ledger that it was performed on.",
        held_at=format_time(0),
        participants=[],
        program=PROGRAM,
        detected=False,
        detected_by=[],
        micros_to_detect=None,
        findings=[],
        follow_ups=[],
    )
    ledger.drills.record(Caller("users/drill"), note)
