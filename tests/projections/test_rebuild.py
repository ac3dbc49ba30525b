"""A rebuild beside the live projection: compared at one position, switched at once, resumable."""

import itertools
import threading

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from projections import rebuild as rebuilding
from projections.fold import OnPoison
from projections.host import ProjectionHost
from projections.rebuild import RebuildResult, rebuild
from projections.runner import Runner
from projections.signals import SignalsProjection
from projections.store import ProjectionStore
from tests.support.builders import ORIGIN, Story, StoryReader
from tests.support.clocks import ManualClock
from tests.support.folds import folded
from tests.support.hooks import put_rows
from tests.support.stories import STORIES

STORED = f"signals/{SignalsProjection.version}"


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "REBUILD_EVENTS", 5)


def _fleet(observations: int = 40) -> Story:
    story = Story().begin()
    for n in range(observations):
        story.observed(f"m{n % 3}", "drift", n)
    return story


def _runner(store: ProjectionStore, story: Story) -> Runner:
    runner = Runner(
        SignalsProjection, StoryReader(story.events), ORIGIN, store, clock=SystemClock()
    )
    runner.start()
    runner.catch_up()
    return runner


def _rebuild(runner: Runner, stop_after: int | None = None) -> RebuildResult:
    asked = itertools.count()
    return rebuild(runner, clock=SystemClock(), stop=lambda: next(asked) == stop_after)


def test_a_rebuild_of_correct_rows_is_equal_and_takes_their_place(store: ProjectionStore) -> None:
    story = _fleet()
    runner = _runner(store, story)
    before = runner.snapshot()
    result = _rebuild(runner)
    assert (result.outcome, result.position, result.events) == ("equal", story.head, story.head)
    assert result.live_digest == result.rebuilt_digest == before.digest
    assert runner.snapshot() == before
    assert runner.generation.number == 2
    assert store.generations(ORIGIN, STORED) == [2]
    assert _runner(store, story).snapshot() == before


def test_progress_is_seen_in_the_status(store: ProjectionStore) -> None:
    runner = _runner(store, _fleet())
    seen: list[int] = []

    def note() -> bool:
        status = runner.status()
        assert status.state == "rebuilding"
        assert status.rebuilt_position is not None
        seen.append(status.rebuilt_position)
        return False

    rebuild(runner, clock=ManualClock(), stop=note)
    assert seen == sorted(seen)
    assert (seen[0], len(seen) > 2) == (0, True)
    assert (runner.status().state, runner.position) == ("live", 42)


def test_an_interrupted_rebuild_resumes_also_after_a_restart(store: ProjectionStore) -> None:
    story = _fleet()
    runner = _runner(store, story)
    first = _rebuild(runner, stop_after=3)
    assert (first.outcome, first.position) == ("interrupted", 15)
    assert runner.generation.number == 1
    again = _runner(store, story)
    story.observed("m1", "drift", 5)
    again.catch_up()
    second = _rebuild(again)
    assert (second.outcome, second.position - second.events) == ("equal", 15)
    assert again.generation.number == 2
    assert store.generations(ORIGIN, STORED) == [2]


def test_different_rows_are_reported_replaced_and_kept_to_look_at(store: ProjectionStore) -> None:
    story = _fleet()
    runner = _runner(store, story)
    put_rows(runner, {"m1/drift": {"wrong": True}})
    result = _rebuild(runner)
    assert result.outcome == "different"
    assert result.rebuilt_digest == folded(SignalsProjection(), story).digest
    assert result.live_digest != result.rebuilt_digest
    assert runner.snapshot().digest == result.rebuilt_digest
    assert store.generations(ORIGIN, STORED) == [1, 2]
    assert _rebuild(runner).outcome == "equal"
    assert store.generations(ORIGIN, STORED) == [3]


def test_watchers_hear_of_rows_that_a_rebuild_corrected(store: ProjectionStore) -> None:
    story = _fleet()
    runner = _runner(store, story)
    put_rows(runner, {"m1/drift": {"wrong": True}, "m9/x": {"wrong": True}})
    with runner.watch() as watch:
        watch.next()
        _rebuild(runner)
        changed = watch.next()
    assert changed is not None
    assert set(changed.rows) == {"m1/drift", "m9/x"}
    assert changed.rows["m9/x"] is None


