"""The library's own suites on PostgreSQL: see suites.py."""

from collections.abc import Iterator

import pytest

from tests.contract import suites

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def environment(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[dict[str, str]]:
    yield from suites.provide(request, postgres_url)


class TestAggregateRecorder(suites.AggregateRecorderSuite):
    pass


class TestAggregateRecorderWithTextIds(suites.AggregateRecorderWithTextIdsSuite):
    pass


class TestApplicationRecorder(suites.ApplicationRecorderSuite):
    pass


class TestApplicationRecorderWithTextIds(suites.ApplicationRecorderWithTextIdsSuite):
    pass


class TestTrackingRecorder(suites.TrackingRecorderSuite):
    pass


class TestProcessRecorder(suites.ProcessRecorderSuite):
    pass


class TestNonInterleaving(suites.NonInterleavingSuite):
    pass


class TestFactory(suites.FactorySuite):
    pass


class TestExampleApplication(suites.ExampleApplicationSuite):
    pass


class TestEventCountersView(suites.EventCountersViewSuite):
    pass


class TestProjection(suites.ProjectionSuite):
    pass


class TestEventSourcedProjection(suites.EventSourcedProjectionSuite):
    pass
