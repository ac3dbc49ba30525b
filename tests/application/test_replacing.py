"""A signal's meaning changes together with the policies in force that it touches, or not at all.

Method: one request that defines a signal again and brings what replaces its policies; then each way
in which that request can be incomplete, unfit, repeated or overtaken.
"""

import pytest

from ledger.application.commands import Caller
from ledger.application.fleet.definitions import Replacement
from ledger.errors import LedgerError, Reason
from ledger.events.policies import PolicyActivated, ScopePart
from ledger.events.registry import typed
from ledger.events.signals import SignalDefined
from ledger.storage.records import AppendResult
from tests.support.world import (
    ANA,
    START,
    World,
    defined,
    policy_text,
    reason_of,
    registered,
    request,
    signal_rule,
)

DRAFTED = "policy.drafted.v2"
ACTIVATED = "policy.activated.v1"
TURNED = defined("loss").model_copy(update={"direction": "lower_is_worse"})
WORDS = defined("loss").model_copy(update={"meaning": "said better"})
FITTING = policy_text(signals=[signal_rule(baseline=0.4, critical=0.1)])
EAST = ScopePart(kind="labels", model=None, labels={"region": "east"})
HIGH = ScopePart(kind="labels", model=None, labels={"tier": "high"})
ONE = ScopePart(kind="model", model="m1", labels={})


def replacement(policy: str = "main", text: str = FITTING, version: int = 0) -> Replacement:
    return Replacement(policy, version, text, "it is a score now")


def turn(world: World, *replacements: Replacement, caller: Caller = ANA) -> AppendResult:
    return world.ledger.definitions.define(caller, TURNED, replacements)


def in_force(world: World) -> list[tuple[str, int, str]]:
    found = world.ledger.histories.activations_in_force(world.head)
    return [(one.policy, one.version, one.scope.kind) for one in found]


def refused(world: World, *replacements: Replacement, reason: Reason) -> LedgerError:
    head = world.head
    with pytest.raises(LedgerError) as error:
        turn(world, *replacements)
    assert reason_of(error) is reason
    assert world.head == head
    return error.value


def test_a_meaning_changes_in_one_append_with_the_policy_that_it_touches(world: World) -> None:
    world.begin("m1")
    world.see("m1", 0.5, START)
    head = world.head
    written = turn(world, replacement(), caller=request("turn-1"))
    events = world.ledger.log.events(limit=10, after=head)
    assert [event.type for event in events] == [SignalDefined.TYPE, DRAFTED, ACTIVATED]
    assert (written.first_position, written.last_position) == (head + 1, head + 3)
    assert [event.body.causation_position for event in events] == [None, head + 1, head + 1]
    assert {(event.body.actor, event.body.request_id) for event in events} == {
        ("users/ana", "turn-1")
    }
    assert typed(events[2], PolicyActivated).rationale == "it is a score now"
    definitions = world.ledger.definitions
    assert [str(use) for use in definitions.usage.uses("loss", world.head)] == ["main version 2"]
    assert definitions.lint(FITTING).problems == ()
    world.see("m1", 0.2, START + 1)
    world.settle()
    assert world.scores("m1")[-1].policy_version == 2
    world.check_replay()


def test_each_touched_policy_is_replaced_where_it_was_in_force_and_no_other_is(
    world: World,
) -> None:
    world.begin("m1")
    world.activate(policy_text(), policy="main", scope=ONE)
    world.activate(policy_text(), policy="aux", scope=EAST)
    drift = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    other = ScopePart(kind="model", model="m2", labels={})
    world.register("m2")
    world.activate(drift, policy="drift", scope=other)
    turn(world, replacement("aux"), replacement("main", version=1), replacement("main", version=2))
    assert in_force(world) == [
        ("drift", 1, "model"),
        ("main", 2 + 1, "ledger"),
        ("main", 2 + 2, "model"),
        ("aux", 2, "labels"),
    ]