def test_another_server_follows_the_switch_and_stays_correct(store: ProjectionStore) -> None:
    story = _fleet()
    here, there = _runner(store, story), _runner(store, story)
    _rebuild(here)
    story.observed("m1", "drift", 99)
    there.catch_up()
    assert there.generation.number == 2
    assert there.snapshot().digest == folded(SignalsProjection(), story).digest
    story.observed("m2", "drift", 98)
    there.catch_up()
    here.catch_up()
    assert _runner(store, story).snapshot() == here.snapshot() == there.snapshot()


def test_a_poison_event_stops_a_rebuild_and_nothing_is_switched(store: ProjectionStore) -> None:
    story = _fleet()
    runner = _runner(store, story)
    story.events[20] = story.events[20]._replace(body_bytes=b"{}")
    result = _rebuild(runner)
    assert (result.outcome, result.position) == ("stopped", 20)
    assert "position 21" in result.why
    assert runner.generation.number == 1


def test_a_rebuild_of_a_stopped_projection_lets_it_try_again(store: ProjectionStore) -> None:
    story = _fleet(10)
    good = story.observed("m1", "drift", 1)
    story.events[-1] = good._replace(body_bytes=b"{}")
    runner = _runner(store, story)
    assert runner.status().state == "stopped"
    story.events[-1] = good
    assert _rebuild(runner).outcome == "equal"
    assert runner.catch_up() == story.head
    assert runner.status().state == "live"


def test_a_rebuild_beside_a_ledger_that_grows_ends_equal(store: ProjectionStore) -> None:
    story = _fleet(200)
    runner = _runner(store, story)

    def grow() -> None:
        for n in range(100):
            story.observed("m1", "drift", n)
            runner.consume(story.events[-1:])

    growing = threading.Thread(target=grow)
    growing.start()
    outcomes = {_rebuild(runner).outcome for _ in range(3)}
    growing.join()
    assert outcomes == {"equal"}
    assert runner.position == story.head
    assert runner.snapshot().digest == folded(SignalsProjection(), story).digest


def test_an_empty_ledger_can_be_rebuilt(store: ProjectionStore) -> None:
    assert _rebuild(_runner(store, Story())).outcome == "equal"


@given(story=STORIES, cut=st.integers(0, 40))
def test_incremental_and_rebuilt_state_have_equal_digests(
    tmp_path_factory: pytest.TempPathFactory, story: Story, cut: int
) -> None:
    store = ProjectionStore(str(tmp_path_factory.mktemp("rows") / "rows.sqlite"))
    host = ProjectionHost(StoryReader(story.events), ORIGIN, store, clock=SystemClock())
    host.start(catch_up=False)
    host.consume(story.events[:cut])
    host.catch_up()
    for name in host.names:
        result = host.rebuild(name)
        assert (result.outcome, result.position) == ("equal", story.head)
    host.close()
    store.close()


def test_one_rebuild_of_a_projection_at_a_time(store: ProjectionStore) -> None:
    story = _fleet()
    host = ProjectionHost(
        StoryReader(story.events),
        ORIGIN,
        store,
        clock=SystemClock(),
        on_poison=OnPoison.QUARANTINE,
    )
    host.start()
    refused: list[Reason] = []

    def again() -> bool:
        with pytest.raises(LedgerError) as refusal:
            host.rebuild("signals")
        refused.append(refusal.value.reason)
        return False

    assert host.rebuild("signals", stop=again).outcome == "equal"
    assert set(refused) == {Reason.LIMIT_REACHED}
    assert host.rebuild("signals").outcome == "equal"


def test_tables_lost_under_a_rebuild_are_an_error_not_a_switch(
    store: ProjectionStore, database_url: str
) -> None:
    runner = _runner(store, _fleet())
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE projection_rows RENAME TO elsewhere")
    engine.dispose()
    with pytest.raises(LedgerError) as refusal:
        _rebuild(runner)
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    assert runner.generation.number == 1
    assert runner.status().state == "live"
