"""An executor in a process of its own, to be killed at any step of a job.

It takes a job through its gates as far as its observation, and says on its standard output what it
is about to do and what it has done.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from ledger.client import LedgerClient
from tests.support.forked import ROOT, Forked
from tests.support.job_calls import GATES, deploy, record_environment, report, token_of

CALLS: Final = ("lease", "heartbeat", *GATES[:3], "environment", *GATES[3:], "deploy")
"""The calls of an executor, in their order; a recipe without approvals between."""


def execute(address: str, actor: str, job: str, deadline: float) -> None:
    """Carry out a job, and say before each call what it is, and behind it that it was answered."""
    with LedgerClient(address, actor=actor, deadline_seconds=deadline) as client:
        token = 0

        def lease() -> None:
            nonlocal token
            token = token_of(client.lease_job(job))

        calls: dict[str, Callable[[], object]] = {
            "lease": lease,
            "heartbeat": lambda: client.heartbeat_job(job, token),
            "environment": lambda: record_environment(client, job, token),
            "deploy": lambda: deploy(client, job, token),
        }
        for name in CALLS:
            _say(f"calls {name}")
            calls.get(name, lambda name=name: report(client, job, token, name))()
            _say(f"done {name} {token}")
    sys.stdin.read()  # so that it ends when it is told to, or killed


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class ExecutorProcess:
    """An executor that works on one job; a context manager that kills it."""

    def __init__(self, log: Path, address: str, actor: str, job: str, deadline: float) -> None:
        """Begin; what goes wrong is added to a file."""
        self._log = log
        with log.open("ab") as errors:
            self._process = Forked(errors.fileno(), ROOT)
        work = {"address": address, "actor": actor, "job": job, "deadline": deadline}
        self._process.stdin.write(json.dumps({"executor": work}) + "\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it unless that was done."""
        self.kill()

    def heard(self, line: str) -> str:
        """Wait until it says something that begins like that, and return it."""
        while said := self._process.stdout.readline():
            if said.startswith(line):
                return said.strip()
        raise AssertionError(f"it ended before {line!r}:\n{self._log.read_text()[-3_000:]}")

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()
        self._process.wait(60.0)
        if not self._process.stdin.closed:
            self._process.stdin.close()
            self._process.stdout.close()
