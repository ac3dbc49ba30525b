"""The client against a real server: what it writes, reads, pages, watches and survives.

Method: one prepared ledger for each test on a free port of loopback; restarts stop the server for
real and start another on the same port and file. Nothing sleeps: tests wait for positions.
"""

import asyncio
import dataclasses
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.api.server import ApiServer
from ledger.client import (
    AsyncLedgerClient,
    BatchRefusedError,
    BatchResult,
    ClientError,
    ConflictError,
    InvalidRequestError,
    LedgerClient,
    Model,
    PolicyScope,
    PolicySource,
    Signal,
    UnknownNameError,
)
from ledger.client.enums import Action, LedgerClock, ReplayOutcome, SignalKind
from ledger.client.records import Event
from ledger.service import Service
from ledger.setting_sections import Settings
from tests.support.served import DAY, ORIGIN, POLICY, START, Fleets, Served, serving, serving_fleet
from tools.quiet import quiet

HOUR_MICROS = 3_600_000_000
BEGIN = START * 1_000_000
WEEK = timedelta(days=7)


@pytest.fixture
def served(tmp_path: Path, fleets: Fleets) -> Iterator[Served]:
    with serving_fleet(fleets, tmp_path, "fares", "hotels") as server:
        yield server


@pytest.fixture
def ledger(served: Served) -> Iterator[LedgerClient]:
    with LedgerClient(served.server.address, actor="users/ana") as client:
        yield client


def rows(count: int, *, hour: int = 1, model: str = "fares") -> list[tuple[str, str, float, int]]:
    return [
        (model, "log-loss", 0.5 + n / 1_000, BEGIN + hour * HOUR_MICROS + n) for n in range(count)
    ]


def test_the_three_lines_of_the_readme_work(served: Served) -> None:
    with LedgerClient(served.server.address, actor="services/monitor-7") as ledger:
        ledger.submit([("fares", "log-loss", 0.412, "2026-03-05T12:00:00Z")])
    (event,) = served.service.ledger().log.events(after=served.head() - 1)
    assert event.type == "signal.observed.v1"
    assert event.body.actor == "services/monitor-7"


def test_a_model_lives_from_registration_to_retirement(ledger: LedgerClient) -> None:
    ledger.register_model(Model("rooms", owner="stays", unit_value_micros=5, cost_micros=9))
    read = ledger.get_model("rooms")
    ledger.update_model(dataclasses.replace(read, tier="high", labels={"region": "west"}))
    with pytest.raises(ConflictError):
        ledger.update_model(dataclasses.replace(read, tier="low"))
    for version, loss, rounded in (("v0", "0.40", 0), ("v1", 0.41234567890123, 1)):
        deployed = ledger.record_deployment(
            "models/rooms", version, in_service_at=BEGIN, trained_through=BEGIN, baseline_loss=loss
        )
        assert deployed.rounded == rounded
    now = ledger.get_model("models/rooms")
    assert (now.tier, now.labels, now.version_in_service) == ("high", {"region": "west"}, "v1")
    ledger.retire_model("rooms", "no longer offered")
    assert [model.model for model in ledger.list_models()] == ["fares", "hotels"]
    assert "rooms" in {model.model for model in ledger.list_models(include_retired=True)}


def test_a_repeated_request_gets_the_first_answer(ledger: LedgerClient) -> None:
    first = ledger.submit(rows(3), request_id="r-1")
    again = ledger.submit(rows(3), request_id="r-1")
    assert again == dataclasses.replace(first, repeated_request=True)
    with pytest.raises(ConflictError):
        ledger.submit(rows(2), request_id="r-1")


def test_lists_go_on_over_pages(ledger: LedgerClient) -> None:
    with ledger.stream_signals() as stream:
        for hour in range(5):
            stream.send(rows(500, hour=hour))
    events = list(ledger.list_events())
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert len(events) > 2_500
    some = list(ledger.list_events(after_position=10, until_position=20))
    assert [event.position for event in some] == list(range(11, 21))
    assert events[0].content["actor"]
    observed = ledger.list_events(types=["signal.observed.v1"], streams=["models/fares"])
    assert sum(1 for _ in observed) == 2_500


