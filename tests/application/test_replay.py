"""Replay: goal: what was derived is derived again, and what was not derived is found out.

Method: a ledger with every kind of event, replayed as it is; then forged events that differ from
true ones in one field, erased evidence, and horizons that cannot be.
"""

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.application.decisions.replay import REPLAYED_TYPES, differences
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.envelope import RecordedEvent
from ledger.service import Service
from tests.support.clocks import ManualClock
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    ORIGIN,
    START,
    World,
    policy_text,
    reason_of,
    rule,
    signal_rule,
)
from tools.quiet import quiet


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an eventful ledger, closed."""
    path = tmp_path_factory.mktemp("story") / "ledger.sqlite"
    eventful(World(path)).close()
    return path


@pytest.fixture
def told(story: Path, tmp_path: Path) -> Iterator[World]:
    """A world that goes on where the eventful one stopped."""
    copied = Path(shutil.copytree(story.parent, tmp_path / "story")) / story.name
    world = World(copied)
    yield world
    world.close()


def eventful(world: World) -> World:
    """Tell a story in which every kind of decision occurs."""
    signals = [signal_rule(), signal_rule("drift", sources_needed=2, weight=0.5)]
    look = rule("look", "priority >= 100000 && retrainings_30d < 3", "INVESTIGATE")
    world.begin(
        "m1",
        "m2",
        "m3",
        signals=signals,
        rules=[rule("bad", "priority >= 300000"), look],
        max_priority_step=0.3,
        cool_down="24h",
        silence="2d",
    )
    for day in range(8):
        for number, model in enumerate(("m1", "m2")):
            world.see(model, 0.4 + 0.2 * day * number, START + day * DAY)
            world.see(model, 0.9, START + day * DAY + HOUR, signal="drift")
        world.settle()
        if day == 3:
            world.deploy("m2", "v2", at=START + 3 * DAY + HOUR)
        if day == 5:
            world.override("m2", "INVESTIGATE", DAY)
    world.plan(1_000_000)
    world.ledger.decisions.evaluate(ANA, ["m1", "m2", "m3"], None)
    world.ledger.decisions.evaluate(ANA, ["m1"], START + 2 * DAY)
    return world


def newest(world: World, kind: str) -> RecordedEvent:
    """Return the newest event of a kind."""
    types = [type_ for type_, name in REPLAYED_TYPES.items() if name == kind]
    return world.events(*types)[-1]


def changed(data: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return data with one leaf replaced."""
    twin = copy.deepcopy(data)
    *branch, leaf = path.split(".")
    part: Any = twin
    for key in branch:
        part = part[int(key)] if isinstance(part, list) else part[key]
    part[int(leaf) if isinstance(part, list) else leaf] = value
    return twin


def spelled(path: str) -> str:
    """Return a path as replay spells it."""
    parts = path.split(".")
    return parts[0] + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts[1:])


def test_everything_replays_identically(world: World) -> None:
    eventful(world)
    results = world.replay()
    assert {result.outcome for result in results} == {"IDENTICAL"}
    assert {result.kind for result in results} == {"score", "decision", "plan"}
    assert len(results) == len(world.events(*REPLAYED_TYPES))
    assert [result.position for result in results] == sorted(result.position for result in results)
    world.restart()
    assert world.replay() == results


def test_a_replay_names_its_horizon_and_its_evidence(world: World) -> None:
    world.begin("m1")
    seen = [world.see("m1", 1.4, START + hour * HOUR).last_position for hour in range(3)]
    world.see("m1", 1.4, START, version="v0")
    (one,) = world.ledger.decisions.evaluate(ANA, ["m1"], None).decided
    result = world.ledger.replayer.replay(one.decision_event.position)
    assert result.name == f"models/m1/decisions/{one.decision_event.position}"
    assert (result.as_of, result.evaluated_at) == (seen[-1] + 1, START + 2 * HOUR)
    assert list(result.evidence) == seen


