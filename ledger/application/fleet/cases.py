"""Escalations and tasks of a model as its events left them, read without any fold of the ledger."""

from collections.abc import Iterable

from ledger.application.commands import case_streams
from ledger.application.policies.history import PolicyHistory
from ledger.events.cases import CASE_TYPES
from ledger.events.envelope import RecordedEvent
from ledger.governance.cases import ModelCases
from ledger.storage.records import Guard


class CaseReader(PolicyHistory):
    """Reads what is open for the models of one ledger, beside its policies."""

    def cases(self, model: str, as_of: int) -> ModelCases:
        """Return what is open for people about a model at a position, escalations and tasks."""
        cases = ModelCases()
        for stream in case_streams(model):
            for event in self._events.of_types(
                self._ledger, CASE_TYPES, stream=stream, at_or_before=as_of
            ):
                cases = with_case(cases, event, is_gone=self.erasures.passes_over(event, as_of))
        return cases


def same_cases(cases: ModelCases, streams: Iterable[str]) -> list[Guard]:
    """Return the guards that a model's cases in these streams are as they were."""
    return [Guard(stream, CASE_TYPES, expected_count=cases.count(stream)) for stream in streams]


def with_case(cases: ModelCases, event: RecordedEvent, *, is_gone: bool = False) -> ModelCases:
    """Return what is open for people after one more event of a model's cases."""
    if is_gone:
        return cases.applied(event.position, event.type, "", None)
    return cases.applied(event.position, event.type, event.body.actor, event.data)
