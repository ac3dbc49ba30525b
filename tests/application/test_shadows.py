"""A policy in shadow scores and decides beside the one in force, and nothing acts on it.

Method: a ledger stepped by the test; afterwards all of it replays, and the audit finds nothing.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.application.fleet.history import History, HistoryReader
from ledger.application.fleet.shadows import ShadowReader
from ledger.errors import LedgerError, Reason
from ledger.events.policies import DRAFTED_TYPES, PolicyActivatedV1, ScopePart
from ledger.events.registry import typed
from ledger.events.shadows import (
    SHADOW_CLASSES,
    SHADOW_DECISION_TYPES,
    PolicyShadowed,
    ShadowDecided,
    ShadowEnded,
    ShadowScored,
)
from tests.support.audits import audited
from tests.support.shadowed import BETA, CALM, KEEN, see, shadow, shadowing_world
from tests.support.world import (
    ANA,
    DAY,
    EVERYWHERE,
    HOUR,
    START,
    World,
    reason_of,
)

HISTORY = HistoryReader.history


@pytest.fixture(params=["data", "wall"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    with shadowing_world(tmp_path, request.param) as made:
        yield made


def decided(world: World) -> list[ShadowDecided]:
    return [typed(one, ShadowDecided) for one in world.events(*SHADOW_DECISION_TYPES)]


def test_a_shadow_decides_beside_the_policy_in_force_and_nothing_comes_into_force_by_it(
    world: World,
) -> None:
    see(world, 0.4, HOUR)
    position = shadow(world, KEEN)
    see(world, 0.7, DAY)
    assert [(one.shadow, one.model, one.action) for one in decided(world)] == [
        (position, "alpha", "SCHEDULE_RETRAINING")
    ]
    assert {one.action for one in world.decisions("alpha")} <= {"NO_ACTION"}
    in_force = world.ledger.histories.decision_in_force("alpha", world.head)
    assert in_force is None or in_force.data.action == "NO_ACTION"


def test_each_score_of_the_evaluator_has_that_of_the_shadow_behind_it_and_no_other_has(
    world: World,
) -> None:
    see(world, 0.4, HOUR)
    shadow(world, KEEN, scope=BETA)
    before = len(world.scores())
    see(world, 0.7, DAY)
    see(world, 0.7, DAY + HOUR, model="beta")
    world.evaluate("beta")
    asked = [one for one in world.scores("beta") if one.trigger != "request"]
    scored = [typed(one, ShadowScored) for one in world.events(ShadowScored.TYPE)]
    assert {one.model for one in scored} == {"beta"}
    assert scored[-1].evaluated_at == asked[-1].evaluated_at
    assert len(scored) < len(world.scores()) - before


def test_a_shadow_holds_and_is_bounded_by_its_own_last_decision_and_score(world: World) -> None:
    see(world, 0.4, HOUR)
    shadow(world, KEEN)
    for day, value in enumerate((0.9, 1.4, 1.4, 0.4), 1):
        see(world, value, day * DAY)
    scored = [typed(one, ShadowScored) for one in world.events(ShadowScored.TYPE)]
    alpha = [one.priority for one in scored if one.model == "alpha"]
    steps = [abs(one - other) for one, other in zip(alpha[1:], alpha, strict=False)]
    assert max(steps) == 100_000, "the bound is that of the shadow's own score"
    assert decided(world)[-1].environment.in_force_rule in {"", "bad"}


def test_an_override_does_not_apply_to_a_shadow(world: World) -> None:
    see(world, 0.4, HOUR)
    shadow(world, KEEN)
    world.override("alpha", "INVESTIGATE", 9 * DAY)
    see(world, 0.9, DAY)
    assert decided(world)[-1].overridden is None
    assert decided(world)[-1].action == "SCHEDULE_RETRAINING"
    assert world.decisions("alpha")[-1].action == "INVESTIGATE"


def test_a_shadow_ends_when_its_time_is_over(world: World) -> None:
    position = shadow(world, KEEN, span=2 * DAY)
    see(world, 0.4, DAY)
    assert world.govern() == 0
    see(world, 0.4, 3 * DAY)
    assert world.govern() == 1
    [ended] = world.all_of(ShadowEnded)
    assert (ended.shadow, ended.ground) == (position, "time")
    before = len(world.events(ShadowScored.TYPE))
    see(world, 0.9, 4 * DAY)
    assert len(world.events(ShadowScored.TYPE)) == before


def test_a_shadow_ends_when_its_version_comes_into_force_for_its_scope(world: World) -> None:
    position = shadow(world, KEEN)
    activate = world.ledger.commands.activate_policy
    activate(ANA, "next", 1, "", BETA, "first for one")
    assert world.govern() == 0
    activated = activate(ANA, "next", 1, "", EVERYWHERE, "it was compared").last_position
    assert world.govern() == 1
    [ended] = world.events(ShadowEnded.TYPE)
    assert typed(ended, ShadowEnded).ground == "activated"
    assert ended.body.causation_position == activated > position


def test_a_shadow_is_ended_by_a_person_once(world: World) -> None:
    position = shadow(world, KEEN)
    world.ledger.shadowing.end(ANA, position, "enough was seen")
    with pytest.raises(LedgerError) as refused:
        world.ledger.shadowing.end(ANA, position, "again")
    assert reason_of(refused) is Reason.SHADOW_REFUSED
    assert refused.value.remedy.endswith("`decision-ledger policy shadows`.")


def test_one_shadow_runs_on_a_scope_and_four_on_a_ledger(world: World) -> None:
    shadow(world, KEEN)
    with pytest.raises(LedgerError, match="runs on that scope"):
        shadow(world, KEEN, policy="other")
    for label in ("a", "b", "c"):
        shadow(world, KEEN, scope=ScopePart(kind="labels", model=None, labels={"x": label}))
    with pytest.raises(LedgerError, match="4 shadows run"):
        shadow(world, KEEN, scope=BETA)


def test_a_shadow_goes_on_after_a_restart_as_if_nothing_had_happened(world: World) -> None:
    shadow(world, KEEN)
    see(world, 0.9, DAY)
    world.restart()
    before = len(decided(world))
    see(world, 0.9, 2 * DAY)
    assert len(decided(world)) == before, "its outcome is what it was"


def test_an_erased_shadow_does_not_run_any_more(world: World) -> None:
    position = shadow(world, KEEN)
    see(world, 0.9, DAY)
    before = len(world.events(ShadowScored.TYPE))
    assert before > 0
    world.erase(position)
    see(world, 0.9, 2 * DAY)
    assert len(world.events(ShadowScored.TYPE)) == before


@pytest.mark.parametrize("erased", [cls.TYPE for cls in SHADOW_CLASSES])
def test_all_goes_on_when_what_a_shadow_recorded_is_erased(world: World, erased: str) -> None:
    earlier = shadow(world, json.dumps(json.loads(KEEN) | {"title": "Before"}), scope=BETA)
    by_record = json.loads(KEEN)
    by_record["decision"]["procedure"] = "rules/1"
    shadow(world, json.dumps(by_record), policy="other")
    shadow(world, KEEN, scope=ScopePart(kind="model", model="alpha", labels={}))
    see(world, 0.9, DAY)
    world.ledger.shadowing.end(ANA, earlier, "enough was seen")
    world.erase(*(one.position for one in world.events(erased)))
    world.restart()
    for day, value in enumerate((0.9, 0.4, 1.4), 2):
        see(world, value, day * DAY)
    assert not world.evaluator.unreadable
    running = world.ledger.shadowing.running().running
    beyond = [one for one in world.events(ShadowScored.TYPE) if one.body_bytes]
    assert len(beyond) >= 3 * min(len(running), 2) * (erased != PolicyShadowed.TYPE)


def test_every_shadow_that_began_is_listed_and_named_by_its_position(world: World) -> None:
    first = shadow(world, KEEN)
    world.ledger.shadowing.end(ANA, first, "enough was seen")
    second = shadow(world, KEEN)
    listed = world.ledger.shadowing.every()
    assert [(one.position, one.is_running) for one in listed] == [(first, False), (second, True)]
    with pytest.raises(LedgerError) as refused:
        world.ledger.shadowing.named(first + 1)
    assert reason_of(refused) is Reason.SHADOW_REFUSED


def test_a_shadow_whose_time_is_over_when_it_is_recorded_ends_at_once(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 0.4, START + DAY)
    world.settle()
    drafted = world.draft(CALM, "next")
    world.before_append(lambda: world.see("alpha", 0.4, START + 2 * DAY))
    world.ledger.shadowing.begin(ANA, "next", 1, drafted.digest, EVERYWHERE, 3_600, "to compare")
    assert world.ledger.shadowing.running().running
    world.govern()
    assert not world.ledger.shadowing.running().running
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_only_a_time_to_come_can_end_it(world: World) -> None:
    with pytest.raises(LedgerError) as refused:
        shadow(world, KEEN, span=-DAY)
    assert reason_of(refused) is Reason.FIELD_INVALID


@pytest.mark.parametrize(
    "lost", [DRAFTED_TYPES, (PolicyShadowed.TYPE,), (ShadowScored.TYPE,), SHADOW_DECISION_TYPES]
)
def test_a_shadow_that_cannot_be_read_holds_up_no_score(
    tmp_path: Path, lost: tuple[str, ...]
) -> None:
    world = World(tmp_path / "ledger.db", clock="data").begin("alpha", policy=CALM)
    shadow(world, KEEN)
    see(world, 0.9, DAY)
    world.lose(world.events(*lost)[-1].position)
    world.restart()
    before = len(world.scores())
    see(world, 0.9, 2 * DAY)
    assert not world.evaluator.unreadable
    assert len(world.scores()) > before
    world.close()


def test_a_shadow_that_begins_or_ends_leaves_the_warm_state_of_every_model(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(world, 0.4, HOUR)
    see(world, 0.4, HOUR, model="beta")
    built: list[str] = []

    def counted(reader: HistoryReader, model: str, as_of: int) -> History | None:
        built.append(model)
        return HISTORY(reader, model, as_of)

    monkeypatch.setattr(HistoryReader, "history", counted)
    position = shadow(world, KEEN, scope=BETA)
    see(world, 0.9, DAY)
    world.ledger.shadowing.end(ANA, position, "enough was seen")
    see(world, 0.9, 2 * DAY)
    assert not built


def test_a_shadow_is_read_from_the_ledger_once_and_then_kept_warm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(world, 0.4, HOUR)
    shadow(world, KEEN)
    see(world, 0.7, DAY)
    read: list[str] = []
    reading = ((HistoryReader, "fill"), (ShadowReader, "last_decision"))
    for kind, name in (*reading, (ShadowReader, "last_score")):
        real = getattr(kind, name)

        def counted(*given: object, _real: object = real, _name: str = name) -> object:
            read.append(_name)
            return _real(*given)  # type: ignore[operator]

        monkeypatch.setattr(kind, name, counted)
    for day, value in enumerate((0.9, 1.4, 0.4), 2):
        see(world, value, day * DAY)
    world.see("alpha", 1.2, START + 2 * DAY + HOUR)  # late
    see(world, 0.4, 5 * DAY)
    assert not read
    world.deploy("alpha", "v2", at=START + 5 * DAY)
    see(world, 0.9, 6 * DAY, version="v2")
    assert "fill" in read, "another version is observed"


def test_a_promotion_cites_its_shadow_and_can_be_compared_as_it_was_then(world: World) -> None:
    position = shadow(world, KEEN, scope=BETA)
    see(world, 0.9, DAY, model="beta")
    promoted = world.ledger.shadowing.promoted(position, "next", 1, BETA)
    activate = world.ledger.commands.activate_policy
    activated = activate(ANA, "next", 1, "", BETA, "it was compared", promoted).last_position
    assert world.events(PolicyActivatedV1.TYPE)[-1].body.causation_position == position
    then = world.ledger.shadow_comparisons.compare(position)
    see(world, 0.4, 2 * DAY, model="beta")
    assert world.ledger.shadow_comparisons.compare(position) != then
    assert world.ledger.shadow_comparisons.compare(position, activated) == then


@pytest.mark.parametrize(
    ("version", "scope", "why"),
    [(2, BETA, "runs next version 1"), (1, EVERYWHERE, "runs on another scope")],
)
def test_a_shadow_promotes_its_own_version_on_its_own_scope_alone(
    world: World, version: int, scope: ScopePart, why: str
) -> None:
    position = shadow(world, KEEN, scope=BETA)
    with pytest.raises(LedgerError, match=why) as refused:
        world.ledger.shadowing.promoted(position, "next", version, scope)
    assert reason_of(refused) is Reason.SHADOW_REFUSED
    with pytest.raises(LedgerError, match="no shadow began at position 1"):
        world.ledger.shadowing.promoted(1, "next", 1, BETA)
    assert world.ledger.shadowing.promoted(0, "next", 1, BETA) is None


def test_a_warm_shadow_goes_by_the_version_in_service_by_its_own_procedure(tmp_path: Path) -> None:
    by_record = json.loads(CALM)
    by_record["decision"]["procedure"] = "rules/1"
    world = World(tmp_path / "ledger.db", clock="data").begin("alpha", policy=json.dumps(by_record))
    shadow(world, KEEN)
    see(world, 1.2, HOUR)
    world.deploy("alpha", "v2", at=START + 5 * DAY)
    see(world, 1.4, 2 * DAY, version="v1")
    see(world, 0.5, 6 * DAY, version="v2")
    versions = [typed(one, ShadowScored).model_version for one in world.events(ShadowScored.TYPE)]
    assert versions[-2:] == ["v1", "v2"], "the policy in force goes by what was recorded last"
    assert {one.outcome for one in world.replay()} == {"IDENTICAL"}
    world.close()
