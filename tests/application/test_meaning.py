"""Meaning is pinned: goal: no signal is turned round under a policy that was drafted against it.

Method: one policy in force over two signals; each definition that could change is changed, and
every way that stays open is gone.
"""

from functools import partial

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.policies import ScopePart
from tests.support.world import (
    ANA,
    START,
    World,
    defined,
    policy_text,
    reason_of,
    request,
    signal_rule,
)


def redefine(world: World, signal: str = "loss", **changes: str) -> None:
    world.ledger.definitions.define(ANA, defined(signal).model_copy(update=changes))


@pytest.mark.parametrize(
    "change", [{"direction": "lower_is_worse"}, {"unit": "bits"}, {"kind": "drift"}]
)
@pytest.mark.parametrize("procedure", ["rules/1", "rules/2"])
def test_what_a_policy_in_force_was_drafted_against_is_not_changed(
    world: World, change: dict[str, str], procedure: str
) -> None:
    world.begin("m1", procedure=procedure)
    head = world.head
    with pytest.raises(LedgerError) as error:
        redefine(world, **change)
    assert reason_of(error) is Reason.MEANING_PINNED
    assert error.value.metadata["policies"] == "main version 1"
    assert "main version 1" in error.value.message
    assert next(iter(change)) in error.value.message
    assert world.head == head


def test_words_may_change_and_so_may_what_no_policy_in_force_reads(world: World) -> None:
    world.begin("m1")
    redefine(world, meaning="said better", collection="at noon")
    redefine(world, "drift", direction="lower_is_worse")
    assert [str(use) for use in world.ledger.definitions.usage.uses("loss", world.head)] == [
        "main version 1"
    ]
    assert world.ledger.definitions.usage.uses("drift", world.head) == []


def test_the_loss_of_a_plan_is_pinned_though_it_is_not_scored(world: World) -> None:
    world.begin("m1", signals=[signal_rule("drift")])
    with pytest.raises(LedgerError) as error:
        redefine(world, unit="bits")
    assert reason_of(error) is Reason.MEANING_PINNED


def test_a_policy_is_replaced_by_way_of_a_version_without_the_signal(world: World) -> None:
    world.begin("m1")
    without = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    world.activate(without)
    redefine(world, direction="lower_is_worse")
    with pytest.raises(LedgerError) as error:  # drafted against what it meant
        world.ledger.commands.activate_policy(
            ANA, "main", 1, "", ScopePart(kind="ledger", model=None, labels={}), "back"
        )
    assert reason_of(error) is Reason.MEANING_PINNED
    assert "direction" in error.value.message
    world.activate(policy_text(signals=[signal_rule(baseline=0.4, critical=0.1)]))
    world.see("m1", 0.4, START)
    world.check_replay()


@pytest.mark.parametrize("is_in_force", [True, False])
def test_a_signal_that_is_defined_after_its_policy_cannot_run_against_it(
    world: World, *, is_in_force: bool
) -> None:
    for signal in ("loss", "drift"):
        world.ledger.definitions.define(ANA, defined(signal))
    text = policy_text(signals=[signal_rule("new")])
    turned = defined("new").model_copy(update={"direction": "lower_is_worse"})
    drafted = world.draft(text, "main")
    everywhere = ScopePart(kind="ledger", model=None, labels={})
    commands = world.ledger.commands
    activate = partial(
        commands.activate_policy, ANA, "main", 1, drafted.digest, everywhere, "because"
    )
    first, second = partial(world.ledger.definitions.define, ANA, turned), activate
    if is_in_force:
        first, second = second, first
    first()
    head = world.head
    with pytest.raises(LedgerError) as error:
        second()
    assert reason_of(error) is Reason.MEANING_PINNED
    assert "new (lower is worse)" in error.value.message
    assert "main" in error.value.metadata["policies"]
    assert world.head == head
    if is_in_force:
        world.ledger.definitions.define(ANA, defined("new"))
        with pytest.raises(LedgerError):
            second()


def test_a_definition_that_comes_between_check_and_record_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for signal in ("loss", "drift"):
        world.ledger.definitions.define(ANA, defined(signal))
    drafted = world.draft(policy_text(), "main")
    commands = world.ledger.commands
    world.before_append(lambda: redefine(world, direction="lower_is_worse"))
    everywhere = ScopePart(kind="ledger", model=None, labels={})
    with pytest.raises(LedgerError) as error:
        commands.activate_policy(ANA, "main", 1, drafted.digest, everywhere, "because")
    assert reason_of(error) is Reason.MEANING_PINNED
    assert not world.ledger.definitions.usage.in_force(world.head)


def test_a_repeat_of_a_definition_gets_its_first_answer_whatever_came_since(world: World) -> None:
    world.begin("m1")
    caller = request("d1", "x")
    fresh = defined("other")
    first = world.ledger.definitions.define(caller, fresh)
    world.activate(policy_text(signals=[signal_rule("other")]))
    assert world.ledger.definitions.define(caller, fresh).last_position == first.last_position


def test_an_earlier_ledger_that_holds_such_a_change_is_pointed_out_by_lint(world: World) -> None:
    world.begin("m1", procedure="rules/1")
    assert world.ledger.definitions.lint(policy_text()).problems == ()
    turned = defined("loss").model_copy(update={"direction": "lower_is_worse"})
    world.forge("signals/loss", turned)
    problems = [one.message for one in world.ledger.definitions.lint(policy_text()).problems]
    assert any("main version 1" in message and "direction" in message for message in problems)
