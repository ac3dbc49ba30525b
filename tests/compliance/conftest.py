"""The golden ledger as facts: small, real, with every event type once."""

import pytest

from ledger.events.facts import fact_of
from tests.support.facts import FactList
from tools.golden import ORIGIN, build


@pytest.fixture(scope="session")
def golden() -> FactList:
    """Every event of the golden ledger."""
    return FactList(
        ORIGIN,
        tuple(
            fact_of(event.position, event.stream, event.type, event.recorded_at, event.body_bytes)
            for event in build().events
        ),
    )
