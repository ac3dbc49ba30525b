"""Which version is in service: goal: every reader says the same, whatever was erased and when.

Method: a model's deployments are recorded in drawn orders of their stated times and erased in
between. After each step the fleet, the cold history and the read models are asked: the latter
folded from nothing, taken up from their rows before each event, and as of. An audit follows.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.events.models import ModelDeployed
from projections.as_of import as_of
from projections.priorities import PrioritiesProjection
from projections.projection import ProjectionFactory, Row
from projections.signals import SignalsProjection
from tests.support.world import DAY, HOUR, MONITOR, ORIGIN, START, World

MODEL = "m1"
Step = tuple[str, int]
"""Record a deployment stated for a day, or erase the one recorded so many before the last."""


def rows_of(world: World, kind: ProjectionFactory, *, is_taken_up: bool) -> dict[str, Row]:
    """Return a read model's rows at the head."""
    projection = kind()
    rows: dict[str, Row] = {}
    for event in world.events():
        if is_taken_up:
            projection = kind()
            projection.load(rows)
        if event.type in projection.handles:
            projection.apply(event)
        changed = rows | projection.changes()
        rows = {key: row for key, row in changed.items() if row is not None}
    return rows


def told(world: World) -> dict[str, str | None]:
    """Return the version in service, by reader."""
    world.ledger.fleet.refresh()
    kept = world.model(MODEL).model.in_service
    history = world.ledger.histories.history(MODEL, world.head)
    assert history is not None
    cold = history.service("rules/2")
    found = {
        "fleet": kept.model_version if kept else None,
        "history": cold.version if cold else None,
    }
    shown = as_of(world.store.events, ORIGIN, world.head)[MODEL]["deployed"]
    found["as of"] = shown["model_version"] if shown else None
    for is_taken_up in (False, True):
        priority = rows_of(world, PrioritiesProjection, is_taken_up=is_taken_up)[MODEL]["deployed"]
        found[f"priorities {is_taken_up}"] = priority["model_version"] if priority else None
        signals = rows_of(world, SignalsProjection, is_taken_up=is_taken_up)
        found[f"signals {is_taken_up}"] = signals[MODEL]["model_version"]
    return found


def take(world: World, number: int, step: Step) -> None:
    """Carry out one step; nothing where there is no deployment to erase."""
    kind, amount = step
    if kind == "deploy":
        at = START + amount * DAY
        world.deploy(MODEL, f"v{number}", at=at)
        return
    recorded = [one for one in world.events(ModelDeployed.TYPE) if one.body_bytes is not None]
    if recorded:
        world.erase(recorded[-1 - amount % len(recorded)].position)


deployed = st.tuples(st.just("deploy"), st.integers(0, 20))
erased = st.tuples(st.just("erase"), st.integers(0, 2))


@settings(max_examples=12, deadline=None)
@given(st.lists(deployed | erased, min_size=3, max_size=7))
@example([("deploy", 10), ("deploy", 5), ("erase", 0), ("deploy", 7)])
@example([("deploy", 1), ("deploy", 10), ("deploy", 5), ("erase", 1)])
@example([("deploy", 10), ("erase", 0), ("deploy", 3), ("deploy", 3), ("erase", 0), ("deploy", 1)])
def test_every_reader_says_the_same_version_in_service_after_each_step(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "l.sqlite")
        world.begin(MODEL)
        for number, step in enumerate(steps, 2):
            take(world, number, step)
            found = told(world)
            assert len(set(found.values())) == 1, found
        world.close()


def test_the_version_served_before_an_erased_late_deployment_serves_on_after_the_next(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "l.sqlite").begin(MODEL)
    world.deploy(MODEL, "v2", at=START + 10 * DAY)
    late = world.deploy(MODEL, "v3", at=START + 5 * DAY).last_position
    world.erase(late)
    assert set(told(world).values()) == {None}, "it was recorded last, so it may have replaced v2"
    world.deploy(MODEL, "v4", at=START + 7 * DAY)
    assert set(told(world).values()) == {"v2"}
    world.see(MODEL, 1.2, START + 11 * DAY)
    (made,) = world.evaluate(MODEL)
    assert made.score.model_version == "v2"
    world.close()
    source = DatabaseSource(str(tmp_path / "l.sqlite"))
    report = Audit(source, "test").run()
    source.close()
    assert report.passed, report.text()


def test_what_is_decided_before_a_version_serves_is_decided_by_the_one_before_it(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "l.sqlite").begin(MODEL)
    world.see(MODEL, 1.2, START + DAY)
    world.settle()
    world.override(MODEL, "INVESTIGATE", 2 * DAY)
    world.deploy(MODEL, "v2", at=START + DAY + HOUR)
    # One time that leaps ahead is not the time of the data, so the override is in effect.
    leaping = replace(MONITOR, may_leap=True)
    world.see(MODEL, 0.5, START + 40 * DAY, version="v2", caller=leaping)
    world.settle()
    made = world.decisions(MODEL)[-1]
    assert (made.model_version, made.evaluated_at[:10]) == ("v1", "2026-03-02")
    assert made.overridden is not None
    assert made.environment.coverage > 0
    world.check_replay()
    world.close()
