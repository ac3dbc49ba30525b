"""Warm equals cold: goal: whatever happens in whatever order, all that was derived replays.

Method: hypothesis draws the life of a small fleet (late and early observations of several versions
and sources, corrections of them, deployments back and forth and out of order, new descriptions,
policies of every scope and of both procedures, overrides, restarts, a second server, evaluations on
request and in the past, plans), on both clocks. The evaluator goes through it warm; replay reads
everything cold, and so does the auditor, which shares none of that code.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.application.commands import Caller
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade, ScoreComputed
from ledger.events.policies import ScopePart
from ledger.events.registry import typed
from ledger.events.signals import OBSERVED_TYPES
from tests.support.correcting import correct
from tests.support.world import (
    ANA,
    DAY,
    EVERYWHERE,
    HOUR,
    START,
    World,
    policy_text,
    rule,
    signal_rule,
)

Row = tuple[str, str, str, float, int, int]

MODELS: Final = ("m1", "m2")
VERSIONS: Final = ("v1", "v2", "v3")
# What a step may be refused for; anything else is a defect.
EXPECTED: Final = frozenset(
    {
        Reason.ALREADY_EXISTS,
        Reason.CLOCK_AHEAD,
        Reason.FIELD_INVALID,
        Reason.MODEL_NOT_DEPLOYED,
        Reason.MODEL_RETIRED,
        Reason.POLICY_NOT_IN_FORCE,
    }
)
TRAINED: Final = {"v1": START, "v2": START - 3 * DAY, "v3": START - DAY}
POLICIES: Final = (
    policy_text(interval="1h", silence="2d"),
    policy_text(
        interval="6h",
        silence="1d",
        signals=[
            signal_rule(bucket="6h", window="3d", half_life="1d"),
            signal_rule("drift", sources_needed=2, bucket="1h", window="2d", weight=0.5),
        ],
        rules=[
            rule("bad", "priority >= 400000", hold="priority >= 200000"),
            rule("look", 'signals["drift"].present && hours_in_force > 5', "INVESTIGATE"),
        ],
        cool_down="12h",
    ),
    policy_text(
        interval="1h",
        silence="3d",
        max_priority_step=0.05,
        procedure="rules/1",
        rules=[rule("bad", "priority >= 100000 && retrainings_30d < 3")],
        planning={"period": "2d", "max_periods": 4, "min_models": 1},
    ),
)
SCOPES: Final = (
    EVERYWHERE,
    ScopePart(kind="labels", model=None, labels={"region": "east"}),
    ScopePart(kind="model", model="m1", labels={}),
)


class Life:
    """A world, and the time that its steps are relative to."""

    def __init__(self, folder: Path, clock: str) -> None:
        self.world = World(folder / "l.sqlite", clock=clock)
        self.world.begin(*MODELS, policy=POLICIES[0])
        self.now = START

    def observe(self, rows: list[Row], source: str) -> None:
        moved = [(*row[:4], max(0, self.now + row[4] * HOUR), row[5]) for row in rows]
        self.world.observe(*moved, caller=Caller(f"services/{source}"))

    def correct(self, place: int, value: float, size: int) -> None:
        """Correct one of the observations there are; refused where that was corrected before."""
        seen = self.world.events(*OBSERVED_TYPES)
        if seen:
            correct(self.world, seen[place % len(seen)].position, value, size=size)

    def wait(self, hours: int) -> None:
        self.now += hours * HOUR
        self.world.clock.advance(hours * HOUR)

    def turn(self, hours: int, rows: list[Row], source: str) -> None:
        self.wait(hours)
        fresh: list[Row] = [(model, "loss", "", rows[0][3], 0, 100) for model in MODELS]
        self.observe(fresh + rows, source)
        self.world.settle()

    def deploy(self, model: str, version: str, hours: int) -> None:
        at = self.now + hours * HOUR
        self.world.deploy(model, version, at=at, through=TRAINED[version])

    def evaluate(self, models: list[str], hours: int | None) -> None:
        at = None if hours is None else self.now - hours * HOUR
        self.world.ledger.decisions.evaluate(ANA, models, at)

    def override(self, model: str, hours: int) -> None:
        self.world.override(model, "INVESTIGATE", hours * HOUR)

    def take_over(self) -> None:
        """Let another server's evaluator do what is due, then go on here."""
        self.world.evaluator.release()
        other = World(self.world.path, shared=self.world)
        other.settle()
        other.close()
        self.world.clock.advance(2_000_000)


