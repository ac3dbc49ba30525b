"""A review pack counts what came of a version in force, of its events alone.

Method: ten days under a version without governance, then thirty under one of format policy/2: its
rules fire, a person overrules, a task is closed, a source falls silent, a model is trained again.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.application.commands import Caller
from ledger.application.policies.review_packs import PackPeriod
from ledger.errors import LedgerError, Reason
from ledger.events.cases import TaskOpened
from ledger.events.decisions import DECISION_TYPES
from ledger.events.envelope import RecordedEvent
from ledger.events.facts import fact_of
from ledger.events.policies import ScopePart
from ledger.events.signals import SignalObserved
from ledger.events.values import SECOND, format_time
from ledger.governance.lifecycle import ScopeKey
from ledger.governance.review_pack import pack_digest, pack_of
from tests.support.governed import governed
from tests.support.world import (
    DAY,
    HOUR,
    MONITOR,
    ORIGIN,
    START,
    World,
    policy_text,
    reason_of,
    rule,
)  # fmt: skip

WHOLE: Final = ScopeKey("ledger", None, ())
OTHER: Final = Caller("services/monitor-2")
PLAIN: Final = [rule("all", "priority >= 900000")]
RULES: Final = [
    rule("never", "priority > 999999", "ADJUST_DATA_COLLECTION"),
    rule("bad", "priority >= 700000"),
    rule("look", "priority >= 200000", "INVESTIGATE"),
]
TEXT: Final = governed(policy_text(rules=RULES, silence="5d"), review_every="30d")


def see(world: World, model: str, value: float, caller: Caller = MONITOR) -> None:
    """Observe a model now, and let it be scored."""
    world.see(model, value, world.clock.now_micros(), caller=caller)
    world.settle()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("packs") / "ledger.db", clock="wall")
    made.begin("m1", "m2", "m3", policy=policy_text(rules=PLAIN))
    made.clock.advance(DAY)
    see(made, "m1", 0.4)
    made.clock.advance(HOUR)
    see(made, "m2", 1.4)
    see(made, "m2", 1.4, caller=OTHER)
    made.clock.advance(9 * DAY)
    made.activate(TEXT)
    see(made, "m1", 1.4)
    made.clock.advance(HOUR)
    see(made, "m2", 0.7)
    made.override("m2", "NO_ACTION", 2 * DAY)
    made.settle()
    made.clock.advance(10 * DAY)
    made.deploy("m1", "v2", at=made.clock.now_micros())
    (task,) = made.events(TaskOpened.TYPE)
    opened = task.data["task"]
    made.ledger.cases.close(Caller("users/ana"), "m2", opened, "false_alarm", "as it was")
    made.clock.advance(19 * DAY)
    see(made, "m2", 0.4)
    made.clock.advance(DAY)
    yield made
    made.close()


def pack(world: World, version: int = 0, scope: ScopeKey = WHOLE, **period: int) -> dict[str, Any]:
    """Return the pack of main in force, which the bare events give again."""
    packs, named = world.ledger.reviews.packs, ("main", version)
    made = packs.pack(named, scope, PackPeriod(**period))
    subject = packs.subject(named, scope, PackPeriod(**period))
    facts = [
        fact_of(one.position, one.stream, one.type, one.recorded_at, one.body_bytes)
        for one in world.events()
        if one.position <= made.as_of
    ]
    assert pack_of(facts, subject, ORIGIN) == made.body
    assert pack_digest(made.body) == made.digest
    found: dict[str, Any] = json.loads(made.body)
    return found


def test_a_pack_is_of_the_time_since_the_activation_and_of_the_one_before(world: World) -> None:
    found, began = pack(world), world.events("policy.activated.v1")[-1]
    named = (found["policy"], found["version"], found["title"], found["ledger"])
    assert named == ("main", 2, "Test", ORIGIN)
    assert (found["after"], found["as_of"]) == (began.position, world.head)
    assert found["since"] == format_time(began.recorded_at)
    assert found["before"] == format_time(2 * began.recorded_at - world.events()[-1].recorded_at)
    assert (found["models"], found["erased"]) == (3, 0)
    assert found["life"]["due_at"] == format_time(began.recorded_at + 30 * DAY)
    assert (found["life"]["activated_by"], found["life"]["author"]) == ("users/ana", "users/ana")


def test_a_pack_counts_for_each_rule_what_it_fired_and_how_it_was_overruled_and_its_precision(
    world: World,
) -> None:
    never, bad, look, otherwise = pack(world)["rules"]
    assert [one["rule"] for one in (never, bad, look)] == ["never", "bad", "look"]
    assert (otherwise["rule"], otherwise["rationale"], bad["rationale"]) == ("otherwise", "", "x")
    assert (bad["fires"], bad["overruled"], bad["tasks"], bad["precision_ppm"]) == (2, 0, 0, None)
    assert (look["fires"], look["overruled"], look["overruled_ppm"]) == (1, 1, 1_000_000)
    assert look["overruled_by"] == [{"actor": "users/ana", "times": 1}]
    assert (look["tasks"], look["closed"], look["outcomes"]) == (1, 1, {"false_alarm": 1})
    assert look["precision_ppm"] == 0
    assert (never["fires"], never["decisions"], never["last_fired"]) == (0, 0, None)


def test_a_pack_says_what_retrainings_were_decided_for_and_which_followed(world: World) -> None:
    cost = pack(world)["cost"]
    each = json.loads(world.events("model.registered.v1")[0].body_bytes or b"")["data"]
    once = {"retrainings": 1, "cost_micros": each["cost_micros"], "cost_unknown": 0}
    assert cost == {"scheduled": once, "done": once}


def test_a_pack_names_the_sources_that_fell_silent_and_those_that_never_reported(
    world: World,
) -> None:
    found = pack(world)["sources"]
    assert (found["reporting"], found["silent"]) == (1, 3)
    said = [(one["model"], one["actor"], one["observations"]) for one in found["rows"]]
    assert said == [
        ("m1", "services/monitor-1", 1),
        ("m2", "services/monitor-2", 0),
        ("m3", "", 0),
    ]
    assert found["rows"][0]["silent_seconds"] == (29 * DAY + HOUR) // SECOND
    assert found["rows"][1]["observations_before"] == 1
    assert found["rows"][2]["last_observed_at"] is None


def test_a_pack_sets_what_was_in_force_beside_the_period_before(world: World) -> None:
    found = {one["action"]: one for one in pack(world)["actions"]}
    retrain, nothing = found["SCHEDULE_RETRAINING"], found["NO_ACTION"]
    assert retrain["seconds_before"] == 9 * DAY // SECOND
    assert nothing["seconds_before"] == (21 * DAY + 3 * HOUR) // SECOND
    assert retrain["share_before_ppm"] == 9 * 24 * 1_000_000 // (30 * 24 + 3)
    assert (retrain["decisions_before"], retrain["decisions"]) == (1, 2)
    assert sum(one["seconds"] for one in found.values()) == 3 * (29 * DAY + HOUR) // SECOND


def test_a_pack_is_of_one_scope_alone(world: World) -> None:
    one = ScopePart(kind="model", model="m2", labels={})
    began = world.head
    world.activate(TEXT, scope=one)
    scope = ScopeKey("model", "m2", ())
    found = pack(world, scope=scope)
    assert (found["version"], found["models"], found["after"]) == (3, 1, began + 2)
    assert {row["model"] for row in found["sources"]["rows"]} <= {"m2"}
    whole = pack(world, as_of=began)
    assert pack(world, version=2, as_of=began) == whole
    later = pack(world)
    assert {row["model"] for row in later["sources"]["rows"]} == {"m1", "m3"}  # m2 has its own


def test_a_stated_period_moves_both_ends(world: World) -> None:
    since, until = START + 20 * DAY + HOUR, START + 39 * DAY
    found = pack(world, since=since, until=until)
    assert world.events()[found["after"] - 1].recorded_at < since
    assert world.events()[found["as_of"] - 1].recorded_at <= until
    assert [one["fires"] for one in found["rules"]][:2] == [0, 0]


def test_a_stated_period_begins_and_ends_with_the_first_and_last_event_at_its_borders(
    world: World,
) -> None:
    times = [one.recorded_at for one in world.events()]
    borders = sorted({time for time in times[activated(world).position : -1] if time < times[-1]})
    assert len(borders) >= 3
    for at in borders:
        early, late = pack(world, until=at), pack(world, since=at)
        assert early["until"] == late["since"] == format_time(at)
        assert times[early["as_of"]] > at, "the last event at that time is the last of the period"
        assert times[late["after"] - 1] < at <= times[late["after"]]
        between = at + 1  # no event was recorded then
        assert pack(world, until=between)["as_of"] == early["as_of"]
        later = pack(world, since=between)
        assert later["after"] == early["as_of"]
        assert later["since"] == format_time(times[early["as_of"]])


def activated(world: World) -> RecordedEvent:
    """Return the activation of the version that is reviewed."""
    return world.events("policy.activated.v1")[1]


def counts(found: dict[str, Any]) -> Counter[str]:
    """Return all that a pack counts of the events of its period alone."""
    said: Counter[str] = Counter({one: found["cases"][one] for one in found["cases"]})
    for one in found["rules"]:
        for name in ("fires", "decisions", "failures", "overruled", "tasks", "closed"):
            said[f"{one['rule']} {name}"] += one[name]
    for one in found["actions"]:
        said[f"{one['action']} decisions"] += one["decisions"]
    for kind, cost in found["cost"].items():
        said[f"{kind} retrainings"] += cost["retrainings"]
        said[f"{kind} cost"] += int(cost["cost_micros"])
    return +said


def test_two_adjoining_periods_count_every_event_once(world: World) -> None:
    first = world.events()[activated(world).position].recorded_at
    whole, times = counts(pack(world, since=first)), {one.recorded_at for one in world.events()}
    assert whole.total() > 10
    for until in sorted(time for time in times if first <= time < max(times)):
        early = counts(pack(world, since=first, until=until))
        assert early + counts(pack(world, since=until + 1)) == whole


def test_a_period_without_an_event_is_refused(world: World) -> None:
    with pytest.raises(LedgerError) as caught:
        pack(world, since=world.clock.now_micros() + 1)
    assert reason_of(caught) is Reason.FIELD_INVALID
    assert "no event up to position" in caught.value.message
    with pytest.raises(LedgerError) as caught:
        pack(world, since=START + 20 * DAY, until=START + 20 * DAY - 1)
    assert reason_of(caught) is Reason.FIELD_INVALID


@pytest.mark.parametrize(
    ("version", "scope", "period", "reason"),
    [
        (1, WHOLE, {}, Reason.POLICY_NOT_IN_FORCE),
        (0, ScopeKey("model", "m1", ()), {}, Reason.POLICY_NOT_IN_FORCE),
        (0, WHOLE, {"as_of": 10_000}, Reason.POSITION_BEYOND_HEAD),
    ],
)
def test_what_is_not_in_force_there_has_no_pack(
    world: World, version: int, scope: ScopeKey, period: dict[str, int], reason: Reason
) -> None:
    with pytest.raises(LedgerError) as caught:
        world.ledger.reviews.packs.pack(("main", version), scope, PackPeriod(**period))
    assert reason_of(caught) is reason


def test_bodies_that_were_erased_are_counted_and_the_pack_is_made_without_them(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db", clock="wall")
    world.begin("m1", policy=TEXT)
    world.clock.advance(DAY)
    see(world, "m1", 1.4)
    gone = [world.events(one)[0].position for one in (SignalObserved.TYPE, DECISION_TYPES[1])]
    before = pack(world)
    world.erase(*gone)
    found = pack(world)
    assert (before["erased"], found["erased"]) == (0, 2)
    assert [one["fires"] for one in before["rules"]][1] == 1
    assert [one["fires"] for one in found["rules"]][1] == 0
    world.close()


def test_the_form_of_a_pack_never_changes_as_signatures_name_its_digest(world: World) -> None:
    made = world.ledger.reviews.packs.pack(("main", 2), WHOLE, PackPeriod(as_of=51))
    assert json.loads(made.body)["format"] == "review-pack/1"
    assert made.digest == "465e586eb8a1431d03f8c786d26adbf8b3000b77ca051aa15e98704bda381e17"
