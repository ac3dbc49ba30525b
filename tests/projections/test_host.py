"""The door to a ledger's projections: what it answers, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from projections.fold import OnPoison
from projections.host import ProjectionHost
from projections.projection import Projection
from projections.sqlite_file import projections_url
from projections.store import ProjectionStore
from tests.support.builders import ORIGIN, Story, StoryReader
from tests.support.hooks import runners


@pytest.fixture
def story() -> Story:
    """Return a ledger with two models that were scored and planned."""
    story = Story().begin()
    for model, priority in (("a", 100_000), ("b", 900_000)):
        story.registered(model)
        story.observed(model, "drift", priority)
        story.scored(model, priority)
    story.planned("w1", ["a", "b"])
    return story


@pytest.fixture
def host(story: Story, tmp_path: Path) -> Iterator[ProjectionHost]:
    """Return its projections, caught up."""
    store = ProjectionStore(str(tmp_path / "rows.sqlite"))
    host = ProjectionHost(StoryReader(story.events), ORIGIN, store, clock=SystemClock())
    host.start()
    yield host
    host.close()
    store.close()


def test_priorities_come_in_both_orders_with_their_position(
    host: ProjectionHost, story: Story
) -> None:
    assert [place.row["model"] for place in host.priorities().ranked] == ["b", "a"]
    assert [place.row["model"] for place in host.priorities("plan").ranked] == ["a", "b"]
    assert host.priorities().position == story.head


def test_as_of_the_head_equals_the_live_queue(host: ProjectionHost, story: Story) -> None:
    assert host.as_of(story.head).ranked == host.priorities().ranked
    assert host.as_of(2).ranked == []


def test_signals_are_listed_for_all_models_or_one(host: ProjectionHost) -> None:
    assert [row["model"] for row in host.signals().rows] == ["a", "b"]
    assert [row["model"] for row in host.signals("b").rows] == ["b"]
    assert host.signals("nobody").rows == []


def test_an_unknown_projection_is_refused_by_name(host: ProjectionHost) -> None:
    for ask in (host.watch, host.rebuild):
        with pytest.raises(LedgerError) as refusal:
            ask("weather")
        assert refusal.value.reason is Reason.PROJECTION_UNKNOWN
        assert "priorities, signals" in refusal.value.remedy


def test_a_stopped_projection_does_not_hold_up_the_other(tmp_path: Path, story: Story) -> None:
    bad = story.raw("models/a", "signal.observed.v1", b"{}").position
    story.scored("a", 999_999)
    store = ProjectionStore(str(tmp_path / "rows.sqlite"))
    host = ProjectionHost(StoryReader(story.events), ORIGIN, store, clock=SystemClock())
    host.start()
    states = {status.name: (status.state, status.position) for status in host.status()}
    assert states == {"priorities": ("live", story.head), "signals": ("stopped", bad - 1)}
    assert host.position == bad - 1
    host.check("priorities", story.head)
    host.close()
    store.close()


def test_every_stopped_projection_ends_catching_up(tmp_path: Path, story: Story) -> None:
    story.raw("models/a", "signal.observed.v1", b"{}")
    story.raw("models/a", "model.updated.v1", b"{}")
    store = ProjectionStore(str(tmp_path / "rows.sqlite"))
    reader = StoryReader(story.events)
    for on_poison in (OnPoison.STOP, OnPoison.RETRY, OnPoison.QUARANTINE):
        host = ProjectionHost(reader, ORIGIN, store, clock=SystemClock(), on_poison=on_poison)
        host.start()
        host.close()
    host.start()
    assert host.position == story.head
    assert [status.quarantined for status in host.status()] == [1, 1]
    store.close()


def test_hosts_of_several_ledgers_share_tables_and_nothing_else(
    tmp_path: Path, story: Story
) -> None:
    store = ProjectionStore(str(tmp_path / "rows.sqlite"))
    other = Story("example.org/other").begin()
    other.registered("z")
    hosts = [
        ProjectionHost(StoryReader(one.events), one.origin, store, clock=SystemClock())
        for one in (story, other)
    ]
    for host in hosts:
        host.start()
        host.close()
    assert [place.row["model"] for place in hosts[1].priorities().ranked] == ["z"]
    assert len(hosts[0].priorities().ranked) == 2
    store.close()


def test_projections_stand_beside_a_sqlite_ledger_and_inside_a_postgresql_one() -> None:
    assert projections_url("sqlite:////var/l/ledger.sqlite") == (
        "sqlite:////var/l/ledger.projections.sqlite"
    )
    assert projections_url("data/ledger") == "sqlite:///data/ledger.projections"
    url = "postgresql+psycopg://u:secret@host/db"
    assert projections_url(url) == url


def test_the_projections_fit_their_protocol(host: ProjectionHost) -> None:
    for runner in runners(host):
        assert isinstance(runner.factory(), Projection)
