"""The runner on real tables: progress, restarts, poison, several runners, watches.

Method: stories are fed through a runner whose tables are on SQLite or PostgreSQL; crashes are
runners thrown away between batches.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from projections.fold import OnPoison
from projections.priorities import PrioritiesProjection
from projections.runner import Runner
from projections.signals import SignalsProjection
from projections.store import ProjectionStore
from projections.tables import DeadLetter
from tests.support.builders import ORIGIN, START, Story, StoryReader
from tests.support.clocks import ManualClock
from tests.support.folds import folded
from tests.support.stories import STORIES


class SteppedClock(ManualClock):
    """A clock whose monotonic seconds move only when told to."""

    seconds = 100.0

    def monotonic_seconds(self) -> float:
        """Return the seconds last set."""
        return self.seconds


def _fleet(observations: int = 3) -> Story:
    story = Story().begin()
    story.registered("alpha")
    story.deployed("alpha", "v1")
    for n in range(observations):
        story.observed("alpha", "drift", n)
    return story


def _runner(store: ProjectionStore, story: Story, on_poison: OnPoison = OnPoison.STOP) -> Runner:
    runner = Runner(
        SignalsProjection,
        StoryReader(story.events),
        ORIGIN,
        store,
        clock=SystemClock(),
        on_poison=on_poison,
    )
    runner.start()
    return runner


def test_a_restart_takes_up_rows_position_digest_and_counts(store: ProjectionStore) -> None:
    story = _fleet()
    story.raw("recorder/x", "weather.reported.v1", b"{}")
    first = _runner(store, story)
    first.catch_up()
    again = _runner(store, story)
    assert again.snapshot() == first.snapshot()
    assert again.status() == first.status()
    status = again.status()
    assert (status.position, status.stored_position, status.lag) == (8, 8, 0)
    assert (status.applied, status.skipped, status.quarantined) == (4, 1, 0)
    assert status.digest == folded(SignalsProjection(), story).digest


@given(story=STORIES, data=st.data())
def test_crashes_between_batches_lose_nothing(story: Story, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        store = ProjectionStore(str(Path(folder) / "rows.sqlite"))
        cuts = data.draw(st.lists(st.integers(0, story.head), max_size=4).map(sorted))
        for cut in [*cuts, story.head]:
            _runner(store, story).catch_up(cut)
        last = _runner(store, story)
        store.close()
    whole = folded(SignalsProjection(), story)
    assert last.snapshot() == (story.head, whole.digest, whole.rows.snapshot())
    assert last.status().applied == whole.applied


def test_consume_passes_over_what_it_has_and_reads_what_is_missing(store: ProjectionStore) -> None:
    story = _fleet(20)
    runner = _runner(store, story)
    for first, last in ((0, 3), (1, 5), (9, 12), (2, 4), (10, 24)):
        runner.consume(story.events[first:last])
    assert runner.position == story.head
    assert runner.snapshot().digest == folded(SignalsProjection(), story).digest


def test_a_runner_that_is_behind_writes_nothing_over_one_that_is_ahead(
    store: ProjectionStore,
) -> None:
    story = _fleet(10)
    ahead, behind = _runner(store, story), _runner(store, story)
    ahead.catch_up()
    behind.catch_up(8)
    assert behind.status().stored_position == 0
    assert _runner(store, story).position == story.head
    story.observed("alpha", "drift", 99)
    story.observed("alpha", "new", 99)
    behind.catch_up()
    ahead.catch_up()
    final = _runner(store, story)
    assert final.position == story.head
    assert final.snapshot().digest == folded(SignalsProjection(), story).digest


@given(story=STORIES, data=st.data())
def test_two_runners_in_any_interleaving_leave_correct_rows(
    story: Story, data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        store = ProjectionStore(str(Path(folder) / "rows.sqlite"))
        both = [_runner(store, story), _runner(store, story)]
        turns = st.tuples(st.sampled_from(both), st.integers(0, story.head))
        for runner, until in data.draw(st.lists(turns, max_size=6)):
            runner.catch_up(until)
            stored = _runner(store, story)  # refuses rows that do not have their digest
            assert stored.position == max(one.position for one in both)
        store.close()


def test_a_ledger_begun_again_under_the_same_name_is_folded_from_the_start(
    store: ProjectionStore,
) -> None:
    old = _fleet(5)
    _runner(store, old).catch_up()
    new = Story().begin()
    new.registered("beta")
    for n in range(10):
        new.observed("beta", "drift", n)
    runner = _runner(store, new)
    assert (runner.position, runner.generation.number) == (0, 2)
    runner.catch_up()
    assert runner.snapshot().digest == folded(SignalsProjection(), new).digest
    assert store.generations(ORIGIN, f"signals/{SignalsProjection.version}") == [2]


def test_a_damaged_stored_row_is_noticed_and_folded_again(
    store: ProjectionStore, database_url: str
) -> None:
    story = _fleet()
    before = _runner(store, story)
    before.catch_up()
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM projection_rows WHERE key = 'alpha/drift'")
    engine.dispose()
    runner = _runner(store, story)
    assert runner.position == 0
    runner.catch_up()
    assert runner.snapshot() == before.snapshot()


def test_deleting_the_file_costs_time_only(tmp_path: Path) -> None:
    path, story = tmp_path / "rows.sqlite", _fleet()
    first_store = ProjectionStore(str(path))
    first = _runner(first_store, story)
    first.catch_up()
    first_store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    second_store = ProjectionStore(str(path))
    second = _runner(second_store, story)
    assert second.position == 0
    second.catch_up()
    assert second.snapshot() == first.snapshot()
    second_store.close()


def test_a_file_that_is_no_database_is_kept_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    damaged = b"not a database, by any means" * 100
    path.write_bytes(damaged)
    store = ProjectionStore(str(path))
    try:
        assert path.with_name("rows.sqlite.damaged").read_bytes() == damaged
        assert path.read_bytes().startswith(b"SQLite format 3")
    finally:
        store.close()


# ---- poison --------------------------------------------------------------------------------------


def _poisoned() -> tuple[Story, int]:
    story = _fleet(2)
    bad = story.raw("models/alpha", "signal.observed.v1", b"{}", observed_at=START)
    story.observed("alpha", "drift", 7)
    return story, bad.position


def test_stop_halts_before_the_poison_event(store: ProjectionStore) -> None:
    story, bad = _poisoned()
    runner = _runner(store, story)
    assert runner.catch_up() == bad - 1
    runner.consume(story.events)
    assert runner.catch_up() == bad - 1
    status = runner.status()
    assert (status.state, status.stored_position, status.lag) == ("stopped", bad - 1, 2)
    assert f"position {bad}" in status.why
    with pytest.raises(LedgerError) as refusal:
        runner.check(bad)
    assert refusal.value.reason is Reason.PROJECTION_BEHIND
    assert f"stopped at position {bad}" in refusal.value.message


def test_quarantine_notes_the_event_and_goes_on(store: ProjectionStore) -> None:
    story, bad = _poisoned()
    runner = _runner(store, story, OnPoison.QUARANTINE)
    assert runner.catch_up() == story.head
    assert runner.status().quarantined == 1
    (letter,) = store.dead_letters(runner.generation)
    assert letter[:2] == (bad, "signal.observed.v1")
    assert "not the canonical form" in letter.why
    again = _runner(store, story, OnPoison.QUARANTINE)
    assert again.status() == runner.status()


def test_dead_letters_are_stored_with_the_position_or_not_at_all(store: ProjectionStore) -> None:
    story, bad = _poisoned()
    ahead = _runner(store, story, OnPoison.QUARANTINE)
    behind = _runner(store, story, OnPoison.QUARANTINE)
    ahead.catch_up()
    behind.catch_up()
    assert [letter.position for letter in store.dead_letters(ahead.generation)] == [bad]
    assert all(isinstance(one, DeadLetter) for one in store.dead_letters(ahead.generation))


def test_retry_waits_longer_each_time_and_goes_on_once_it_can(store: ProjectionStore) -> None:
    story, bad = _poisoned()
    clock = SteppedClock()
    runner = Runner(
        SignalsProjection,
        StoryReader(story.events),
        ORIGIN,
        store,
        clock=clock,
        on_poison=OnPoison.RETRY,
    )
    runner.start()
    assert runner.catch_up() == bad - 1
    attempts = []
    for _ in range(100):
        clock.seconds += 0.125
        if not runner.is_halted:
            attempts.append(clock.seconds - 100.0)
            runner.catch_up()
    assert attempts[:5] == [0.125, 0.375, 0.875, 1.875, 3.875]
    good = _fleet(3).events[bad - 1]
    story.events[bad - 1] = good
    clock.seconds += 30.0
    runner.consume(story.events[bad:])
    assert runner.position == story.head
    assert runner.status().state == "live"


def test_an_erased_body_is_skipped_and_counted_not_poison(store: ProjectionStore) -> None:
    story = _fleet(1)
    story.raw("models/alpha", "signal.observed.v1", None)
    runner = _runner(store, story)
    assert runner.catch_up() == story.head
    assert runner.status().skipped == 1


# ---- when the tables fail ------------------------------------------------------------------------


def test_rows_stay_current_when_they_cannot_be_stored_and_are_stored_later(tmp_path: Path) -> None:
    story = _fleet()
    path = tmp_path / "rows.sqlite"
    store = ProjectionStore(str(path))
    runner = _runner(store, story)
    with sa.create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE projection_rows RENAME TO elsewhere")
    runner.catch_up()
    status = runner.status()
    assert (status.position, status.stored_position, status.state) == (story.head, 0, "live")
    assert "no such table" in status.why
    with sa.create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO projection_rows")
    story.observed("alpha", "drift", 5)
    runner.catch_up()
    assert runner.status().why == ""
    assert _runner(store, story).snapshot() == runner.snapshot()
    store.close()


# ---- waiting and watching ------------------------------------------------------------------------


def test_a_position_that_is_not_in_the_rows_yet_is_refused_as_behind(
    store: ProjectionStore,
) -> None:
    story = _fleet()
    runner = _runner(store, story)
    assert not runner.is_settled(story.head)
    runner.catch_up()
    assert runner.is_settled(story.head)
    runner.check(story.head)
    assert runner.snapshot().position == story.head
    with pytest.raises(LedgerError) as refusal:
        runner.check(story.head + 1)
    assert refusal.value.reason is Reason.PROJECTION_BEHIND
    assert refusal.value.metadata["position"] == str(story.head)


def test_a_slow_watcher_gets_each_row_once_as_it_is_now(store: ProjectionStore) -> None:
    story = _fleet(1)
    runner = _runner(store, story)
    runner.catch_up()
    with runner.watch() as watch:
        first = watch.next()
        assert first is not None
        assert set(first.rows) == {"alpha", "alpha/drift"}
        assert watch.next() is None
        for n in range(50):
            story.observed("alpha", "drift", n)
            runner.catch_up()
        story.retired("alpha")
        runner.catch_up()
        changed = watch.next()
        assert changed is not None
        assert changed.position == story.head
        assert changed.rows["alpha/drift"] is None
        assert len(changed.rows) == 2


def test_versions_of_a_projection_never_share_rows(store: ProjectionStore) -> None:
    class Newer(PrioritiesProjection):
        version = PrioritiesProjection.version + 1

    story = _fleet()
    reader = StoryReader(story.events)
    for cls in (PrioritiesProjection, Newer):
        runner = Runner(cls, reader, ORIGIN, store, clock=SystemClock())
        runner.start()
        assert runner.position == 0
        runner.catch_up()
    assert store.generations(ORIGIN, f"priorities/{PrioritiesProjection.version}") == []
    assert store.generations(ORIGIN, f"priorities/{Newer.version}") == [1]


def test_closing_a_projection_ends_every_watch(store: ProjectionStore) -> None:
    runner = _runner(store, _fleet())
    watches = [runner.watch() for _ in range(3)]
    runner.close()
    assert all(watch.is_closed for watch in watches)
    assert watches[0].next() is None
