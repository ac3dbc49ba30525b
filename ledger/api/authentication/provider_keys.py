"""The keys of a provider as they are now: read from a file or a URL, and read again.

`look` is called for each token and costs next to nothing: a look at the file, or at the time. A URL
is fetched on a thread of its own, one at a time for each provider, so that no call waits for the
network on a thread of the server. Keys that were read count until others take their place: while a
provider is down, its tokens that are still good go on counting.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from ledger.api.authentication.key_fetch import fetch
from ledger.api.authentication.key_set import KeySet, parse_keys
from ledger.clock import Clock
from ledger.limits import KEYS_FETCH_SECONDS, KEYS_OF_PROVIDER_BYTES_MAX, KEYS_RETRY_SECONDS
from ledger.reading import fault, read_plain

_log: Final = structlog.get_logger("ledger.authentication")


def read_source(source: str, ca: str) -> bytes:
    """Return the JWKS behind a URL or in a file; OSError or ValueError where it cannot be read."""
    if "://" in source:
        return fetch(source, ca, KEYS_FETCH_SECONDS, KEYS_OF_PROVIDER_BYTES_MAX)
    return read_plain(Path(source), KEYS_OF_PROVIDER_BYTES_MAX)


class ProviderKeys(Protocol):
    """Where keys come from."""

    generation: int
    """Grows with every change of the keys: what was verified before is verified again."""
    keys: KeySet
    problem: str
    """The reason why the newest attempt to read them failed; empty where it did not."""

    @property
    def is_reading(self) -> bool:
        """Whether they are being read at this moment, on another thread."""

    def look(self) -> None:
        """See that the keys are read again where that is due."""

    def miss(self) -> None:
        """See that they are read again, if it may be, because a token names an unknown key."""

    def retry_seconds(self) -> float:
        """Return in how many seconds they may be read again."""


class FileKeys:
    """Keys in a file, read again when it is changed or replaced."""

    is_reading = False

    def __init__(self, path: Path, algorithms: Sequence[str]) -> None:
        self._path = path
        self._algorithms = algorithms
        self._seen: tuple[int, ...] | None = None
        self._lock = threading.Lock()
        self.generation = 0
        self.keys = KeySet()
        self.problem = ""

    def look(self) -> None:
        """Read the file again where it is not the one that was read."""
        seen: tuple[int, ...] = ()
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)
        except OSError:
            pass  # reading says what is wrong with it
        if seen == self._seen:
            return
        with self._lock:
            if seen != self._seen:
                self._read()
                self._seen = seen  # last: another thread that sees it sees the keys too

    def miss(self) -> None:
        """Do nothing: `look` was called, and what the file holds is known."""

    def retry_seconds(self) -> float:
        """Return the usual pause: a file changes when it does."""
        return KEYS_RETRY_SECONDS

    def _read(self) -> None:
        try:
            self.keys = parse_keys(read_source(str(self._path), ""), self._algorithms)
        except (OSError, ValueError) as error:
            self.problem = fault(error)
            _log.warning("provider.keys", source=str(self._path), why=self.problem)
        else:
            self.problem = self.keys.problem
            self.generation += 1


class UrlKeys:
    """Keys behind a URL, fetched once they are old, or when a token names one that is not known."""

    def __init__(
        self,
        url: str,
        algorithms: Sequence[str],
        clock: Clock,
        *,
        ca: str,
        fresh_seconds: float,
        on_read: Callable[[], None],
    ) -> None:
        """`on_read` is called on any thread when a fetch has ended, well or not."""
        self._url = url
        self._ca = ca
        self._algorithms = algorithms
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._on_read = on_read
        self._lock = threading.Lock()
        self._data: bytes | None = None
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self.is_reading = False
        self.generation = 0
        self.keys = KeySet()
        self.problem = ""

    def look(self) -> None:
        """Have the keys fetched where they are old; those that are here count meanwhile."""
        if self._read_at is None or self._now() - self._read_at >= self._fresh_seconds:
            self.miss()

    def miss(self) -> None:
        """Have the keys fetched, unless that is being done, or was begun a moment ago."""
        with self._lock:
            if self.is_reading or self.retry_seconds() > 0:
                return
            self.is_reading = True
            self._tried_at = self._now()
        threading.Thread(target=self._fetch, name="provider-keys", daemon=True).start()

    def retry_seconds(self) -> float:
        """Return how long a made-up key id costs the provider nothing more."""
        if self._tried_at is None:
            return 0.0
        return max(0.0, self._tried_at + KEYS_RETRY_SECONDS - self._now())

    def _now(self) -> float:
        return self._clock.elapsed_seconds()

    def _fetch(self) -> None:
        problem = ""
        try:
            data = read_source(self._url, self._ca)
            if data != self._data:
                self.keys = parse_keys(data, self._algorithms)
                self._data = data
                self.generation += 1  # after the keys: verified again with the new ones
            self._read_at = self._now()
            problem = self.keys.problem
        except (OSError, ValueError) as error:
            problem = fault(error)
        except Exception as error:  # noqa: BLE001 - a defect must not leave `is_reading` set
            problem = f"{type(error).__name__}: {error}"
        if problem and problem != self.problem:
            _log.warning("provider.keys", source=self._url, why=problem)
        self.problem = problem
        self.is_reading = False
        self._on_read()