Step = Callable[[Life], Any]
_model = st.sampled_from(MODELS)
_row = st.tuples(
    _model,
    st.sampled_from(["loss", "loss", "drift"]),
    st.sampled_from(["", "", "", *VERSIONS]),
    st.sampled_from([0.0, 0.4, 0.7, 1.0, 1.4, -5.0]),
    st.one_of(st.integers(-6, 0), st.integers(-120, 4)),
    st.sampled_from([1, 50, 10_000]),
)
_observe = st.builds(
    lambda rows, source: lambda life: life.observe(rows, source),
    st.lists(_row, min_size=1, max_size=4),
    st.sampled_from(["a", "b", "c"]),
)
_correct = st.builds(
    lambda place, value, size: lambda life: life.correct(place, value, size),
    st.one_of(st.integers(-5, -1), st.integers(0, 200)),
    st.sampled_from([0.1, 0.5, 0.9, 1.3]),
    st.sampled_from([1, 100, 20_000]),
)
_settle = st.just(lambda life: life.world.settle())
_wait = st.builds(lambda hours: lambda life: life.wait(hours), st.sampled_from([1, 5, 13, 30, 80]))
# What makes warm state: something is seen, time passes, it is scored; again and again.
_turn = st.builds(
    lambda hours, rows, source: lambda life: life.turn(hours, rows, source),
    st.sampled_from([1, 7, 26, 50]),
    st.lists(_row, min_size=1, max_size=4),
    st.sampled_from(["a", "b", "c"]),
)
STEPS: Final[st.SearchStrategy[Step]] = st.one_of(
    *[_turn] * 8,
    _observe,
    _correct,
    _correct,
    _settle,
    _wait,
    st.builds(
        lambda model, version, hours: lambda life: life.deploy(model, version, hours),
        _model,
        st.sampled_from(VERSIONS),
        st.one_of(st.integers(-30, 3), st.integers(-300, 3)),
    ),
    st.builds(
        lambda model, region, impact: (
            lambda life: life.world.update(
                model, labels={"region": region}, impact_ppm=impact, slo_signal="drift"
            )
        ),
        _model,
        st.sampled_from(["east", "west"]),
        st.sampled_from([0, 900_000]),
    ),
    st.builds(
        lambda at, scope: (
            lambda life: life.world.activate(POLICIES[at], policy=f"p{at}", scope=scope)
        ),
        st.integers(0, 2),
        st.sampled_from(SCOPES),
    ),
    st.builds(
        lambda models, hours: lambda life: life.evaluate(models, hours),
        st.lists(_model, min_size=1, unique=True),
        st.one_of(st.none(), st.integers(0, 100)),
    ),
    st.builds(
        lambda model, hours: lambda life: life.override(model, hours),
        _model,
        st.integers(1, 40),
    ),
    st.just(lambda life: life.world.plan(1_000_000)),
    st.just(lambda life: life.world.restart()),
    st.just(lambda life: life.take_over()),
)


def check_intervals(world: World) -> None:
    """Fail if the evaluator scored a model again before its policy's interval had passed.

    A score by which an override begins or ends does not wait for it.
    """
    turning = scores_that_turn(world)
    last: dict[str, int] = {}
    for event in world.events(ScoreComputed.TYPE):
        data = typed(event, ScoreComputed)
        if data.historical:
            continue
        if data.trigger != "request" and data.model in last and event.position not in turning:
            version = world.ledger.fleet.policy(data.policy)
            assert version is not None
            drafted = version.policy.drafts[data.policy_version - 1]
            assert drafted is not None
            interval = drafted.document.evaluation.interval_seconds * 1_000_000
            assert event.recorded_at - last[data.model] >= interval
        last[data.model] = event.recorded_at


def scores_that_turn(world: World) -> set[int]:
    """Return the scores whose decision rests on another override than the one before."""
    found: set[int] = set()
    last: dict[str, int | None] = {}
    for made in world.all_of(DecisionMade):
        if made.historical:
            continue
        replaced = made.overridden.position if made.overridden else None
        if replaced != last.get(made.model):
            found.add(made.score_position)
        last[made.model] = replaced
    return found


def check_changes(world: World) -> None:
    """Fail if a decision that was not asked for repeats the one before."""
    last: dict[str, tuple[object, ...]] = {}
    for made in world.all_of(DecisionMade):
        if made.historical:
            continue
        replaced = made.overridden.position if made.overridden else None
        outcome = (made.action, made.tier, made.rule, made.reason, made.held_back, replaced)
        if made.trigger != "request":
            assert last.get(made.model) != outcome
        last[made.model] = outcome


def check_audit(world: World) -> None:
    """Fail if the auditor derives anything otherwise from the same events."""
    source = DatabaseSource(str(world.path))
    report = Audit(source, "test").run()
    source.close()
    assert report.findings == (), report.text()


def live(clock: str, steps: list[Step]) -> None:
    """Live through the steps, then check everything that was recorded."""
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), clock)
        world = life.world
        try:
            for step in steps:
                try:
                    step(life)
                except LedgerError as error:
                    if error.reason not in EXPECTED:
                        raise
            world.settle()
            world.check_replay()
            check_changes(world)
            check_audit(world)
            if clock == "wall":
                check_intervals(world)
        finally:
            world.close()


@pytest.mark.parametrize("clock", ["data", "wall"])
@settings(max_examples=5)
@given(steps=st.lists(STEPS, min_size=15, max_size=40))
def test_whatever_happens_every_score_decision_and_plan_replays(
    clock: str, steps: list[Step]
) -> None:
    live(clock, steps)


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["data", "wall"])
@settings(max_examples=100)
@given(steps=st.lists(STEPS, min_size=30, max_size=100))
def test_whatever_happens_for_long_every_score_decision_and_plan_replays(
    clock: str, steps: list[Step]
) -> None:
    live(clock, steps)