def test_decisions_are_made_listed_explained_and_replayed(ledger: LedgerClient) -> None:
    for day in range(30):
        ledger.submit(rows(5, hour=day * 24))
    made = ledger.evaluate(["fares", "hotels"])
    decision = made.evaluated[0].decision
    assert decision.action in set(Action)
    assert ledger.get_decision(decision.name).decision == decision
    assert decision in list(ledger.list_decisions("fares"))
    explained = ledger.explain_decision(decision.name)
    assert explained.decision == decision
    assert explained.explanation.paragraph
    assert explained.standing is not None
    assert explained.grounds is None
    grounds = ledger.explain_decision(decision.name, with_grounds=True).grounds
    assert grounds is not None
    assert [one.signal for one in grounds.signals] == sorted(decision.environment.signals)
    assert ledger.replay(decision.name).outcome is ReplayOutcome.IDENTICAL
    assert ledger.replay(decision.score_position).outcome is ReplayOutcome.IDENTICAL
    *_, last = ledger.replay_range(verbose=True)
    assert last.progress.done
    assert (last.progress.divergent, last.progress.not_replayable) == (0, 0)
    assert last.progress.identical == 4


def test_an_override_decides_for_its_time_and_every_reader_says_so(ledger: LedgerClient) -> None:
    ledger.submit(rows(5, hour=24))
    seen = ledger.evaluate(["fares"]).evaluated[0].decision.position
    recorded = ledger.override_decision(
        "fares",
        "adjust-data-collection",
        reason="Its labels arrived twice.",
        expires_after=WEEK,
        decision_position=seen,
    )
    assert recorded.decision_position == seen
    assert recorded.effective_until - recorded.effective_from >= WEEK
    made = ledger.evaluate(["fares"]).evaluated[0].decision
    assert made.action is Action.ADJUST_DATA_COLLECTION
    assert made.overridden is not None
    assert made.overridden.position == recorded.position
    said = ledger.explain_decision(made.name).explanation.paragraph
    assert f"The override recorded at position {recorded.position} sets" in said
    listed = ledger.list_priorities(min_position=made.position).priorities
    assert next(one for one in listed if one.model == "fares").action is made.action
    assert ledger.replay(made.name).outcome is ReplayOutcome.IDENTICAL
    with pytest.raises(ConflictError, match=f"the one at position {made.position} is"):
        ledger.override_decision(
            "fares", "NO_ACTION", reason="late", expires_after=60, decision_position=seen
        )
    for span in (timedelta(milliseconds=1), 2**31):
        with pytest.raises(InvalidRequestError, match="expires_after"):
            ledger.override_decision("fares", "NO_ACTION", reason="x", expires_after=span)


def test_a_plan_ranks_the_fleet_and_the_list_follows(ledger: LedgerClient) -> None:
    ledger.submit(rows(5, hour=24))
    ledger.evaluate(["fares", "hotels"])
    made = ledger.make_plan(100_000_000, plan="week-1")
    assert ledger.get_plan("plans/week-1") == made.plan
    assert [plan.plan for plan in ledger.list_plans()] == ["week-1"]
    shown = ledger.list_priorities(
        order_by="last-plan", since_position=2, min_position=made.appended.position
    )
    assert shown.position >= made.appended.position
    assert {row.plan for row in shown.priorities} == {"week-1"}
    assert all(row.change is not None for row in shown.priorities)
    before = ledger.list_priorities(as_of_position=made.appended.first_position - 1)
    assert {row.plan for row in before.priorities} == {""}


def test_policies_are_linted_drafted_activated_and_read_back(ledger: LedgerClient) -> None:
    assert ledger.lint_policy(POLICY).valid
    assert not ledger.lint_policy("title: nothing else").valid
    (change,) = ledger.diff_policy(
        PolicySource("default", 1), PolicySource(document=POLICY.replace("title: ", "title: New "))
    ).changes
    assert (change.path, change.kind, change.is_text) == ("title", "CHANGED", True)
    trial = ledger.try_policy(PolicySource("default"), models=["models/fares"])
    assert (trial.differing, trial.before.scores) == (0, trial.after.scores)
    drafted = ledger.draft_policy("second", POLICY, "again")
    ledger.activate_policy("second", 1, "try it", scope=PolicyScope(model="fares"))
    shadow = ledger.shadow_policy("second", 1, "to compare", 86_400).position
    ledger.end_shadow(shadow, "it was compared")
    assert list(ledger.list_shadows()) == [ledger.compare_shadow(shadow).shadow]
    view = ledger.get_policy("second")
    assert view.version == drafted.version
    assert view.policy.activations[0].scope == PolicyScope(model="fares")
    assert {policy.policy for policy in ledger.list_policies()} == {"default", "second"}