def test_kinds_and_bounds_choose_what_is_replayed(world: World) -> None:
    eventful(world)
    replayer = world.ledger.replayer
    only = list(replayer.replay_range(1, world.head, frozenset({"plan"})))
    assert [result.kind for result in only] == ["plan"]
    at = only[0].position
    assert list(replayer.replay_range(at + 1, world.head, frozenset({"plan"}))) == []
    assert len(list(replayer.replay_range(at, at, frozenset({"plan", "score"})))) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("action", "INVESTIGATE"),
        ("tier", "somebody"),
        ("rule", "look"),
        ("reason", "RULE_ERROR"),
        ("held_back", "COOL_DOWN"),
        ("since", "2026-01-01T00:00:00.000000Z"),
        ("model_version", "v9"),
        ("policy", "another"),
        ("policy_version", 7),
        ("policy_digest", "0" * 64),
        ("environment.priority", 1),
        ("environment.in_force", "ADJUST_DATA_COLLECTION"),
        ("environment.in_force_rule", "ghost"),
        ("environment.hours_in_force", 99),
        ("environment.retrainings_30d", 9),
        ("environment.model.owner", "mallory"),
        ("environment.model.labels.region", "moon"),
        ("environment.signals.loss.peak", 3),
        ("environment.signals.loss.present", False),
    ],
)
def test_one_altered_field_of_a_decision_is_named_with_both_values(
    told: World, path: str, value: object
) -> None:
    event = newest(told, "decision")
    assert event.stream == "models/m1"
    true = event.data
    forged = told.forge(event.stream, changed(true, path, value), event.type)
    result = told.ledger.replayer.replay(forged.last_position)
    assert result.outcome == "DIVERGENT"
    (found,) = result.differences
    assert found.path == spelled(path)
    part: Any = true
    for key in path.split("."):
        part = part[key]
    assert found.recomputed == shown(part)
    assert found.recorded == shown(value)


def shown(value: object) -> str:
    """Return a value as canonical JSON."""
    return encode(value).decode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("degradation", 1),
        ("coverage", 1),
        ("raw_priority", 1),
        ("priority", 1),
        ("model_version", None),
        ("signals.0.observations", 77),
        ("signals.1.trend", -5),
        ("signals.1.sustained", None),
    ],
)
def test_one_altered_field_of_a_score_is_named_with_both_values(
    told: World, path: str, value: object
) -> None:
    event = newest(told, "score")
    was = event.data["signals"][1]["sustained"]
    forged = changed(event.data, path, (not was) if path.endswith("sustained") else value)
    result = told.ledger.replayer.replay(told.forge(event.stream, forged, event.type).last_position)
    assert result.outcome == "DIVERGENT"
    assert [found.path for found in result.differences] == [spelled(path)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("inputs_digest", "0" * 64),
        ("price", "12345"),
        ("next_price", "12345"),
        ("demand_micros", "12345"),
        ("purse_left_micros", "12345"),
        ("now_period", 1),
        ("backlog.0.outcome", "resting"),
        ("backlog.0.reason", "because"),
        ("backlog.1.rank", "7"),
        ("modes.0.mode", "5"),
    ],
)
def test_one_altered_field_of_a_plan_is_named_with_both_values(
    told: World, path: str, value: object
) -> None:
    event = newest(told, "plan")
    forged = changed(event.data, path, value)
    assert forged != event.data
    forged["plan"] = "forged"
    position = told.forge("plans/forged", forged, event.type).last_position
    result = told.ledger.replayer.replay(position)
    assert result.outcome == "DIVERGENT"
    assert [found.path for found in result.differences] == [spelled(path)]


def test_a_decision_on_a_score_that_was_altered_names_the_scores_field(world: World) -> None:
    eventful(world)
    made, scored = newest(world, "decision"), newest(world, "score")
    score = world.forge(scored.stream, changed(scored.data, "coverage", 5), scored.type)
    cites = changed(made.data, "score_position", score.last_position)
    result = world.ledger.replayer.replay(world.forge(made.stream, cites, made.type).last_position)
    assert result.outcome == "DIVERGENT"
    assert [found.path for found in result.differences] == ["score.coverage"]


def test_a_decision_whose_trigger_is_not_its_scores_is_found(world: World) -> None:
    made = newest(eventful(world), "decision")
    forged = changed(made.data, "trigger", "schedule")
    result = world.ledger.replayer.replay(world.forge(made.stream, forged, made.type).last_position)
    assert [found.path for found in result.differences] == ["score.trigger"]


@pytest.mark.parametrize(
    ("kind", "path", "value", "why"),
    [
        ("score", "kernel", "bucketed/9", "no kernel bucketed/9"),
        ("decision", "kernel", "bucketed/9", "no kernel bucketed/9"),
        ("decision", "procedure", "rules/9", "procedure"),
        ("plan", "planner", "excess/9", "planner"),
        ("score", "model", "nobody", "is in the stream"),
        ("plan", "plan", "other", "is in the stream"),
        ("score", "as_of", 10**9, "horizon does not lie before it"),
        ("plan", "as_of", 10**9, "horizon does not lie before it"),
        ("score", "as_of", 2, "was not registered"),
        ("decision", "score_position", 3, "there is no score at position 3"),
        ("plan", "policy_version", 99, "has no version 99"),
        ("score", "degradation", -1, "degradation"),
        ("score", "evaluated_at", "yesterday", "evaluated_at"),
    ],
)
def test_what_cannot_be_computed_again_says_why(
    told: World, kind: str, path: str, value: object, why: str
) -> None:
    event = newest(told, kind)
    forged = told.forge(event.stream, changed(event.data, path, value), event.type)
    result = told.ledger.replayer.replay(forged.last_position)
    assert (result.outcome, result.differences) == ("NOT_REPLAYABLE", ())
    assert why in result.why
    assert result.position == forged.last_position


