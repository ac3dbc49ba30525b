"""A run of everything, in which secrets that can be found again are where secrets belong."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from ledger.cli.main import app
from tests.support.served import ORIGIN

MASTER: Final = bytes.fromhex("5ec7e7a5" * 8)
PASSWORD: Final = "canaryOfTheDatabase7"
TOKEN: Final = "dlt_7q2kcanary_9mZcanaryOfALedgerToken4xW8bTn2"
JWT: Final = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"none"}', b'{"sub":"canary of a JWT"}', b"canary of its signature")
)
SECRETS: Final[dict[str, str | bytes]] = {
    "master key": MASTER,
    "master key in hexadecimal": MASTER.hex(),
    "password": PASSWORD,
    "token": TOKEN,
    "token's secret": TOKEN.rpartition("_")[2],
    "JWT": JWT,
    "JWT's claims": JWT.split(".")[1],
    "JWT's signature": JWT.split(".")[2],
}


@dataclass
class FullRun:
    """What a run wrote, by where it wrote it."""

    folder: Path
    url: str
    environment: dict[str, str]
    said: list[tuple[str, bytes]] = field(default_factory=list)
    shown: list[tuple[str, bytes]] = field(default_factory=list)
    secrets: dict[str, str | bytes] = field(default_factory=lambda: dict(SECRETS))
    keepers: list[Path] = field(default_factory=list)
    """Files that are to hold a secret."""

    def command(self, *words: str, stdin: str | None = None, **environment: str) -> int:
        """Run a command in this process; keep what it says, and return its exit code."""
        ran = CliRunner().invoke(app, words, input=stdin, env=self.environment | environment)
        for name, said in (("output", ran.stdout), ("error", ran.stderr)):
            self.said.append((f"standard {name} of {' '.join(words[:2])}", said.encode()))
        return ran.exit_code

    @contextmanager
    def serving(self) -> Iterator["subprocess.Popen[str]"]:
        """Run a server in a process of its own, which says everything that it can say."""
        line = (sys.executable, "-m", "ledger", "serve", "--listen", "127.0.0.1:0", "--json")
        with (
            (self.folder / "server.log").open("ab") as log,
            subprocess.Popen(
                [*line, "--create", ORIGIN, "--clock", "data"],
                env={**os.environ, **self.environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as server,
        ):
            try:
                yield server
            finally:
                server.terminate()


def printing(folder: Path, key: str) -> list[str]:
    """Return the command of a program that prints a key, and keeps what it was given."""
    path = folder / f"kms-{key[:8]}"
    path.touch(mode=0o700)
    path.write_text(
        f"#!/bin/sh\nenv > {path}.environ\ncat /proc/$$/cmdline > {path}.cmdline\n"
        f"echo 'slot 1: {key}' >&2\necho {key}\n"
    )
    return [str(path), "get"]