def test_signals_ledgers_projections_and_checkpoints_are_read(ledger: LedgerClient) -> None:
    ledger.define_signal(Signal("psi", "drift", "psi", "higher-is-worse", "Shift."))
    kinds = {signal.signal: signal.kind for signal in ledger.list_signals()}
    assert kinds["psi"] is SignalKind.DRIFT
    position = ledger.submit(rows(1)).position
    (state,) = ledger.list_signal_states(model="fares", min_position=position).states
    assert str(state.latest_value) == "0.5"
    other = ledger.create_ledger(
        "ledger.example/other", clock="wall", skew_seconds=5, unit_of_cost="EUR", leap_seconds=9
    )
    assert (other.clock, other.skew_seconds) == (LedgerClock.WALL, 5)
    assert (other.unit_of_cost, other.leap_seconds) == ("EUR", 9)
    assert len(list(ledger.list_ledgers())) == 2
    assert ledger.get_ledger().origin == ORIGIN, "the first one stays the one that is meant"
    assert ledger.using(ledger=ORIGIN).get_ledger().head_position == position
    mine = ledger.using(ledger=ORIGIN)
    assert mine.get_checkpoint().size == position
    names = [one.projection for one in mine.list_projections()]
    assert names == ["priorities", "signals"]
    assert mine.rebuild_projection("signals").rebuild.outcome == "EQUAL"
    assert mine.get_projection("signals").generation == 2


