"""Erasure in the read models: goal: nothing stays of an erased body, and all else goes on.

Method: stories whose bodies are removed as the ledger removes them, under runners that have folded
them before, that start afterwards, that cannot write, or that are being rebuilt. What a runner
shows is compared with a fold from nothing, what its file holds with a search for the bytes.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.proving import BodyErased
from projections import sqlite_file
from projections.as_of import as_of
from projections.host import PROJECTIONS, ProjectionHost
from projections.priorities import PrioritiesProjection, visible
from projections.projection import ProjectionFactory
from projections.ranking import moves, ranked
from projections.rebuild import rebuild
from projections.runner import Runner
from projections.signals import SignalsProjection
from projections.store import ProjectionStore
from projections.tables import Generation, Tracking
from tests.support.builders import ORIGIN, Story, StoryReader, signal_score
from tests.support.clocks import ManualClock

SECRET = "ann-of-the-night-shift"


class Erasable(Story):
    """A story whose bodies can be erased."""

    def erase(self, *positions: int) -> int:
        """Remove bodies and append the event that says so; return its position."""
        ranges = [[position, position] for position in sorted(positions)]
        for position in positions:
            event = self.events[position - 1]
            self.events[position - 1] = event._replace(body_bytes=None, salt=None)
        data = BodyErased(authority="the board", ground="GDPR Art. 17", positions=ranges)
        return self.write("ledger", data).position


def fleet() -> Erasable:
    """Two models with everything a row can show."""
    story = Erasable()
    story.begin()
    for model in ("alpha", "beta"):
        story.registered(model, owner=SECRET if model == "alpha" else "ben")
        story.deployed(model, "v1")
        story.observed(model, "loss", 5)
        story.observed(model, "loss", 7, source=f"services/{SECRET}")
        story.scored(model, 400_000, [signal_score("loss", share=1_000_000, observations=2)])
        story.decided(model, "INVESTIGATE", rule="loud")
    story.planned("w1", ["beta", "alpha"])
    return story


def position_of(story: Story, type_: str, model: str = "alpha") -> int:
    """Return where the newest event of a type is in a model's stream, or of the newest plan."""
    streams = {f"models/{model}", "plans/w1"}
    return max(e.position for e in story.events if e.type == type_ and e.stream in streams)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectionStore]:
    """A file of read models."""
    opened = ProjectionStore(str(tmp_path / "rows.sqlite"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def forgetful_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite leave dropped rows in its pages, as most builds of it do."""
    prepare = sqlite_file.prepare

    def prepared(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's
        prepare(connection, record)
        connection.execute("PRAGMA secure_delete=OFF")

    monkeypatch.setattr(sqlite_file, "prepare", prepared)


def started(
    store: ProjectionStore, story: Story, factory: ProjectionFactory = PrioritiesProjection
) -> Runner:
    """Return a runner that has taken up what is stored."""
    runner = Runner(factory, StoryReader(story.events), ORIGIN, store, clock=SystemClock())
    runner.start()
    return runner


def from_nothing(story: Story, factory: ProjectionFactory, folder: Path) -> Runner:
    """Return a fold of a story as it is now."""
    (folder / "fresh").mkdir(exist_ok=True)
    path = folder / "fresh" / f"{factory().name}-{story.head}.sqlite"
    runner = started(ProjectionStore(str(path)), story, factory)
    runner.catch_up()
    return runner


def folder_holds(folder: Path, text: str) -> list[str]:
    """Return the files that hold a text, in UTF-8 or the wide spelling."""
    wanted = text.encode(), text.encode("utf-16-le")
    return [
        path.name
        for path in folder.iterdir()
        if path.is_file() and any(each in path.read_bytes() for each in wanted)
    ]


MEMBERS = {
    "model.registered.v1": "described",
    "model.deployed.v1": "deployed",
    "score.computed.v1": "score",
    "decision.made.v1": "decision",
    "plan.made.v1": "plan",
}


@pytest.mark.parametrize("type_", MEMBERS)
def test_what_an_erased_event_said_is_shown_no_more_and_nothing_else_changes(
    store: ProjectionStore, tmp_path: Path, type_: str
) -> None:
    story = fleet()
    runner = started(store, story)
    runner.catch_up()
    before = visible(runner.snapshot().rows)
    moment = story.head
    story.erase(position_of(story, type_))
    runner.catch_up()
    after = visible(runner.snapshot().rows)
    member = MEMBERS[type_]
    alone = {"latest_deployed": None} if member == "deployed" else {}  # it was the only one
    assert after["alpha"] == {**before["alpha"], **alone, member: None}
    if type_ != "plan.made.v1":
        assert after["beta"] == before["beta"]
    assert runner.status().state == "live"
    assert runner.snapshot() == from_nothing(story, PrioritiesProjection, tmp_path).snapshot()
    reader = StoryReader(story.events)
    assert as_of(reader, ORIGIN, story.head) == after
    assert as_of(reader, ORIGIN, moment) == after, "of earlier, too, only what is left is shown"
    assert {place.row["model"] for place in ranked(after)} == set(after)
    assert all(move.why.endswith(".") for move in moves(before, after))


def test_an_update_that_was_erased_leaves_no_older_description_in_its_place(
    store: ProjectionStore,
) -> None:
    story = fleet()
    updated = story.updated("alpha", owner="carl").position
    runner = started(store, story)
    runner.catch_up()
    story.erase(updated)
    runner.catch_up()
    assert visible(runner.snapshot().rows)["alpha"]["described"] is None
    story.updated("alpha", owner="dora")
    runner.catch_up()
    described = visible(runner.snapshot().rows)["alpha"]["described"]
    assert described is not None
    assert described["owner"] == "dora"


def test_a_retirement_stays_one_without_its_body(store: ProjectionStore) -> None:
    story = fleet()
    gone = story.retired("alpha").position
    runners = [started(store, story, factory) for factory in PROJECTIONS]
    for runner in runners:
        runner.catch_up()
    story.erase(gone)
    for runner in runners:
        runner.catch_up()
    assert set(visible(runners[0].snapshot().rows)) == {"beta"}
    assert "alpha/loss" not in runners[1].snapshot().rows
    assert set(as_of(StoryReader(story.events), ORIGIN, story.head)) == {"beta"}


def test_an_erased_observation_is_neither_the_latest_nor_counted(
    store: ProjectionStore, tmp_path: Path
) -> None:
    story = fleet()
    runner = started(store, story, SignalsProjection)
    runner.catch_up()
    assert runner.snapshot().rows["alpha/loss"]["latest"]["value"] == "0.000000007"
    kept = runner.snapshot().rows["beta/loss"]
    with runner.watch() as watch:
        watch.next()
        story.erase(position_of(story, "signal.observed.v1"))
        runner.catch_up()
        changed = watch.next()
    row = runner.snapshot().rows["alpha/loss"]
    assert (row["latest"]["value"], row["previous"], row["count"]) == ("0.000000005", None, 1)
    assert changed is not None
    assert changed.rows == {"alpha/loss": row}, "who watches hears of it"
    assert runner.snapshot().rows["beta/loss"] == kept
    assert runner.snapshot() == from_nothing(story, SignalsProjection, tmp_path).snapshot()


def test_an_erased_score_leaves_the_models_signals_unscored(store: ProjectionStore) -> None:
    story = fleet()
    story.scored("alpha", 5, [signal_score("loss", share=1_000_000, observations=2)])
    runner = started(store, story, SignalsProjection)
    runner.catch_up()
    story.erase(position_of(story, "score.computed.v1"))
    runner.catch_up()
    rows = runner.snapshot().rows
    assert (rows["alpha/loss"]["state"], rows["beta/loss"]["state"]) == ("unscored", "ok")


def test_the_file_and_its_log_hold_nothing_of_it(store: ProjectionStore, tmp_path: Path) -> None:
    story = fleet()
    host = ProjectionHost(StoryReader(story.events), ORIGIN, store, clock=SystemClock())
    host.start()
    assert folder_holds(tmp_path, SECRET)
    (tmp_path / "rows.sqlite.damaged").write_bytes(SECRET.encode())
    secrets = [e.position for e in story.events if SECRET.encode() in (e.body_bytes or b"")]
    assert len(secrets) == 3
    host.purge(story.erase(*secrets))
    assert folder_holds(tmp_path, SECRET) == []
    assert host.catch_up() == story.head
    with sqlite3.connect(tmp_path / "rows.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_server_that_ended_before_it_could_purge_does_so_when_it_starts(tmp_path: Path) -> None:
    story = fleet()
    path = tmp_path / "rows.sqlite"
    first = ProjectionStore(str(path))
    started(first, story).catch_up()
    first.close()
    assert folder_holds(tmp_path, SECRET)
    story.erase(position_of(story, "model.registered.v1"))
    second = ProjectionStore(str(path))
    runner = started(second, story)
    assert folder_holds(tmp_path, SECRET) == []
    assert runner.position == story.head
    second.close()


def test_a_file_that_was_not_scrubbed_is_scrubbed_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = fleet()
    many = [story.registered(f"m{number}", owner=SECRET).position for number in range(200)]
    path = tmp_path / "rows.sqlite"
    first = ProjectionStore(str(path))
    runner = started(first, story)
    runner.catch_up()
    position = story.erase(position_of(story, "model.registered.v1"), *many)
    with monkeypatch.context() as patched:
        patched.setattr(ProjectionStore, "scrub", lambda _: None)
        runner.purge(position)
    first.close()
    assert folder_holds(tmp_path, SECRET), "dropped rows stay in free pages"
    ProjectionStore(str(path)).close()
    assert folder_holds(tmp_path, SECRET) == []


def test_a_purge_says_when_somebody_holds_the_file_and_the_next_one_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.sqlite_file.BUSY_SECONDS", 0.05)
    store = ProjectionStore(str(tmp_path / "rows.sqlite"))
    story = fleet()
    runner = started(store, story)
    runner.catch_up()
    position = story.erase(position_of(story, "model.registered.v1"))
    reader = sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM projection_rows").fetchone()
    with pytest.raises(LedgerError) as refused:
        runner.purge(position)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert visible(runner.snapshot().rows)["alpha"]["described"] is None, "reads are clean already"
    reader.execute("COMMIT")
    runner.purge(position)
    assert folder_holds(tmp_path, SECRET) == []
    story.scored("beta", 5)
    assert runner.catch_up() == story.head
    assert started(store, story).position == story.head
    reader.close()
    store.close()


def test_an_unfinished_rebuild_and_rows_that_were_kept_are_purged_too(
    store: ProjectionStore, tmp_path: Path
) -> None:
    story = fleet()
    runner = started(store, story)
    runner.catch_up()
    rebuild(runner, clock=SystemClock(), keep_before=True)
    begun = store.begin(ORIGIN, runner.stored_name)
    rows = {"alpha": SECRET.encode()}
    store.advance(begun, Tracking(5, b"", b""), rows, only_live=False)
    position = story.erase(position_of(story, "model.registered.v1"))
    runner.purge(position)
    assert store.generations(ORIGIN, runner.stored_name) == [runner.generation.number]
    assert folder_holds(tmp_path, SECRET) == []


def test_a_rebuild_overtaken_by_an_erasure_switches_nothing(
    store: ProjectionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.rebuild.REBUILD_EVENTS", 5)
    story = fleet()
    runner = started(store, story)
    runner.catch_up()
    erased: list[int] = []

    def meanwhile() -> bool:
        if not erased and runner.rebuilt_position:
            erased.append(story.erase(position_of(story, "model.registered.v1")))
            runner.purge(erased[0])
        return False

    result = rebuild(runner, clock=SystemClock(), stop=meanwhile)
    assert erased
    assert result.outcome == "interrupted"
    assert "erased" in result.why
    assert folder_holds(tmp_path, SECRET) == []
    assert rebuild(runner, clock=SystemClock()).outcome == "equal"


def test_a_projection_that_halted_before_poison_is_purged_and_stays_halted(
    store: ProjectionStore, tmp_path: Path
) -> None:
    story = fleet()
    story.raw("models/beta", "score.computed.v1", b"{}")
    poison = story.head
    runner = started(store, story)
    runner.catch_up()
    assert runner.is_halted
    runner.purge(story.erase(position_of(story, "model.registered.v1")))
    assert folder_holds(tmp_path, SECRET) == []
    assert (runner.is_halted, runner.position) == (True, poison - 1)
    assert visible(runner.snapshot().rows)["beta"]["described"] is not None
    runner.purge(story.erase(poison))
    assert (runner.is_halted, runner.position) == (False, story.head), "nothing is left to stop it"


def test_two_servers_on_the_same_tables_both_end_without_it(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.sqlite")
    one_store, other_store = ProjectionStore(path), ProjectionStore(path)
    story = fleet()
    one, other = started(one_store, story), started(other_store, story)
    one.catch_up()
    other.catch_up()
    one.purge(story.erase(position_of(story, "model.registered.v1")))
    story.scored("beta", 7)
    other.catch_up()
    one.catch_up()
    other.purge(story.head - 1)
    assert one.snapshot() == other.snapshot()
    assert folder_holds(tmp_path, SECRET) == []
    one_store.close()
    other_store.close()


def test_a_clean_start_folds_a_ledger_with_erasures_once(store: ProjectionStore) -> None:
    story = fleet()
    story.erase(position_of(story, "model.registered.v1"))
    story.scored("beta", 5)
    reader = StoryReader(story.events)
    runner = Runner(PrioritiesProjection, reader, ORIGIN, store, clock=ManualClock(0))
    runner.start()
    runner.catch_up()
    assert reader.reads < 2 * story.head + 5
    again = StoryReader(story.events)
    restarted = Runner(PrioritiesProjection, again, ORIGIN, store, clock=ManualClock(0))
    restarted.start()
    assert again.reads <= 2, "what is stored was folded after the erasure"
    assert restarted.generation == Generation(ORIGIN, restarted.stored_name, 2)
