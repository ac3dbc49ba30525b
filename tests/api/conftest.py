"""A served ledger for each test, or one for a module whose tests write nothing that others mind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.api.front_end import Timeouts
from tests.support.guarded import Guarded, guarding
from tests.support.served import Fleets, Served, serving, serving_fleet


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Served]:
    """A server without a ledger."""
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def served(tmp_path: Path, fleets: Fleets) -> Iterator[Served]:
    """A server with a fleet of one model and a policy in force."""
    with serving_fleet(fleets, tmp_path, "fares") as served:
        yield served


@pytest.fixture(scope="module")
def module_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a prepared ledger, for tests that write nothing and send what is no message."""
    hasty = Timeouts(malformed_seconds=0.0)
    with serving(tmp_path_factory.mktemp("served"), timeouts=hasty) as served:
        served.prepare()
        yield served


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server under attack, for all attacks of a module that take nothing from one another."""
    with guarding(tmp_path_factory.mktemp("guarded")) as found:
        yield found
