"""Fixtures: a ledger whose time is that of its data, and one whose time is the wall clock's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.application.workers import Workers
from ledger.clock import SystemClock
from tests.support.exports import ExportSetting
from tests.support.world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Make worlds that are closed when the test is over."""
    made: list[World] = []

    def make(name: str = "ledger", *, clock: str = "data", shared: World | None = None) -> World:
        world = World(tmp_path / f"{name}.sqlite", clock=clock, shared=shared)
        made.append(world)
        return world

    yield make
    for world in reversed(made):
        world.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A `data` ledger."""
    return make_world()


@pytest.fixture
def wall(make_world: MakeWorld) -> World:
    """A `wall` ledger."""
    return make_world(clock="wall")


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Threads for what recurs."""
    made = Workers(SystemClock(), threads=3)
    yield made
    made.stop()


@pytest.fixture
def setting(database_url: str, tmp_path: Path) -> Iterator[ExportSetting]:
    """Exports on each database."""
    made = ExportSetting(database_url, tmp_path / "exports")
    yield made
    made.close()


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Iterator[ExportSetting]:
    """Exports on SQLite, for what no database changes."""
    made = ExportSetting(sqlite_url, tmp_path / "exports")
    yield made
    made.close()
