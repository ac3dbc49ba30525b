"""The service's account of itself: what it recorded unasked, how far it evaluated and governed.

An event now and then, so that what was recorded and is not there any more shows, and so that a span
without one shows as a gap: the server was down, or an operator had it do nothing by itself.

The answer to an account may be lost though it is on record. So each begins with a look at what is
there, and its guard refuses it where an account has come since that look.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

import structlog

from ledger import __version__
from ledger.application.accesses import Accesses
from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, none_after
from ledger.application.evaluation.evaluator import Evaluator
from ledger.application.governance.governor import Governor
from ledger.application.periodic_task import PeriodicTask
from ledger.application.refusals import Refusals
from ledger.application.signing.seals import Seals
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, is_outage
from ledger.events.proving import ServiceAccountedV3
from ledger.events.registry import typed
from ledger.events.values import format_time
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

CALLER: Final = Caller("system/service")
_METHOD: Final = "ServiceAccounted"
_TRIES: Final = 20  # each time another server accounted first
_LOOK_SECONDS_MAX: Final = 60.0
_log: Final = structlog.get_logger("ledger.accounts")


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """The parts that do something unasked on one ledger; each counts what it recorded."""

    evaluator: Evaluator | None
    governor: Governor
    seals: Seals
    seal_seconds: float
    refusals: Refusals
    accesses: Accesses


class Accounts(PeriodicTask):
    """Accounts for one ledger every so many seconds if anything was recorded, and at the end."""

    def __init__(
        self, store: Store, info: LedgerInfo, parts: ServiceParts, clock: Clock, seconds: float
    ) -> None:
        self._store = store
        self._origin = info.origin
        self._parts = parts
        self._clock = clock
        self._interval = seconds
        self._service = uuid7(clock)
        self._number = 0
        self._after = self._position = self._head()
        self._began = self._at = clock.monotonic_seconds()
        pause = min(seconds / 4, _LOOK_SECONDS_MAX)
        super().__init__(f"account {info.origin}", self.look, pause, clock)

    def stop(self) -> None:
        """Account for what is left, and end."""
        super().stop()
        try:
            self.account(is_last=True)
        except LedgerError as error:
            if not is_outage(error):  # of which the store has told
                _log.warning("accounts.lost", ledger=self._origin, why=error.message)

    def look(self) -> None:
        """Account if it is due."""
        now = self._clock.monotonic_seconds()
        if now - self._at >= self._interval:
            self.account(is_last=False)
            self._at = now

    def account(self, *, is_last: bool) -> None:
        """Append an account, unless nothing was recorded since the one before."""
        if self._look_back() == self._position:
            return

        def decide() -> Proposal:
            guard = none_after(
                self._look_back(), ServiceAccountedV3.STREAM, ServiceAccountedV3.TYPE
            )
            # All that is counted here is on record already, so it lies before the account.
            return Proposal([Addition.of(self._data(is_last=is_last))], [guard])

        appender = Appender(self._store, self._origin)
        written = appender.append(CALLER, _METHOD, decide, tries=_TRIES)
        self._number, self._position = self._number + 1, written.last_position

    def _look_back(self) -> int:
        """Take in accounts of its own that no answer told of; return how far it looked."""
        head = self._head()
        for event in self._store.events.of_types(
            self._origin,
            (ServiceAccountedV3.TYPE,),
            stream=ServiceAccountedV3.STREAM,
            after=self._position,
            at_or_before=head,
        ):
            if event.body_bytes is None:
                continue
            data = typed(event, ServiceAccountedV3)
            if data.service == self._service:
                self._number, self._position = data.number, event.position
        return head

    def _head(self) -> int:
        return self._store.events.head(self._origin).position

    def _data(self, *, is_last: bool) -> ServiceAccountedV3:
        parts, evaluator = self._parts, self._parts.evaluator
        reads = parts.accesses.recorded(self._origin)
        governed = parts.governor.settled
        return ServiceAccountedV3(
            service=self._service,
            number=self._number + 1,
            is_last=is_last,
            program=f"decision-ledger {__version__}",
            at=format_time(self._clock.now_micros()),
            ran_seconds=int(self._clock.monotonic_seconds() - self._began),
            after=self._after,
            evaluated_through=0 if evaluator is None else evaluator.settled,
            scores=0 if evaluator is None else evaluator.scores,
            decisions=0 if evaluator is None else evaluator.decisions,
            seals=parts.seals.scheduled,
            seal_seconds=ceil(parts.seal_seconds),
            refused=parts.refusals.recorded(self._origin),
            reads=reads.reads,
            reads_seconds=ceil(parts.accesses.seconds),
            accesses=reads.accesses,
            accesses_recorded=list(parts.accesses.kinds),
            governed_through=0 if governed is None else governed.position,
            governed_at=None if governed is None else format_time(governed.at),
        )
