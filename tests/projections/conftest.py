"""The tables of read models, on each database."""

from collections.abc import Iterator

import pytest

from projections.store import ProjectionStore


@pytest.fixture
def store(database_url: str) -> Iterator[ProjectionStore]:
    """Tables that are empty."""
    made = ProjectionStore(database_url)
    yield made
    made.close()
