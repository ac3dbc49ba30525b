"""Drills on record: what the caller says of one, at a time that can have been."""

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.fleet.intake import ahead_of_clock, latest_statable
from ledger.errors import invalid_field
from ledger.events.drills import DrillRecorded
from ledger.events.values import parse_time
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store


class Drills:
    """The drills of one ledger."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)

    def record(self, caller: Caller, drill: DrillRecorded) -> AppendResult:
        """Append that a drill was held; FIELD_INVALID where it lies ahead of the clock."""

        def decide() -> Proposal:
            if parse_time(drill.held_at) > latest_statable(self._info, self._store):
                raise invalid_field("drill.held_at", ahead_of_clock(self._info, self._store))
            return Proposal([Addition.of(drill)])

        return self._appender.append(caller, DrillRecorded.METHOD, decide)
