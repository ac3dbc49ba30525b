"""Confirming the server's clock for one ledger.

Only an actor whom the operator has named may confirm it.
"""

from typing import Final

from ledger.application.appender import Addition, Appender, Proposal, encoded
from ledger.application.commands import Caller, fields_named
from ledger.errors import invalid_field
from ledger.events.system import ClockStepped
from ledger.events.values import format_time
from ledger.storage.records import AppendResult, ClockStep, LedgerInfo, NewEvent
from ledger.storage.store import Store

_EPOCH: Final = format_time(0)


class Clocks:
    """The clock of one ledger."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)

    def confirm(self, caller: Caller, reason: str) -> AppendResult:
        """Record that the clock is right; FIELD_INVALID where nothing speaks against it."""
        if self._info.clock == "data":
            raise invalid_field(
                "ledger",
                "takes its time from its data, so it has no clock to confirm",
                remedy="Nothing needs to be done.",
            )
        with fields_named():  # before anything is believed
            stated = ClockStepped(clock_at=_EPOCH, expected_at=None, head_at=_EPOCH, reason=reason)

        def event(step: ClockStep) -> NewEvent:
            expected = step.expected
            data = stated.model_copy(
                update={
                    "clock_at": format_time(step.at),
                    "expected_at": None if expected is None else format_time(expected),
                    "head_at": format_time(step.head),
                }
            )
            return encoded(caller, Addition.of(data))

        request = self._appender.request(caller, ClockStepped.METHOD, Proposal(()))
        return self._store.clocks.confirm(request, event)