def test_erased_evidence_makes_a_decision_not_replayable(world: World) -> None:
    world.begin("m1")
    lost = world.see("m1", 1.4, START).last_position
    world.settle()
    world.see("m1", 1.4, START + 30 * DAY)
    world.settle()
    world.erase(lost)
    first, *_, last = world.replay({"score"})
    assert first.outcome == "NOT_REPLAYABLE"
    assert "erased" in first.why
    assert last.outcome == "IDENTICAL", "outside its window it is not missed"


def test_an_erased_decision_is_not_replayable(world: World) -> None:
    made = newest(eventful(world), "decision")
    world.erase(made.position)
    result = world.ledger.replayer.replay(made.position)
    assert result.outcome == "NOT_REPLAYABLE"
    assert "erased" in result.why


def test_a_policy_whose_document_is_not_its_digests_is_not_used(world: World) -> None:
    world.begin("m1")
    world.see("m1", 1.4, START)
    drafted = world.events("policy.drafted.v2")[0].data
    other = policy_text(silence="9d")
    document = world.ledger.definitions.lint(other).document
    assert document is not None
    forged = drafted | {"version": 2, "document": document.model_dump(mode="json")}
    world.forge("policies/main", forged, "policy.drafted.v2")
    activated = world.events("policy.activated.v1")[0].data | {"version": 2}
    world.forge("policies/main", activated, "policy.activated.v1")
    with pytest.raises(LedgerError) as error:
        world.ledger.decisions.evaluate(ANA, ["m1"], None)
    assert reason_of(error) is Reason.EVENT_UNREADABLE


def test_other_events_are_no_decisions(world: World) -> None:
    world.begin("m1")
    for position in (1, world.head + 1, 0, -1):
        with pytest.raises(LedgerError) as error:
            world.ledger.replayer.replay(position)
        assert reason_of(error) is Reason.DECISION_UNKNOWN


def test_differences_are_found_in_whatever_shape() -> None:
    one = {"a": [1, {"b": 2}], "c": None, "d": [1]}
    two = {"a": [1, {"b": 3}, 4], "d": {"e": 1}, "f": "x"}
    found = {each.path: (each.recorded, each.recomputed) for each in differences(one, two)}
    assert found == {
        "a[1].b": ("2", "3"),
        "a[2]": ("", "4"),
        "c": ("null", ""),
        "d": ("[1]", '{"e":1}'),
        "f": ("", '"x"'),
    }


def test_replay_needs_no_projection(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    world = eventful(World(path))
    world.close()
    with Service(quiet(str(path)), ManualClock(START)) as service:
        head = service.ledger(ORIGIN).log.head().position
    assert (tmp_path / "l.projections.sqlite").exists()
    for file in tmp_path.glob("l.projections*"):
        file.unlink()
    settings = quiet(str(path), service__evaluate=False, service__project=False)
    with Service(settings, ManualClock(START)) as service:
        replayer = service.ledger(ORIGIN).replayer
        results = list(replayer.replay_range(1, head, frozenset({"score", "decision", "plan"})))
    assert {result.outcome for result in results} == {"IDENTICAL"}


def test_a_replay_costs_what_its_window_holds_not_what_the_ledger_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counting(name: str) -> Callable[..., object]:
        method = getattr(world.store.events, name)

        def counted(*given: object, **named: object) -> object:
            found = method(*given, **named)
            read.append(len(found) if isinstance(found, list) else 1)
            return found

        return counted

    world.begin("m1", max_priority_step=0.5)
    costs = []
    for day in range(120):
        world.see("m1", 0.4 if day % 3 else 1.2, START + day * DAY)
        world.settle()
        if day % 40 == 39:
            position = newest(world, "score").position
            with monkeypatch.context() as patched:
                for name in ("read", "event", "latest", "of_types", "observations"):
                    patched.setattr(world.store.events, name, counting(name))
                read.clear()
                assert world.ledger.replayer.replay(position).outcome == "IDENTICAL"
                costs.append((sum(read), len(read)))
    assert costs[0] == costs[1] == costs[2]
