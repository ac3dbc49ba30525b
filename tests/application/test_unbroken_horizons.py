"""Horizons: what bears on what, whether it is remembered or looked up; and bodies that say nothing.

Method: an honest ledger is taken in from the beginning, and from every position on, where what lies
before is looked up; nothing is found. Then something that bears on the newest score or plan is put
between its horizon and a copy of it, and it is named, however little is remembered.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from ledger.application.commands import unbroken
from ledger.events.envelope import RecordedEvent
from ledger.events.horizons import (
    CONCERNED_TYPES,
    DERIVED_TYPES,
    HorizonFacts,
    Horizons,
    facts_of,
)
from ledger.events.policies import ScopePart
from ledger.events.registry import BY_TYPE
from ledger.storage.rehash import check_horizons
from tests.support.budgeted import set_budget
from tests.support.job_worlds import Working
from tests.support.stores import VAULT
from tests.support.world import ANA, DAY, ORIGIN, START, World, policy_text

SCORE, PLAN, TESTED = "score.computed.v1", "plan.made.v1", "plan.made.v2"
"""Plans without candidate tests, and with them: those know what jobs and budgets came to."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file of what `lived` tells, closed."""
    path = tmp_path_factory.mktemp("lived") / "ledger.db"
    live(World(path, vault=VAULT)).close()
    return path


@pytest.fixture
def lived(database_url: str, story: Path) -> Iterator[World]:
    """Two models in two regions, each scored, and a plan."""
    file = database_url.removeprefix("sqlite:///")
    if file == database_url:
        world = live(World(database_url, vault=VAULT))
    else:
        shutil.copy(story, file)
        world = World(database_url, vault=VAULT)
    yield world
    world.close()


def live(world: World) -> World:
    world.begin("m1", "m2")
    world.update("m1", labels={"region": "east"})
    world.update("m2", labels={"region": "west"})
    for day in range(3):
        for model in ("m1", "m2"):
            world.see(model, 1.4, START + day * DAY)
        world.settle()
        world.plan(1_000_000)
    return world


def concerned(world: World) -> list[RecordedEvent]:
    return [event for event in world.events() if event.type in CONCERNED_TYPES]


def facts(event: RecordedEvent) -> HorizonFacts:
    return facts_of(event.position, event.stream, event.type, event.body_bytes)


def taken_in(world: World, after: int) -> Horizons:
    """Take an honest ledger in after a position; what is before it is looked up."""
    horizons = Horizons(after, partial(world.store.events.bearing, ORIGIN))
    for event in concerned(world):
        if event.position > after:
            assert horizons.take(facts(event)) is None
    return horizons


def again(world: World, type_: str, model: str = "m1") -> HorizonFacts:
    """Return a model's newest score, or the newest plan, as if it were recorded again now.

    One with candidate tests is made of one without: of its horizon that is all that tells them.
    """
    streams = {f"models/{model}"} if type_ == SCORE else None
    found = world.events(PLAN if type_ == TESTED else type_)
    newest = [one for one in found if streams is None or one.stream in streams][-1]
    return facts(newest)._replace(position=world.head + 1, type=type_)


def broken(world: World, copy: HorizonFacts) -> list[int]:
    """Return which position is blamed for a copy, from wherever the ledger is taken in."""
    found = {taken_in(world, after).take(copy) for after in range(world.head + 1)}
    assert len(found) == 1, found
    return [int(said.split("position ")[1].split()[0]) for said in found if said is not None]


def test_an_honest_ledger_holds_from_wherever_it_is_taken_in(lived: World) -> None:
    for after in range(lived.head + 1):
        taken_in(lived, after)
        check_horizons(lived.store.events, ORIGIN, after, lived.head)


def test_a_score_that_is_recorded_again_is_broken_by_itself(lived: World) -> None:
    for type_ in (SCORE, PLAN, TESTED):
        copy = again(lived, type_)
        assert broken(lived, copy)[0] > copy.as_of


BETWEEN: Final[dict[str, tuple[str, Callable[[World], object]]]] = {
    "a score": (SCORE, lambda world: world.evaluate("m1")),
    "a description": (SCORE, lambda world: world.update("m1", tier="low")),
    "a deployment": (SCORE, lambda world: world.deploy("m1", "v2", at=START + DAY)),
    "an override": (SCORE, lambda world: world.override("m1", "INVESTIGATE", DAY)),
    "a retirement": (SCORE, lambda world: world.ledger.commands.retire_model(ANA, "m1", "gone")),
    "a policy for all": (SCORE, lambda world: world.activate(policy_text(), policy="p")),
    "a policy for it": (SCORE, lambda world: activate(world, model="m1")),
    "a policy for its labels": (SCORE, lambda world: activate(world, region="east")),
    "an erasure": (SCORE, lambda world: world.erase(first_observation(world))),
    "another plan": (PLAN, lambda world: world.plan(1_000_000)),
    "a policy that plans": (PLAN, lambda world: activate(world, region="north")),
    "another plan before one with tests": (TESTED, lambda world: world.plan(1_000_000)),
    "a job": (TESTED, lambda world: Working.of(world).propose(model="m1")),
    "a budget": (TESTED, set_budget),
    "a deployment of a model of the fleet": (
        TESTED,
        lambda world: world.deploy("m1", "v2", at=START + DAY),
    ),
    "a description of one": (TESTED, lambda world: world.update("m1", tier="low")),
    "an erasure before a plan": (PLAN, lambda world: world.erase(first_observation(world))),
}


