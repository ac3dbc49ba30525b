"""A prepared server, and the command line against it."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.cli.main import app
from tests.support.served import START, Fleets, Served, serving, serving_fleet

HOUR_MICROS = 3_600_000_000


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was printed
        """What standard output holds, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """What standard output holds, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@contextmanager
def by_itself(folder: Path) -> Iterator[None]:
    """Keep settings of the machine out of commands, and what they remember in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        for name in list(os.environ):
            if name.startswith("LEDGER_") and name != "LEDGER_VECTORS":
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path) -> Iterator[None]:
    """Keep settings of the machine out of the tests, and what they remember out of the machine."""
    with by_itself(tmp_path):
        yield


def run_line(*args: str, stdin: str | bytes | None = None) -> Ran:
    """Run the command line in this process."""
    result = CliRunner().invoke(app, args, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def run() -> Run:
    """Run the command line in this process."""
    return run_line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the served database is."""
    return tmp_path


@pytest.fixture
def served(request: pytest.FixtureRequest, folder: Path, fleets: Fleets) -> Iterator[Served]:
    """A server with a data ledger, two models in service and a policy in force.

    A test that asks for `told` too gets what that describes.
    """
    if "told" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("told_folder"), folder, dirs_exist_ok=True)
        with serving(folder) as server:
            yield server
    else:
        with serving_fleet(fleets, folder, "fares", "hotels") as server:
            yield server


def against(served: Served) -> Run:
    """Return how a command is run against a server."""
    return lambda *args, stdin=None: run_line(*args, "--server", served.server.address, stdin=stdin)


@pytest.fixture
def cli(served: Served) -> Run:
    """Run a command against the server."""
    return against(served)


def csv_of(days: int, *, model: str = "fares") -> str:
    lines = ["model,signal,value,observed_at,sample_size"]
    for day in range(days):
        for signal, value in (("log-loss", 0.4 + day * 0.01), ("input-stability", 0.1)):
            at = START * 1_000_000 + day * 24 * HOUR_MICROS
            lines.append(f"{model},{signal},{value:.3f},{at},1000")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def told_folder(fleets: Fleets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that ledger, closed, after a month of observations and an evaluation."""
    folder = tmp_path_factory.mktemp("told")
    with by_itself(folder), serving_fleet(fleets, folder, "fares", "hotels") as server:
        cli = against(server)
        assert cli("signal", "submit", stdin=csv_of(40)).code == 0
        assert cli("evaluate", "fares", "hotels").code == 0
    return folder


@pytest.fixture
def told(cli: Run) -> Run:
    """The command line, after a month of observations and an evaluation: see `served`."""
    return cli
