"""An honest ledger to forge, made once for all modules that do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.outsiders import Honest


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    return Honest(tmp_path_factory.mktemp("honest"))


@pytest.fixture
def copy(honest: Honest, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that lays a fresh copy of the honest file at the same place."""
    path = tmp_path / "ledger.db"

    def fresh() -> Path:
        shutil.copy(honest.path, path)
        return path

    return fresh
