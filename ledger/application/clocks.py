"""Confirming the server's clock, by an actor whom the operator has named."""

from typing import Final

from ledger.application.commands import Caller, Written, fields_named
from ledger.errors import invalid_field
from ledger.events.envelope import encode_body
from ledger.events.system import ClockStepped
from ledger.events.values import format_time
from ledger.storage.store import AppendRequest, LedgerInfo, NewEvent, Store
from ledger.storage.timekeeping import Step

METHOD: Final = "ConfirmClock"
_EPOCH: Final = format_time(0)


class Clocks:
    """Confirms the clock for one ledger."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info

    def confirm(self, caller: Caller, reason: str) -> Written:
        """Record that the clock is right; FIELD_INVALID where nothing speaks against it."""
        if self._info.clock == "data":
            raise invalid_field(
                "ledger",
                "takes its time from its data, so it has no clock to confirm",
                remedy="Nothing needs to be done.",
            )
        with fields_named():  # before anything is believed
            stated = ClockStepped(clock_at=_EPOCH, expected_at=None, head_at=_EPOCH, reason=reason)

        def event(step: Step) -> NewEvent:
            expected = step.expected
            data = stated.model_copy(
                update={
                    "clock_at": format_time(step.at),
                    "expected_at": None if expected is None else format_time(expected),
                    "head_at": format_time(step.head),
                }
            )
            body = encode_body(
                actor=caller.actor, data=data.to_data(), request_id=caller.request_id
            )
            return NewEvent(ClockStepped.STREAM, ClockStepped.TYPE, body)

        request = AppendRequest(
            ledger=self._info.origin,
            actor=caller.actor,
            method=METHOD,
            events=[],
            request_id=caller.request_id,
            digest=caller.digest,
            deadline_monotonic=caller.deadline_monotonic,
        )
        return Written.of(self._store.confirm_clock(request, event))