def activate(world: World, model: str | None = None, region: str = "") -> None:
    kind = "model" if model else "labels"
    scope = ScopePart.model_validate(
        {"kind": kind, "model": model, "labels": {"region": region} if region else {}}
    )
    world.activate(policy_text(), policy="p", scope=scope)


def first_observation(world: World) -> int:
    return world.events("signal.observed.v1")[0].position


@pytest.mark.parametrize("what", BETWEEN)
def test_what_came_between_is_named_whether_it_is_remembered_or_looked_up(
    lived: World, what: str
) -> None:
    type_, act = BETWEEN[what]
    copy = again(lived, type_)._replace(as_of=lived.head)
    assert broken(lived, copy._replace(position=lived.head + 1)) == []
    act(lived)
    (blamed,) = broken(lived, copy._replace(position=lived.head + 1))
    assert copy.as_of < blamed <= lived.head


def test_what_concerns_another_model_breaks_nothing(lived: World) -> None:
    before = lived.head
    activate(lived, model="m2")
    activate(lived, region="west")
    lived.evaluate("m2")
    lived.see("m1", 0.4, START + 2 * DAY)
    copy = again(lived, SCORE)._replace(as_of=before, position=lived.head + 1)
    assert broken(lived, copy) == []


def test_a_decision_comes_with_its_own_score_and_no_other(lived: World) -> None:
    (made,) = lived.evaluate("m1")
    score, decision = facts(made.score_event), facts(made.decision_event)
    for after in (0, score.position - 1, score.position):
        horizons = Horizons(after, partial(lived.store.events.bearing, ORIGIN))
        for event in concerned(lived):
            if after < event.position < score.position:
                assert horizons.take(facts(event)) is None
        if after < score.position:
            assert horizons.take(score) is None
            assert horizons.take(decision) is None
        # One position further the score is another event, which it should have known.
        moved = decision._replace(position=decision.position + 1)
        assert horizons.take(moved) is not None


def test_the_guards_of_an_append_are_what_is_looked_for() -> None:
    scored = {type_ for guard in unbroken(SCORE, "models/m", 7) for type_ in guard.types or ()}
    planned = {type_ for guard in unbroken(TESTED, "plans/p", 7) for type_ in guard.types or ()}
    assert {
        type_ for guard in unbroken(PLAN, "plans/p", 7) for type_ in guard.types or ()
    } < planned
    has_one_and_bears_on_none = {"reuse.proposed.v1"}
    assert scored | planned | has_one_and_bears_on_none == CONCERNED_TYPES
    of_models = {name for name, cls in BY_TYPE.items() if cls.STREAM.startswith("models/")}
    assert of_models - scored == {"signal.observed.v1", "signal.observed.v2"}
    assert {guard.after_position for guard in unbroken(SCORE, "models/m", 7)} == {7}


@pytest.mark.parametrize("type_", sorted(DERIVED_TYPES))
@pytest.mark.parametrize(
    "body",
    [
        b'{"actor":"users/ana","causation_position":null,"data":{"as_of":"7"}}',
        b'{"actor":"users/ana","causation_position":null,"data":{"as_of":0,"x":1}}',
    ],
)
def test_a_horizon_in_another_form_is_refused(type_: str, body: bytes) -> None:
    assert Horizons().take(facts_of(8, "models/m", type_, body)) is not None


@pytest.mark.parametrize("type_", sorted(DERIVED_TYPES))
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"actor":"users/ana", "causation_position":null,"data":{"as_of":7,"x":1}}',
        b'{"actor":"users/ana","causation_position":null,"data":{"topic":"other"}}',
    ],
)
def test_a_body_that_cannot_be_read_stops_no_server(type_: str, body: bytes) -> None:
    assert Horizons().take(facts_of(8, "models/m", type_, body)) is None


def test_a_horizon_must_lie_before_its_record() -> None:
    body = b'{"actor":"users/ana","causation_position":null,"data":{"as_of":8,"x":1}}'
    said = Horizons().take(facts_of(8, "plans/p", PLAN, body))
    assert said == "its horizon 8 does not lie before it"


def test_only_the_evaluator_begins_by_schedule(lived: World) -> None:
    newest = lived.events(SCORE)[-1]
    assert newest.body_bytes is not None
    for actor in ("users/ana", "services/robot", "system/keys"):
        forged = newest.body_bytes.replace(b"system/evaluator", actor.encode())
        said = facts_of(newest.position, newest.stream, SCORE, forged).trigger_fault
        assert said == f"its trigger is ingest, and {actor} recorded it"


def test_an_erased_body_says_no_horizon_and_breaks_those_of_others(lived: World) -> None:
    copy = again(lived, SCORE)
    score = lived.events(SCORE)[-1]
    gone = facts_of(score.position, score.stream, SCORE, None)
    horizons = Horizons()
    assert horizons.take(gone) is None
    assert horizons.take(copy._replace(stream=score.stream)) is not None
