"""Changes of authority: judged as an auditor judges them, then recorded or proposed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.authority.authority import Authority, unchanged
from ledger.application.commands import Caller
from ledger.authority.changes import PROPOSAL_SECONDS, change_fault, needs_second
from ledger.authority.state import AuthorityState
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.authority import (
    PROPOSABLE,
    AdministratorNamed,
    AuthorityEvent,
    AuthorityProposed,
)
from ledger.events.values import SECOND, format_time
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_log: Final = structlog.get_logger("ledger.authority")
_TRIES: Final = 3  # each time another change of authority came first
_PLACE_UNKNOWN: Final = 0  # no change but the first administrator's depends on where it is


_Decide: TypeAlias = Callable[[], Proposal]


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """The place of a change, and whether it waits for a second administrator."""

    written: AppendResult
    is_proposed: bool


class AuthorityChanges:
    """Records changes of one ledger's authority. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, authority: Authority, clock: Clock) -> None:
        self._appender = Appender(store, info.origin)
        self._authority = authority
        self._clock = clock
        self._on_changed: list[Callable[[], None]] = []

    def on_changed(self, callback: Callable[[], None]) -> None:
        """Register what looks at authority after each change."""
        self._on_changed.append(callback)

    def record(self, caller: Caller, method: str, data: AuthorityEvent) -> ChangeOutcome:
        """Record a change, or propose it; AUTHORITY_REFUSED says why it may not be made."""

        def decide() -> Proposal:
            state, now = self._newest()
            made: AuthorityEvent = data
            if needs_second(state, data.TYPE, data.to_data()):
                until = format_time(now + PROPOSAL_SECONDS * SECOND)
                made = AuthorityProposed(type=data.TYPE, change=data.to_data(), until=until)
            return _judged(state, caller, made, now)

        written = self._append(caller, method, decide)
        if isinstance(data, AdministratorNamed):
            _log.warning(
                "authority.administrator_named", actor=data.actor, position=written.last_position
            )
        return ChangeOutcome(written, self._is_proposed(written))

    def approve(self, caller: Caller, method: str, position: int) -> AppendResult:
        """Carry out what another administrator proposed; AUTHORITY_REFUSED says why not."""

        def decide() -> Proposal:
            state, now = self._newest()
            proposal = state.proposals.get(position)
            if proposal is None:
                raise refused(f"position {position} holds no proposal that waits for approval")
            made = PROPOSABLE[proposal.type].from_data({**proposal.change, "proposal": position})
            return _judged(state, caller, made, now)

        return self._append(caller, method, decide)

    def _newest(self) -> tuple[AuthorityState, int]:
        """Return the authority at the head, and the time."""
        self._authority.refresh()
        return self._authority.state, self._clock.now_micros()

    def _append(self, caller: Caller, method: str, decide: _Decide) -> AppendResult:
        written = self._appender.append(caller, method, decide, tries=_TRIES)
        self._authority.refresh()
        for callback in self._on_changed:
            callback()
        return written

    def _is_proposed(self, written: AppendResult) -> bool:
        return self._appender.event(written.last_position).type == AuthorityProposed.TYPE


def _judged(state: AuthorityState, caller: Caller, made: AuthorityEvent, now: int) -> Proposal:
    """Return the proposal of a change, guarded by what it was judged by; AUTHORITY_REFUSED."""
    fault = change_fault(state, _PLACE_UNKNOWN, made.TYPE, caller.actor, made.to_data(), now)
    if fault:
        raise refused(fault)
    return Proposal([Addition.of(made)], [unchanged(state)])


def refused(fault: str) -> LedgerError:
    """Return the refusal of a change of authority."""
    return LedgerError(
        Reason.AUTHORITY_REFUSED,
        f"The change of authority was refused: {fault}.",
        remedy="Nothing was recorded. `authority why ACTOR ACTION` says by which grants an actor "
        "may do what.",
        metadata={"why": fault},
    )