def test_a_reader_goes_through_the_batches_under_way_only_while_it_holds_them(
    ledger: LedgerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: batches that refuse to be gone through by a thread without the stream's lock."""

    class Held(threading.Condition):
        def is_mine(self) -> bool:
            return bool(self._is_owned())  # type: ignore[attr-defined]

    held = Held()

    class Guarded(deque[Any]):
        def __iter__(self) -> Iterator[Any]:
            assert held.is_mine(), "another thread may add to them meanwhile"
            return super().__iter__()

    watched = SimpleNamespace(**vars(threading) | {"Condition": lambda: held})
    monkeypatch.setattr("ledger.client.blocking.stream.threading", watched)
    monkeypatch.setattr("ledger.client.window.deque", Guarded)
    with ledger.stream_signals() as stream:
        stream.send(rows(2))
    assert stream.recorded == 2


def test_a_refused_batch_of_a_stream_is_named_and_ends_nothing(ledger: LedgerClient) -> None:
    results: list[BatchResult] = []
    with ledger.stream_signals(on_result=results.append) as stream:
        stream.send(rows(2))
        stream.send([*rows(1), ("nowhere", "log-loss", 0.5, BEGIN)])
        stream.send(rows(2))
    assert [result.error is None for result in results] == [True, False, True]
    assert (stream.recorded, stream.refused) == (4, 2)
    error = results[1].error
    assert isinstance(error, UnknownNameError)
    assert error.violations[0].field == "observations[1].model"
    with pytest.raises(BatchRefusedError) as caught, ledger.stream_signals() as second:
        second.send([("nowhere", "log-loss", 0.5, BEGIN)])
    assert caught.value.batch == 1


def test_what_on_result_raises_reaches_the_sender(ledger: LedgerClient) -> None:
    def fail(result: BatchResult) -> None:
        raise KeyError(result.batch)

    stream = ledger.stream_signals(on_result=fail)
    stream.send(rows(1))
    with pytest.raises(ClientError, match="on_result raised KeyError"):
        stream.flush()
    stream.close()


def test_a_batch_submits_itself_when_full_and_when_left(ledger: LedgerClient) -> None:
    head = ledger.get_ledger().head_position
    with ledger.batch(max_items=10, max_seconds=3_600) as batch:
        for row in rows(25):
            batch.add(row)
        assert ledger.get_ledger().head_position == head + 20
    assert batch.position == head + 25


def test_a_batch_submits_itself_in_time(ledger: LedgerClient) -> None:
    head = ledger.get_ledger().head_position
    with ledger.batch(max_items=1_000, max_seconds=0.01) as batch:
        batch.add(rows(1)[0])
        assert ledger.get_ledger(min_position=head + 1).head_position == head + 1


def test_a_batch_keeps_what_was_refused(ledger: LedgerClient) -> None:
    batch = ledger.batch(max_items=1)
    with pytest.raises(UnknownNameError):
        batch.add(("nowhere", "log-loss", 0.5, BEGIN))
    assert len(batch.failed) == 1
    batch.close()


def test_streams_and_watches_survive_a_restart_of_the_server(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        first.prepare(("fares",))
    options = quiet(str(tmp_path / "ledger.sqlite"), service__evaluate=False)
    seen: list[Event] = []
    enough = threading.Event()
    with ExitStack() as stack:
        server, port = _served_again(stack, options, 0)
        client = stack.enter_context(LedgerClient(f"127.0.0.1:{port}"))
        head = client.get_ledger().head_position

        def watch() -> None:
            for event in client.watch_events(after_position=head):
                seen.append(event)
                if len(seen) == 40:
                    enough.set()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        with client.stream_signals() as stream:
            for hour in range(20):
                stream.send(rows(1, hour=hour))
                if hour == 10:
                    stream.flush()
                    server.close()
                    server, _ = _served_again(stack, options, port)
            stream.flush()
            for hour in range(20, 40):
                stream.send(rows(1, hour=hour))
        assert stream.recorded == 40
        assert enough.wait(30)
        watcher.join()
        server.close()
    # Each once, in order, without a gap: nothing was lost, and nothing recorded twice.
    assert [event.position for event in seen] == list(range(head + 1, head + 41))
    assert len({event.data["observed_at"] for event in seen}) == 40


def _served_again(stack: ExitStack, options: Settings, port: int) -> tuple[ExitStack, int]:
    inner = stack.enter_context(ExitStack())
    service = inner.enter_context(Service(options))
    server = inner.enter_context(ApiServer(service, f"127.0.0.1:{port}"))
    return inner, server.port


def test_a_watch_of_priorities_tells_changes_and_says_when_it_has_caught_up(
    ledger: LedgerClient,
) -> None:
    ledger.submit(rows(5, hour=24))
    position = ledger.evaluate(["fares"]).appended.position
    ledger.list_priorities(min_position=position)
    for update in ledger.watch_priorities():
        if update.caught_up:
            assert update.position >= position
            break


def test_the_asynchronous_client_sees_and_does_the_same(served: Served) -> None:
    async def use() -> None:
        async with AsyncLedgerClient(served.server.address, actor="services/a") as client:
            async with client.stream_signals() as stream:
                for hour in range(30):
                    await stream.send(rows(50, hour=hour * 24))
            assert stream.recorded == 1_500
            async with client.batch(max_items=10, max_seconds=3_600) as batch:
                for row in rows(25, hour=30 * 24):
                    await batch.add(row)
            async with client.batch(max_items=1_000, max_seconds=0.01) as timed:
                await timed.add(rows(1, hour=31 * 24)[0])
                await client.get_ledger(min_position=batch.position + 1)
            made = await client.evaluate(["fares"])
            name = made.evaluated[0].decision.name
            assert (await client.explain_decision(name)).decision.name == name
            assert (await client.replay(name)).outcome is ReplayOutcome.IDENTICAL
            assert [report async for report in client.replay_range()][-1].progress.done
            events = [event async for event in client.list_events()]
            with LedgerClient(served.server.address) as twin:
                assert list(twin.list_events()) == events
                n = len(events)  # projections follow a moment later
                assert await client.list_priorities(min_position=n) == twin.list_priorities()
                assert await client.list_signal_states(min_position=n) == twin.list_signal_states()
            watched = []
            async for event in client.watch_events(after_position=len(events) - 3):
                watched.append(event)
                if len(watched) == 3:
                    break
            assert watched == events[-3:]
            with pytest.raises(BatchRefusedError):
                async with client.stream_signals() as refused:
                    await refused.send([("nowhere", "log-loss", 0.5, BEGIN)])

    asyncio.run(use())


def test_times_of_results_are_aware_and_in_utc(ledger: LedgerClient) -> None:
    appended = ledger.submit(rows(1, hour=2))
    assert appended.recorded_at.utcoffset() is not None
    assert appended.recorded_at.timestamp() == START + 2 * 3_600
    assert DAY == 86_400