def test_the_policy_that_counts_for_a_model_stays_the_same_one(world: World) -> None:
    world.begin("m1")
    world.register("m2", labels={"region": "east", "tier": "high"})
    world.activate(policy_text(), policy="east", scope=EAST)
    drift = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    world.activate(drift, policy="high", scope=HIGH)

    def counts() -> tuple[str, int]:
        chosen = world.ledger.histories.policy_in_force(
            registered("m2", labels={"region": "east", "tier": "high"}), world.head
        )
        assert chosen is not None
        return chosen.policy, chosen.version

    assert counts() == ("high", 1)
    turn(world, replacement(), replacement("east"))
    assert counts() == ("high", 1)
    assert in_force(world) == [("main", 2, "ledger"), ("east", 2, "labels"), ("high", 1, "labels")]


def test_the_version_that_a_policy_is_planned_by_stays_the_newest_activated(world: World) -> None:
    drift = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    world.begin("m1")
    world.activate(drift, scope=ONE)
    turn(world, replacement())
    assert in_force(world) == [("main", 3, "ledger"), ("main", 2, "model")]
    planned = world.ledger.histories.fleet_policy("main", world.head)
    assert planned is not None
    assert planned.version == 2


def test_nothing_is_activated_again_that_was_drafted_against_another_meaning(
    world: World,
) -> None:
    world.begin("m1")
    drift = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    world.activate(drift, scope=ONE)
    other = defined("drift").model_copy(update={"unit": "bits"})
    world.forge("signals/drift", other)  # as an earlier release could
    error = refused(world, replacement(), reason=Reason.MEANING_PINNED)
    assert "Version 2 of main was drafted against other definitions" in error.message


def test_a_touched_policy_that_nothing_replaces_is_named_and_nothing_is_written(
    world: World,
) -> None:
    world.begin("m1")
    world.activate(policy_text(), policy="aux", scope=ONE)
    error = refused(world, replacement(), reason=Reason.MEANING_PINNED)
    assert error.metadata["policies"] == "aux version 1"
    assert "main version 1" not in error.message
    assert "--policy aux=FILE --rationale WHY" in (error.remedy or "")
    both = refused(world, reason=Reason.MEANING_PINNED)
    assert both.metadata["policies"] == "main version 1, aux version 1"


def test_a_document_for_what_is_not_touched_is_refused_by_its_field(world: World) -> None:
    world.begin("m1")
    cases = [
        ((replacement(), replacement("aux")), 1, "no version in force of aux"),
        ((replacement(version=2),), 0, "no version in force of main version 2"),
        ((replacement(), replacement(version=1)), 1, "main version 1 is replaced twice"),
    ]
    for given, index, said in cases:
        error = refused(world, *given, reason=Reason.FIELD_INVALID)
        assert error.metadata["field"] == f"replacements[{index}].name"
        assert said in error.message
    world.activate(policy_text(), scope=ONE)
    error = refused(world, replacement(), reason=Reason.FIELD_INVALID)
    assert "2 versions in force of main are touched" in error.message
    with pytest.raises(LedgerError) as words:
        world.ledger.definitions.define(ANA, WORDS, [replacement()])
    assert reason_of(words) is Reason.FIELD_INVALID


@pytest.mark.parametrize(
    ("text", "said"),
    [(policy_text(), "contradicts the signal's definition"), ("title: x", "replacements[0]")],
)
def test_a_document_that_does_not_fit_the_new_meaning_is_refused_by_its_field(
    world: World, text: str, said: str
) -> None:
    world.begin("m1")
    error = refused(world, replacement(text=text), reason=Reason.POLICY_INVALID)
    assert said in error.message
    assert all(one.field.startswith("replacements[0].document.") for one in error.violations)


def test_a_first_definition_replaces_a_policy_whose_limits_run_against_it(world: World) -> None:
    world.begin("m1")
    world.activate(policy_text(signals=[signal_rule("new")]))
    turned = defined("new").model_copy(update={"direction": "lower_is_worse"})
    text = policy_text(signals=[signal_rule("new", baseline=0.4, critical=0.1)])
    world.ledger.definitions.define(ANA, turned, [replacement(text=text)])
    assert in_force(world) == [("main", 3, "ledger")]


