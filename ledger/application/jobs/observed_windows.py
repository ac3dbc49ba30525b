"""The ledger's own observations of the versions that jobs have deployed, as of the head."""

from ledger.application.commands import model_stream
from ledger.application.erasure import Erasures, at_newest_head
from ledger.events.corrections import uncorrected
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.job_parts import ObservedSignalPart
from ledger.jobs.machine import Job
from ledger.jobs.observed import SeenSignal, observed_in, window_of
from ledger.storage.records import Head, LedgerInfo
from ledger.storage.store import Store


class ObservedWindows:
    """Reads what was observed of the versions of one ledger's jobs."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._events = store.events
        self._origin = info.origin
        self._erasures = Erasures(store.events, info.origin)

    def of(self, job: Job) -> list[ObservedSignalPart]:
        """Return what was observed of each signal that a job's gate names; empty for none."""
        window = window_of(job)
        if window is None:
            return []

        def found(head: Head) -> list[ObservedSignalPart]:
            events = self._events.observations(
                self._origin,
                model_stream(job.model),
                observed_from=window[0],
                observed_until=window[1],
                at_or_before=head.position,
            )
            known = uncorrected(self._erasures.known(events, head.position))
            return observed_in(job, map(_seen, known))

        return at_newest_head(self._events, self._origin, found)


def _seen(event: RecordedEvent) -> SeenSignal:
    seen = parse_observed(event)
    return SeenSignal(
        event.position,
        seen.model_version,
        seen.signal,
        seen.observed_at,
        seen.source,
        seen.sample_size,
        seen.value,
    )
