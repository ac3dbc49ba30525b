"""Logs to witness, and witnesses for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.cosignature import CosigningKey
from ledger.witness.store import WitnessStore
from tests.support.clocks import ManualClock
from tests.support.witnessed_log import NOW_SECONDS, WITNESS_NAME


@pytest.fixture
def key() -> CosigningKey:
    return CosigningKey(WITNESS_NAME, bytes(range(32)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_SECONDS * 1_000_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WitnessStore]:
    opened = WitnessStore(tmp_path / "witness.sqlite")
    yield opened
    opened.close()