def test_a_repeat_gets_the_first_answer_and_other_content_is_refused(world: World) -> None:
    world.begin("m1")
    first = turn(world, replacement(), caller=request("turn", "a"))
    again = turn(world, replacement(), caller=request("turn", "a"))
    assert again.repeated
    assert (again.first_position, again.last_position) == (
        first.first_position,
        first.last_position,
    )
    with pytest.raises(LedgerError) as error:
        turn(world, replacement(text="other"), caller=request("turn", "b"))
    assert reason_of(error) is Reason.REQUEST_ID_REUSED


def test_a_repeat_that_its_first_try_overtakes_gets_the_answer_of_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")
    caller = request("turn", "a")
    refresh = world.ledger.fleet.refresh

    def late(until: int | None = None) -> None:
        monkeypatch.undo()
        turn(world, replacement(), caller=caller)
        refresh(until)

    monkeypatch.setattr(world.ledger.fleet, "refresh", late)
    assert turn(world, replacement(), caller=caller).repeated


@pytest.mark.parametrize("policy", ["main", "unheard-of"])
def test_a_policy_that_comes_into_force_between_check_and_record_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    drift = policy_text(signals=[signal_rule("drift")], planning={"loss_signal": "drift"})
    world.begin("m1", policy=drift)
    world.before_append(lambda: world.activate(policy_text(), policy=policy))
    with pytest.raises(LedgerError) as error:
        turn(world)
    assert reason_of(error) is Reason.MEANING_PINNED
    assert policy in error.value.message
    assert not world.ledger.definitions.usage.changes_in_force(world.head)


@pytest.mark.parametrize("policy", ["main", "unheard-of"])
def test_what_is_replaced_is_not_decided_again_when_another_policy_comes_between(
    world: World, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    world.begin("m1")
    world.before_append(lambda: world.activate(policy_text(), policy=policy, scope=ONE))
    with pytest.raises(LedgerError) as error:
        turn(world, replacement())
    assert reason_of(error) in {Reason.MEANING_PINNED, Reason.FIELD_INVALID}
    assert policy in error.value.message
    assert not world.ledger.definitions.usage.changes_in_force(world.head)


def test_a_draft_between_check_and_record_is_a_conflict_and_versions_stay_dense(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")
    world.before_append(lambda: world.draft(policy_text()))
    with pytest.raises(LedgerError) as error:
        turn(world, replacement())
    assert reason_of(error) is Reason.VERSION_CONFLICT
    turn(world, replacement())
    assert in_force(world) == [("main", 3, "ledger")]


def test_another_signal_that_is_turned_between_check_and_record_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")
    turned = defined("drift").model_copy(update={"direction": "lower_is_worse"})
    world.before_append(lambda: world.ledger.definitions.define(ANA, turned))
    both = policy_text(signals=[signal_rule(baseline=0.4, critical=0.1), signal_rule("drift")])
    with pytest.raises(LedgerError) as error:
        turn(world, replacement(text=both))
    assert reason_of(error) is Reason.POLICY_INVALID
    assert in_force(world) == [("main", 1, "ledger")]


def test_an_erased_scope_is_not_copied_when_the_erasure_comes_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")
    (activated,) = [event.position for event in world.events(ACTIVATED)]
    world.before_append(lambda: world.erase(activated))
    with pytest.raises(LedgerError):
        turn(world, replacement())
    assert in_force(world) == []


def test_a_definition_that_comes_between_is_looked_at_before_the_words_are_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")

    world.before_append(lambda: turn(world, replacement()))
    with pytest.raises(LedgerError) as error:  # what were words alone would turn it back by now
        world.ledger.definitions.define(ANA, WORDS)
    assert reason_of(error) is Reason.MEANING_PINNED
    assert not world.ledger.definitions.usage.changes_in_force(world.head)


def test_two_definitions_of_words_at_once_are_both_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")
    definitions = world.ledger.definitions
    words = [defined("loss").model_copy(update={"meaning": text}) for text in ("one", "two")]
    world.before_append(lambda: definitions.define(ANA, words[0]))
    written = definitions.define(ANA, words[1])
    assert written.last_position == world.head
    texts = [one.meaning for one in world.all_of(SignalDefined)][-2:]
    assert texts == ["one", "two"]
