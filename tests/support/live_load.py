"""Threads that submit to a server until it is gone, and what they know of each request then.

What was answered must be on record for ever; what was not may be, and is sent again with its id.
"""

import threading
from dataclasses import dataclass, field

from ledger.client import BatchResult, ClientError
from tests.support.live_fleet import Observed, Row
from tests.support.server_process import client

SIZES = (1, 2, 7, 5)
CALLERS = 3
REQUESTS_MAX = 40  # of one thread in one run, so that verifying stays quick


@dataclass
class Load:
    """What was sent and what was answered, by request id."""

    observed: Observed = field(default_factory=Observed)
    sent: dict[str, tuple[str, list[Row]]] = field(default_factory=dict)
    """The actor and the observations."""
    answered: dict[str, tuple[int, int]] = field(default_factory=dict)
    """First and last position."""
    failures: list[ClientError] = field(default_factory=list)
    """What ended the threads."""

    def unanswered(self) -> list[str]:
        """Return the requests of which it is not known whether they are on record."""
        return [request_id for request_id in self.sent if request_id not in self.answered]

    def run(self, address: str, name: str) -> list[threading.Thread]:
        """Start threads that submit until the server is gone, or they have sent enough."""
        threads = [
            threading.Thread(target=self._call, args=(address, f"{name}-{caller}", SIZES[caller]))
            for caller in range(CALLERS)
        ]
        threads.append(threading.Thread(target=self._stream, args=(address, f"{name}-s")))
        for thread in threads:
            thread.start()
        return threads

    def _call(self, address: str, name: str, size: int) -> None:
        actor = f"services/monitor-{size}"
        with client(address, actor) as ledger:
            for number in range(REQUESTS_MAX):
                rows = self.observed.rows(size)
                request_id = f"{name}-{number}"
                self.sent[request_id] = (actor, rows)
                try:
                    appended = ledger.submit(rows, request_id=request_id)
                except ClientError as error:
                    self.failures.append(error)
                    return
                self.answered[request_id] = (appended.first_position, appended.position)

    def _stream(self, address: str, name: str) -> None:
        actor = "services/stream"
        with client(address, actor) as ledger:
            stream = ledger.stream_signals(window=3, on_result=self._hear)
            try:
                for number in range(REQUESTS_MAX):
                    rows = self.observed.rows(SIZES[-1])
                    request_id = f"{name}-{number}"
                    self.sent[request_id] = (actor, rows)
                    stream.send(rows, request_id=request_id)
                stream.flush()
            except ClientError as error:
                self.failures.append(error)
            finally:
                stream.close()

    def _hear(self, result: BatchResult) -> None:
        assert result.appended is not None, result.error
        appended = result.appended
        self.answered[result.request_id] = (appended.first_position, appended.position)

    def send_again(self, address: str) -> None:
        """Send what was not answered once more; both ways share their request ids."""
        with client(address) as ledger:
            for request_id in self.unanswered():
                actor, rows = self.sent[request_id]
                appended = ledger.using(actor=actor).submit(rows, request_id=request_id)
                self.answered[request_id] = (appended.first_position, appended.position)

    def positions(self) -> list[int]:
        """Return every position that an answer named, ascending."""
        answers = self.answered.values()
        return sorted(p for first, last in answers for p in range(first, last + 1))
