"""Commands about the fleet: goal: state decides, races have one winner, repeats one answer.

Method: commands against a real SQLite ledger, races by two ledgers over one store that have both
read the same state, repeats after the state has moved on, and bad fields past the API's checks.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ledger.application.commands import Caller, ledger_time
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.errors import LedgerError, Reason
from ledger.events.models import ModelDeployed, ModelUpdated
from ledger.events.policies import ScopePart
from ledger.events.values import TIME_LIMIT
from ledger.limits import MONEY_MICROS_MAX
from tests.application.conftest import MakeWorld
from tests.support.world import (
    ANA,
    DAY,
    EVERYWHERE,
    HOUR,
    START,
    World,
    policy_text,
    reason_of,
    registered,
    request,
    updated,
)


def refused(world: World, call: Callable[[], object]) -> LedgerError:
    """Return how a command is refused; it may write nothing."""
    before = world.head
    with pytest.raises(LedgerError) as error:
        call()
    assert world.head == before
    return error.value


def test_of_two_updates_of_one_version_one_is_told_of_the_other(world: World) -> None:
    world.begin("m1")
    version = world.model("m1").model.version
    world.update("m1", version=version, owner="first")
    with pytest.raises(LedgerError) as error:
        world.update("m1", version=version, owner="second")
    assert reason_of(error) is Reason.VERSION_CONFLICT
    described = world.model("m1").model.described
    assert described is not None
    assert described.owner == "first"


def test_of_many_updates_at_once_each_is_written_or_told_of_a_conflict(world: World) -> None:
    world.begin("m1")
    version = world.model("m1").model.version

    def update(number: int) -> Reason | None:
        try:
            world.update("m1", version=version, owner=f"owner-{number}")
        except LedgerError as error:
            return error.reason
        return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(update, range(16)))
    assert outcomes.count(None) == 1
    assert outcomes.count(Reason.VERSION_CONFLICT) == 15
    assert len(world.all_of(ModelUpdated)) == 1


def test_of_many_registrations_of_one_name_one_is_written(world: World) -> None:
    world.begin()

    def register(number: int) -> Reason | None:
        try:
            world.register("m1", owner=f"owner-{number}")
        except LedgerError as error:
            return error.reason
        return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(register, range(16)))
    assert outcomes.count(None) == 1
    assert outcomes.count(Reason.ALREADY_EXISTS) == 15


def test_many_tries_of_one_request_at_once_get_one_answer(world: World) -> None:
    world.begin()

    def register(_: int) -> int:
        caller = request("same", "content")
        return world.ledger.commands.register_model(caller, registered("m1")).last_position

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(register, range(24)))) == 1


def test_repeats_get_the_first_answer_although_the_state_has_moved_on(world: World) -> None:
    world.begin("m1")
    commands = world.ledger.commands
    version = world.model("m1").model.version
    spec = DeploymentSpec("m1", "v2", START, START, "0.4", "v1")
    text = policy_text()
    one = ScopePart(kind="model", model="m1", labels={})

    def everything() -> list[tuple[int, bytes]]:
        drafted = commands.draft_policy(request("draft"), "other", text, "why")
        writes = [
            commands.update_model(request("update"), updated("m1", owner="x"), version),
            world.ledger.stated_deployments.record(request("deploy"), spec),
            drafted.written,
            commands.activate_policy(request("on"), "other", drafted.version, "", one, "go"),
            commands.retire_model(request("retire"), "m1", "over"),
        ]
        return [(written.last_position, written.event_hash) for written in writes]

    first = everything()
    head = world.head
    assert everything() == first
    assert world.head == head, "a repeat writes nothing"
    world.restart()
    commands = world.ledger.commands
    assert everything() == first


def test_a_repeated_draft_answers_although_its_text_would_be_refused_by_now(world: World) -> None:
    world.begin("m1")
    first = world.ledger.commands.draft_policy(request("d", "x"), "other", policy_text(), "why")
    again = world.ledger.commands.draft_policy(request("d", "x"), "other", "nonsense", "why")
    assert (again.version, again.digest) == (first.version, first.digest)
    assert again.written.last_position == first.written.last_position


def test_a_request_id_used_for_other_content_is_refused(world: World) -> None:
    world.begin()
    world.ledger.commands.register_model(request("q", "one"), registered("m1"))
    error = refused(
        world, lambda: world.ledger.commands.register_model(request("q", "two"), registered("m2"))
    )
    assert error.reason is Reason.REQUEST_ID_REUSED


def test_a_retired_model_takes_nothing_more_and_its_name_stays_taken(world: World) -> None:
    world.begin("m1")
    world.ledger.commands.retire_model(ANA, "m1", "over")
    only = ScopePart(kind="model", model="m1", labels={})
    for call in (
        lambda: world.update("m1"),
        lambda: world.deploy("m1", "v2"),
        lambda: world.see("m1", "0.5", START),
        lambda: world.ledger.commands.retire_model(ANA, "m1", "again"),
        lambda: world.ledger.decisions.evaluate(ANA, ["m1"], None),
        lambda: world.ledger.commands.activate_policy(ANA, "main", 1, "", only, "go"),
    ):
        assert refused(world, call).reason is Reason.MODEL_RETIRED
    assert refused(world, lambda: world.register("m1")).reason is Reason.ALREADY_EXISTS


def test_another_server_that_has_not_heard_of_the_retirement_refuses_too(
    make_world: MakeWorld,
) -> None:
    one = make_world().begin("m1")
    other = make_world(shared=one)
    one.ledger.commands.retire_model(ANA, "m1", "over")
    assert refused(other, lambda: other.update("m1")).reason is Reason.MODEL_RETIRED
    evaluate = other.ledger.decisions.evaluate
    assert refused(other, lambda: evaluate(ANA, ["m1"], None)).reason is Reason.MODEL_RETIRED


def test_a_deployment_must_replace_what_is_in_service(world: World) -> None:
    world.begin("m1")
    error = refused(world, lambda: world.deploy("m1", "v3", replaces="v2"))
    assert error.reason is Reason.VERSION_CONFLICT
    assert error.metadata["in_service"] == "v1"
    world.deploy("m1", "v2", replaces="v1")
    world.deploy("m1", "v1")
    recorded = world.all_of(ModelDeployed)
    assert [(one.model_version, one.kind, one.replaces) for one in recorded] == [
        ("v1", "trained", None),
        ("v2", "trained", "v1"),
        ("v1", "reinstated", "v2"),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model_version": "V 2"}, "model_version"),
        ({"model_version": ""}, "model_version"),
        ({"replaces": "é"}, "replaces"),
        ({"in_service_at": -1}, "in_service_at"),
        ({"in_service_at": TIME_LIMIT}, "in_service_at"),
        ({"trained_through": -1}, "trained_through"),
        ({"trained_through": START + 1}, "trained_through"),
        ({"baseline_loss": "abc"}, "baseline_loss"),
        ({"baseline_loss": "0"}, "baseline_loss"),
        ({"baseline_loss": "-0.1"}, "baseline_loss"),
        ({"baseline_loss": "1.50"}, "baseline_loss"),
        ({"baseline_loss": "1" * 13}, "baseline_loss"),
    ],
)
def test_a_bad_field_of_a_deployment_is_named(
    world: World, changes: dict[str, Any], field: str
) -> None:
    world.begin("m1")
    good: dict[str, Any] = {
        "model": "m1",
        "model_version": "v2",
        "in_service_at": START,
        "trained_through": START,
        "baseline_loss": "0.4",
    }
    spec = DeploymentSpec(**good | changes)
    error = refused(world, lambda: world.ledger.stated_deployments.record(ANA, spec))
    assert error.reason is Reason.FIELD_INVALID
    assert error.violations[0].field == field


def test_a_deployment_ahead_of_the_clock_is_refused_by_a_wall_ledger(wall: World) -> None:
    wall.begin("m1")
    wall.deploy("m1", "v2", at=START + 300_000_000)
    error = refused(wall, lambda: wall.deploy("m1", "v3", at=START + 300_000_001))
    assert error.reason is Reason.CLOCK_AHEAD
    assert error.metadata["field"] == "in_service_at"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cost_micros": "0"}, "cost_micros"),
        ({"cost_micros": "-1"}, "cost_micros"),
        ({"cost_micros": str(MONEY_MICROS_MAX + 1)}, "cost_micros"),
        ({"unit_value_micros": "-1"}, "unit_value_micros"),
        ({"unit_value_micros": str(MONEY_MICROS_MAX + 1)}, "unit_value_micros"),
    ],
)
def test_money_has_bounds(world: World, changes: dict[str, Any], field: str) -> None:
    world.begin("m1")
    for call in (lambda: world.register("m2", **changes), lambda: world.update("m1", **changes)):
        assert refused(world, call).violations[0].field == field


def test_a_service_level_signal_must_be_defined(world: World) -> None:
    world.begin("m1")
    error = refused(world, lambda: world.register("m2", slo_signal="nothing"))
    assert error.reason is Reason.SIGNAL_UNKNOWN
    world.register("m2", slo_signal="drift")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda c: c.retire_model(ANA, "m1", "x" * 2_001), "reason"),
        (lambda c: c.draft_policy(ANA, "Bad Name", policy_text(), "why"), "policy"),
        (lambda c: c.draft_policy(ANA, "p" * 129, policy_text(), "why"), "policy"),
        (lambda c: c.draft_policy(ANA, "p", policy_text(), "x" * 2_001), "rationale"),
        (lambda c: c.activate_policy(ANA, "main", 1, "", EVERYWHERE, "x" * 2_001), "rationale"),
        (lambda c: c.activate_policy(ANA, "main", 1, "0" * 64, EVERYWHERE, "go"), "digest"),
    ],
)
def test_whatever_an_event_would_not_take_is_refused_by_its_field(
    world: World, call: Callable[[FleetCommands], object], field: str
) -> None:
    world.begin("m1")
    error = refused(world, lambda: call(world.ledger.commands))
    assert error.reason is Reason.FIELD_INVALID
    assert error.metadata["field"] == field
    assert error.remedy


@pytest.mark.parametrize(
    "scope",
    [
        ScopePart(kind="model", model=None, labels={}),
        ScopePart(kind="ledger", model="m1", labels={}),
        ScopePart(kind="labels", model=None, labels={}),
        ScopePart(kind="ledger", model=None, labels={"a": "b"}),
    ],
)
def test_a_scope_says_one_thing(world: World, scope: ScopePart) -> None:
    world.begin("m1")
    activate = world.ledger.commands.activate_policy
    error = refused(world, lambda: activate(ANA, "main", 1, "", scope, "go"))
    assert error.reason is Reason.FIELD_INVALID


def test_a_scope_names_a_model_that_is_there(world: World) -> None:
    world.begin("m1")
    activate = world.ledger.commands.activate_policy
    empty = ScopePart(kind="model", model="nobody", labels={})
    assert (
        refused(world, lambda: activate(ANA, "main", 1, "", empty, "go")).reason
        is Reason.MODEL_UNKNOWN
    )
    assert (
        refused(world, lambda: activate(ANA, "none", 1, "", EVERYWHERE, "go")).reason
        is Reason.POLICY_UNKNOWN
    )
    assert (
        refused(world, lambda: activate(ANA, "main", 9, "", EVERYWHERE, "go")).reason
        is Reason.POLICY_UNKNOWN
    )


def test_a_policy_with_errors_is_refused_with_each_of_them(world: World) -> None:
    world.begin("m1")
    text = policy_text(rules=[{"id": "a", "when": "priorty > 1", "action": "RUN", "tier": "ds"}])
    error = refused(world, lambda: world.draft(text))
    assert error.reason is Reason.POLICY_INVALID
    assert any("action" in violation.field for violation in error.violations)


def test_versions_of_a_policy_count_from_one_and_equal_texts_have_equal_digests(
    world: World,
) -> None:
    world.begin("m1")
    drafts = [world.draft(policy_text(), "p") for _ in range(3)]
    assert [draft.version for draft in drafts] == [1, 2, 3]
    assert len({draft.digest for draft in drafts}) == 1


def test_the_fleet_sees_what_another_server_wrote(make_world: MakeWorld) -> None:
    one = make_world().begin("m1")
    other = make_world(shared=one)
    one.register("m2")
    one.deploy("m2", "v1")
    one.activate(policy_text(), policy="second")
    other.ledger.fleet.refresh()
    assert [view.name for view in other.ledger.fleet.models()] == ["m1", "m2"]
    assert [view.name for view in other.ledger.fleet.policies()] == ["main", "second"]
    assert other.ledger.fleet.models() == one.ledger.fleet.models()


def test_a_fleet_folded_step_by_step_equals_one_read_at_once(world: World) -> None:
    world.begin("m1", "m2")
    world.update("m1", owner="x")
    world.deploy("m1", "v2", at=START + HOUR)
    world.ledger.commands.retire_model(ANA, "m2", "over")
    world.activate(policy_text(interval="2h"))
    seen = world.ledger.fleet
    live = (seen.models(), seen.signals(), seen.policies())
    world.restart()
    seen = world.ledger.fleet
    assert (seen.models(), seen.signals(), seen.policies()) == live


def test_a_data_ledgers_time_is_the_newest_that_was_stated(world: World) -> None:
    world.begin("m1")
    world.see("m1", "0.5", START + DAY)
    world.see("m1", "0.5", START + HOUR)
    assert world.store.events.head(world.ledger.info.origin).recorded_at == START + DAY
    world.deploy("m1", "v2", at=START + 2 * DAY)
    assert world.store.events.head(world.ledger.info.origin).recorded_at == START + 2 * DAY
    assert ledger_time(world.ledger.info, world.store, world.ledger.log.head()) == START + DAY, (
        "what was observed, only"
    )


def test_a_caller_past_its_deadline_writes_nothing(world: World) -> None:
    world.begin("m1")
    late = Caller("users/ana", deadline_monotonic=0.0)
    error = refused(world, lambda: world.ledger.commands.retire_model(late, "m1", "over"))
    assert error.reason is Reason.DEADLINE_EXCEEDED
