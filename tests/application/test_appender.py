"""The appender records what a use case decides: once, guarded, and never by another way.

Method: proposals of plain events, with something else recorded right before the append where a
conflict is wanted.
"""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from eventsourcing.persistence import MapperDeserialisationError

import ledger.application
from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.fleet.repository import ClosedMapper, PastEvent
from ledger.errors import LedgerError, Reason
from ledger.events.keys import KeyRotated
from ledger.events.models import ModelRetired
from ledger.storage.recorders import LedgerApplicationRecorder
from ledger.storage.records import Guard, Place
from tests.support.world import ANA, ORIGIN, World, reason_of, registered, request

LEFT: Final = Addition.of(ModelRetired(model="m1", reason="because"))
USE_CASES: Final = Path(ledger.application.__file__).parent


@pytest.fixture
def appender(world: World) -> Appender:
    return Appender(world.store, ORIGIN)


def guarded(world: World) -> Proposal:
    return Proposal([LEFT], [Guard(LEFT.stream, None, after_position=world.head)])


def test_a_repeat_gets_the_first_answer_and_nothing_is_decided(
    world: World, appender: Appender
) -> None:
    caller = request("r1", "a")
    first = appender.append(caller, "Try", lambda: Proposal([LEFT]))
    again = appender.append(caller, "Try", lambda: pytest.fail("nothing is to be decided"))
    assert (again.last_position, again.event_hash) == (first.last_position, first.event_hash)
    assert again.repeated
    assert world.head == first.last_position
    with pytest.raises(LedgerError) as error:
        appender.append(request("r1", "b"), "Try", lambda: Proposal([LEFT]))
    assert reason_of(error) is Reason.REQUEST_ID_REUSED


def test_what_came_between_is_looked_at_in_the_next_try(
    world: World, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [1, 2]
    world.before_append(lambda: left and world.forge("models/m1", _of(left)), each=True)
    written = appender.append(ANA, "Try", lambda: guarded(world), tries=3)
    assert not left
    assert written.last_position == world.head


def test_after_the_last_try_a_request_that_became_impossible_is_told_so(
    world: World, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.before_append(lambda: world.forge("models/m1", _of([0])), each=True)
    tries = 0

    def decide() -> Proposal:
        nonlocal tries
        tries += 1
        if tries > 2:
            raise LedgerError(Reason.MODEL_RETIRED, "It was retired.", remedy="None.")
        return guarded(world)

    with pytest.raises(LedgerError) as error:
        appender.append(ANA, "Try", decide, tries=2)
    assert reason_of(error) is Reason.MODEL_RETIRED
    assert tries == 3


def test_a_conflict_that_remains_is_said_in_the_words_of_the_use_case(
    world: World, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.before_append(lambda: world.forge("models/m1", _of([0])), each=True)
    worded = LedgerError(Reason.ALREADY_EXISTS, "It is there.", remedy="Take another.")
    with pytest.raises(LedgerError) as error:
        appender.append(ANA, "Try", lambda: guarded(world), refusal=lambda _: worded)
    assert error.value is worded
    with pytest.raises(LedgerError) as error:
        appender.append(ANA, "Try", lambda: guarded(world))
    assert reason_of(error) is Reason.VERSION_CONFLICT


def test_a_repeat_that_overtook_its_first_try_gives_that_one_its_answer(
    world: World, appender: Appender
) -> None:
    caller = request("r1", "a")
    overtaking = []

    def decide() -> Proposal:
        overtaking.append(appender.append(caller, "Try", lambda: Proposal([LEFT])))
        raise LedgerError(Reason.MODEL_RETIRED, "It was retired.", remedy="None.")

    written = appender.append(caller, "Try", decide)
    assert written.last_position == overtaking[0].last_position == world.head


def test_events_of_one_request_may_name_each_others_positions(
    world: World, appender: Appender
) -> None:
    def rotated(place: Place) -> KeyRotated:
        at = place.first_position
        return KeyRotated(from_position=at, previous_until_position=at, vkey="k")

    additions = [
        LEFT,
        Addition("ledger", KeyRotated.TYPE, rotated, run_id="runs/r", follows=0),
        Addition.of(ModelRetired(model="m2", reason="so"), follows=1),
    ]
    written = appender.append(ANA, "Try", lambda: Proposal(additions))
    first, second, third = world.events()[-3:]
    assert (first.position, third.position) == (written.first_position, written.last_position)
    assert third.body.causation_position == second.position
    assert first.body.causation_position is None
    assert second.body.causation_position == first.position
    assert second.body.run_id == "runs/r"
    assert second.data["from_position"] == first.position


def test_the_library_reads_an_aggregates_events_and_refuses_what_no_release_wrote(
    world: World,
) -> None:
    world.register("m1")
    mapper = ClosedMapper()
    (stored,) = LedgerApplicationRecorder(world.store, ORIGIN, str).select_events("models/m1")
    read = mapper.to_domain_event(stored)
    assert isinstance(read, PastEvent)
    assert read.data == registered("m1")
    assert mapper.to_stored_event(read) == stored
    for changed in (
        replace(stored, topic="os:system"),
        replace(stored, state=b"{}"),
        replace(stored, state=stored.state.replace(b'"owner"', b'"owners"')),
    ):
        with pytest.raises(MapperDeserialisationError):
            mapper.to_domain_event(changed)


def test_no_use_case_encodes_a_body_or_calls_storage_to_append_by_itself() -> None:
    found = {
        (path.name, node.id)
        for path in USE_CASES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in {"encode_body", "AppendRequest"}
    }
    # An observation that says more is encoded with its batch, as the others are by `fast`.
    assert {name for name, _ in found} == {"appender.py", "observation_details.py"}


def _of(left: list[int]) -> ModelRetired:
    return ModelRetired(model="m1", reason=f"number {left.pop() if left else 0}")
