"""The `eventsourcing` library's own suites judge our persistence module, on both databases.

The library ships its recorder, factory, application and projection tests as unittest classes. Each
is adapted here; `test_on_sqlite.py` and `test_on_postgres.py` run them, because unittest classes
take no parameters.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.tests import application as ta
from eventsourcing.tests import persistence as tp
from eventsourcing.tests import projection as tj
from eventsourcing.utils import Environment, clear_topic_cache, get_topic
from sqlalchemy import Connection, text

from ledger.clock import SystemClock, uuid7
from ledger.storage.eventsourcing import Factory
from ledger.storage.recorders import (
    LedgerAggregateRecorder,
    LedgerApplicationRecorder,
    LedgerProcessRecorder,
    LedgerTrackingRecorder,
)
from ledger.storage.store import Store
from tests.support.check_ledger import check_ledger
from tests.support.hooks import database_of, forget_shared, on_writer

MODULE = "ledger.storage.eventsourcing"


def provide(request: pytest.FixtureRequest, database_url: str) -> Iterator[dict[str, str]]:
    """Hand the suite under test its database; afterwards every ledger in it must verify."""
    env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": database_url}
    if request.cls is not None:
        request.cls.env = Environment("Suite", env)
    keeper = Factory(env)  # holds the shared store open until the ledgers are checked
    yield env
    for info in keeper.store.ledgers.all():
        check_ledger(keeper.store, info.origin)
    keeper.close()
    keeper.store.close()  # the library's projection runner leaves the factory of its view open
    forget_shared(database_url)


class OnOurModule:
    """What the suites share: a factory for the database that the fixture chose."""

    env: Any

    @property
    def factory_under_test(self) -> Factory:
        if not hasattr(self, "_factory"):
            self._factory = Factory(self.env)
            self.addCleanup(self._factory.close)  # type: ignore[attr-defined]
        return self._factory


class TextIds:
    """Originators that are text, as in version 10 of the library."""

    def new_originator_id(self) -> str:
        return f"text/{uuid7(SystemClock())}"


class AggregateRecorderSuite(OnOurModule, tp.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory_under_test.aggregate_recorder()


class AggregateRecorderWithTextIdsSuite(TextIds, AggregateRecorderSuite):
    def create_recorder(self) -> AggregateRecorder:
        self.env["ORIGINATOR_ID_TYPE"] = "text"
        return super().create_recorder()


class ApplicationRecorderSuite(OnOurModule, tp.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return self.factory_under_test.application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class ApplicationRecorderWithTextIdsSuite(TextIds, ApplicationRecorderSuite):
    def create_recorder(self) -> ApplicationRecorder:
        self.env["ORIGINATOR_ID_TYPE"] = "text"
        return super().create_recorder()


class TrackingRecorderSuite(OnOurModule, tp.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.factory_under_test.tracking_recorder()


class ProcessRecorderSuite(OnOurModule, tp.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.factory_under_test.process_recorder()


class NonInterleavingSuite(OnOurModule, tp.NonInterleavingNotificationIDsBaseCase):
    insert_num = 1000

    def create_recorder(self) -> ApplicationRecorder:
        return self.factory_under_test.application_recorder()


class SubclassedTrackingRecorder(LedgerTrackingRecorder):
    """A class of the application's own."""


class FactorySuite(tp.InfrastructureFactoryTestCase[Factory]):
    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return LedgerAggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return LedgerApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return LedgerTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return SubclassedTrackingRecorder

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return LedgerProcessRecorder


class ExampleApplicationSuite(OnOurModule, ta.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(Factory)

    def setUp(self) -> None:
        super().setUp()
        clear_topic_cache()
        for key in ("PERSISTENCE_MODULE", "LEDGER_URL"):
            os.environ[key] = self.env[key]
            self.addCleanup(os.environ.pop, key)


class CountersView(LedgerTrackingRecorder, tj.EventCountersView):
    """A view in the ledger's own database: counts and tracking move in one transaction."""

    def __init__(self, store: Store, origin: str) -> None:
        super().__init__(store, origin)
        on_writer(
            store,
            lambda turn: turn.connection.execute(
                text("CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, n INTEGER)")
            ),
        )

    def get_created_event_counter(self) -> int:
        return self._count("created")

    def get_subsequent_event_counter(self) -> int:
        return self._count("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment("subsequent", tracking)

    def _count(self, name: str) -> int:
        with database_of(self.store).reader.connect() as connection:
            statement = text("SELECT n FROM counts WHERE name = :name")
            return connection.execute(statement, {"name": name}).scalar() or 0

    def _increment(self, name: str, tracking: Tracking) -> None:
        statement = text(
            "INSERT INTO counts VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET n = counts.n + 1"
        )

        def _update(connection: Connection) -> None:
            connection.execute(statement, {"name": name})

        self.record(tracking, _update)


class EventCountersViewSuite(OnOurModule, tj.EventCountersViewTestCase):
    def construct_event_counters_view(self) -> tj.EventCountersView:
        view = self.factory_under_test.tracking_recorder(CountersView)
        assert isinstance(view, CountersView)
        return view


class ProjectionSuite(tj.AggregateEventCountersProjectionTestCase):
    view_class = CountersView


class EventSourcedProjectionSuite(tj.EventSourcedProjectionTestCase):
    pass
