"""Leases that run out: by the ledger's time, and no sooner than the machine has really waited.

A clock that leaps ahead by minutes is believed, and would end every lease at once. So a lease of a
`wall` ledger ends only if the time that was left when this server first saw it has passed on the
monotonic clock too; one that seemed over then is waited for in full. An executor that beats in
time never loses its job to a leap.
"""

from collections.abc import Iterable

from ledger.clock import Clock
from ledger.events.values import SECOND
from ledger.jobs.machine import Job


class LeaseWatch:
    """The leases of one ledger as one server has seen them. For one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits: dict[tuple[str, int, int], float] = {}
        """Until when each is waited for, on the monotonic clock."""

    def over(self, leased: Iterable[Job], now: int) -> list[Job]:
        """Return the leased jobs whose lease is over at a time of the ledger."""
        monotonic = self._clock.monotonic_seconds()
        seen: dict[tuple[str, int, int], float] = {}
        found: list[Job] = []
        for job in leased:
            assert job.lease is not None, "it is leased"
            key = job.name, job.token, job.lease.expires_at
            seconds = float(job.proposed["limits"]["lease_seconds"])
            left = (job.lease.expires_at - now) / SECOND
            wait = left if 0 < left < seconds else seconds
            seen[key] = self._waits.get(key, monotonic + wait)
            if left <= 0 and monotonic >= seen[key]:
                found.append(job)
        self._waits = seen
        return found
