"""Leases that run out: by the ledger's time, and no sooner than the machine has really waited.

A clock that leaps ahead by minutes is believed, and would end every lease at once. So a lease of a
`wall` ledger ends only if the whole of it has passed on the monotonic clock too, since this server
first saw it or last heard its executor. A heartbeat is heard also if it could not be recorded, for
the clock was wrong or the disk full. How much of a lease is left by the clock does not shorten the
wait: across a restart the clock may have leapt as well.
"""

import threading
from collections.abc import Iterable

from ledger.clock import Clock
from ledger.jobs.machine import Job

_Key = tuple[str, int, int]


class LeaseWatch:
    """The leases of one ledger as one server has seen them. Safe between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waits: dict[_Key, float] = {}
        """Until when each is waited for, on the monotonic clock."""

    def heard(self, job: Job) -> None:
        """Wait for the whole lease of a job again: its executor is alive."""
        with self._lock:
            self._waits[_key(job)] = self._end(job)

    def over(self, leased: Iterable[Job], now: int) -> list[Job]:
        """Return the leased jobs whose lease is over at a time of the ledger."""
        found: list[Job] = []
        with self._lock:
            seen = {_key(job): job for job in leased}
            self._waits = {key: self._waits.get(key, self._end(job)) for key, job in seen.items()}
            monotonic = self._clock.monotonic_seconds()
            for key, job in seen.items():
                assert job.lease is not None, "it is leased"
                if job.lease.expires_at <= now and self._waits[key] <= monotonic:
                    found.append(job)
        return found

    def _end(self, job: Job) -> float:
        return self._clock.monotonic_seconds() + float(job.proposed["limits"]["lease_seconds"])


def _key(job: Job) -> _Key:
    assert job.lease is not None, "it is leased"
    return job.name, job.token, job.lease.expires_at
