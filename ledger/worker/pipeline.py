"""A step whose work is done by a pipeline elsewhere: started by HTTP, and its report taken back.

    argv: [python, -m, ledger.worker.pipeline, "https://pipelines.example.com/retrain"]

1. The order to the step (`step/1`) is sent by POST, with `Idempotency-Key`: a digest of ledger,
   job, attempt, task and `request` of the order, so that a second start of it is the first one.
2. The answer is the report itself (200), or names by `Location` where it will be (201, 202).
3. There it is asked for by GET until it is there (200); 202 and 404 mean not yet, and so do 429 and
   5xx. A pause that `Retry-After` states in seconds is kept, up to a minute.

`PIPELINE_TOKEN`, which the recipe names in `environment`, is sent as a bearer token, to the host of
the URL alone. Limits of time are the worker's: told to end by SIGTERM, it asks by DELETE that the
pipeline ends too. A report names no artifacts, which would be files here; it links to them instead.
"""

import hashlib
import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from ledger.environment import REPORT_BYTES_MAX, REPORT_VARIABLE, STEP_VARIABLE
from ledger.worker.stopping import StopSignal

TOKEN_VARIABLE: Final = "PIPELINE_TOKEN"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PAUSE_SECONDS: Final = 2.0
_PAUSE_SECONDS_MAX: Final = 60.0
_CALL_SECONDS: Final = 30.0
_NAMED: Final = ("ledger", "job", "attempt", "task", "request")
"""The members of an order that tell one run of a pipeline from another."""
_NOT_YET: Final = frozenset({202, 404, 429})


class PipelineError(Exception):
    """A pipeline that gave no report: why, as a sentence."""


class Pipeline:
    """One run of a pipeline, for one task of an attempt at a job."""

    def __init__(self, url: str, told: dict[str, Any], token: str = "") -> None:
        """PipelineError where others on the way could read what is sent."""
        self._url = url
        self._told = told
        self._token = token
        self._place = ""
        self._pause_seconds = _PAUSE_SECONDS
        self.ended = StopSignal()
        _checked(url)

    def run(self) -> bytes:
        """Start the pipeline, and return its report once it is there."""
        named = [self._told[name] for name in _NAMED]
        key = hashlib.sha256(json.dumps(named).encode()).hexdigest()
        body = json.dumps(self._told).encode()
        code, found, place = self._ask("POST", self._url, body, {"Idempotency-Key": key})
        while code >= 500 or code == 429:
            self._wait()
            code, found, place = self._ask("POST", self._url, body, {"Idempotency-Key": key})
        if code == 200:
            return found
        if code not in {201, 202} or not place:
            raise PipelineError(f"{self._url} answered {code} and names no place of its report.")
        self._place = urljoin(self._url, place)
        if urlsplit(self._place)[:2] != urlsplit(self._url)[:2]:
            raise PipelineError(f"{self._url} names a report on another host: {self._place}.")
        while True:
            code, found, _ = self._ask("GET", self._place)
            if code == 200:
                return found
            if code not in _NOT_YET and code < 500:
                raise PipelineError(f"{self._place} answered {code}.")
            self._wait()

    def cancel(self) -> None:
        """Ask once that the pipeline ends, where it has said by which address it is known."""
        if self._place:
            self._ask("DELETE", self._place)

    def _wait(self) -> None:
        if self.ended.wait(self._pause_seconds):
            self.cancel()
            raise PipelineError("It was told to end.")

    def _ask(
        self, method: str, url: str, body: bytes = b"", more: dict[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """Return status, body and `Location` of an answer; 503 where there is none."""
        parts = urlsplit(url)
        headers = {"Content-Type": "application/json", "Accept": "application/json", **(more or {})}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = _connection(parts)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target or "/", body, headers)
            answer = connection.getresponse()
            found = answer.read(REPORT_BYTES_MAX + 1)
        except (OSError, http.client.HTTPException):
            return 503, b"", ""
        finally:
            connection.close()
        if len(found) > REPORT_BYTES_MAX:
            raise PipelineError(f"{url} answered more than {REPORT_BYTES_MAX} bytes.")
        stated = answer.headers.get("Retry-After", "")
        pause = float(stated) if stated.isdecimal() else _PAUSE_SECONDS
        self._pause_seconds = min(max(0.05, pause), _PAUSE_SECONDS_MAX)
        return answer.status, found, answer.headers.get("Location", "")


def _checked(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise PipelineError(f"{url} is neither https:// nor on loopback.")


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.netloc, timeout=_CALL_SECONDS)
    return http.client.HTTPConnection(parts.netloc, timeout=_CALL_SECONDS)


def main() -> None:
    """Run the pipeline whose address is the one argument."""
    if len(sys.argv) != 2:
        sys.exit("Name the address of the pipeline, and nothing else.")
    told = json.loads(Path(os.environ[STEP_VARIABLE]).read_text("utf-8"))
    try:
        pipeline = Pipeline(sys.argv[1], told, os.environ.get(TOKEN_VARIABLE, ""))
        pipeline.ended.take_signals()
        report = pipeline.run()
    except PipelineError as error:
        sys.exit(str(error))
    Path(os.environ[REPORT_VARIABLE]).write_bytes(report)


if __name__ == "__main__":
    main()
