"""Shadows as their events left them: those that run, and what each scored and decided last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from ledger.application.commands import shadow_stream
from ledger.application.fleet.history import History, HistoryReader, PriorDecision
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import decode_data, typed
from ledger.events.shadows import (
    SHADOW_DECISION_TYPES,
    SHADOW_TYPES,
    ShadowDecided,
    ShadowScored,
)
from ledger.governance.shadows import Shadows
from ledger.storage.events import Events

S = TypeVar("S", ShadowScored, ShadowDecided)
_PAGE: Final = 16


@dataclass(frozen=True, slots=True)
class ShadowReader:
    """Reads the shadows of one ledger as of any position."""

    events: Events
    ledger: str
    histories: HistoryReader

    def running(self, as_of: int) -> Shadows:
        """Return the shadows that run at a position; what cannot be read counts as erased."""
        shadows = Shadows()
        for event in self.events.of_types(self.ledger, SHADOW_TYPES, at_or_before=as_of):
            data = self._data(event, as_of)
            shadows = shadows.applied(event.position, event.stream, event.type, data)
        return shadows

    def _data(self, event: RecordedEvent, as_of: int) -> dict[str, Any] | None:
        try:
            is_gone = self.histories.erasures.passes_over(event, as_of)
            return None if is_gone else decode_data(event).to_data()
        except LedgerError as error:
            if error.reason is not Reason.EVENT_UNREADABLE:
                raise
            return None

    def history(self, real: History, shadow: int) -> History:
        """Return a model's history as a shadow takes it: decided by itself, and not overridden."""
        return of_shadow(real, self.last_decision(real, shadow))

    def last_decision(self, real: History, shadow: int) -> PriorDecision | None:
        """Return the shadow's last decision of a model."""
        found = self._newest(ShadowDecided, SHADOW_DECISION_TYPES, real, shadow)
        return next((PriorDecision(data, at, None) for at, data in found), None)

    def last_decisions(self, shadow: int, as_of: int) -> dict[str, ShadowDecided]:
        """Return what a shadow decided last of each model, by one read of its time.

        As `last_decision`: none of a model of which an erased event is newer.
        """
        decided: dict[str, ShadowDecided] = {}
        for event in self.events.of_types(
            self.ledger, SHADOW_DECISION_TYPES, after=shadow, at_or_before=as_of
        ):
            model = event.stream.partition("/")[2]
            if self.histories.erasures.passes_over(event, as_of):
                decided.pop(model, None)
                continue
            data = typed(event, ShadowDecided)
            if data.shadow == shadow:
                decided[model] = data
        return decided

    def last_score(
        self, real: History, shadow: int, version: str | None
    ) -> tuple[ShadowScored, int] | None:
        """Return the shadow's last score of a model version."""
        for at, data in self._newest(ShadowScored, (ShadowScored.TYPE,), real, shadow):
            if data.model_version == version:
                return data, at
        return None

    def last_priorities(self, models: Sequence[History], shadow: int) -> dict[str, int]:
        """Return the priority in the shadow's last score of each of many models that has one.

        A model that another shadow scored after it costs a read of its own.
        """
        of_streams = {shadow_stream(one.model): one for one in models}
        as_of = max((one.as_of for one in models), default=0)
        newest = self.events.newest_of_each(
            self.ledger, list(of_streams), (ShadowScored.TYPE,), at_or_before=as_of
        )
        found: dict[str, int] = {}
        for stream, event in newest.items():
            model = of_streams[stream]
            if event.position <= shadow or self.histories.erasures.passes_over(event, as_of):
                continue
            data: ShadowScored | None = typed(event, ShadowScored)
            if data is not None and data.shadow != shadow:
                scores = self._newest(ShadowScored, (ShadowScored.TYPE,), model, shadow)
                data = next((one for _, one in scores), None)
            if data is not None:
                found[model.model] = data.priority
        return found

    def _newest(
        self, kind: type[S], types: tuple[str, ...], real: History, shadow: int
    ) -> Iterator[tuple[int, S]]:
        """Yield what a shadow recorded of a model, newest first, up to an erased event."""
        until = real.as_of
        while True:
            events = self.events.of_types(
                self.ledger, types, stream=shadow_stream(real.model), after=shadow,
                at_or_before=until, limit=_PAGE, descending=True,
            )  # fmt: skip
            for event in events:
                if self.histories.erasures.passes_over(event, real.as_of):
                    return
                data = typed(event, kind)
                if data.shadow == shadow:
                    yield event.position, data
            if len(events) < _PAGE:
                return
            until = events[-1].position - 1


def of_shadow(real: History, decision: PriorDecision | None) -> History:
    """Return a model's history with a shadow's last decision, and without overrides."""
    return replace(real, overrides=[], decision=decision, score=None)
