"""Observations on their way in: goal: nothing bad enters, and who sent it learns what to change.

Method: every kind of bad value alone and in a batch, limits from both sides, repeats; after each
refusal the ledger is as long as before.
"""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, Reason
from ledger.events.fast import parse_observed
from ledger.events.values import SECOND, TIME_LIMIT, nearest_decimal, parse_decimal
from ledger.limits import BATCH_OBSERVATIONS_MAX, DATA_AHEAD_SECONDS, SAMPLE_SIZE_MAX
from tests.application.conftest import MakeWorld
from tests.support.world import START, Row, World, reason_of, request

GOOD: Row = ("m1", "loss", "", "0.5", START, 1)
SKEW = 300_000_000
FIELDS = ("model", "signal", "model_version", "value", "observed_at", "sample_size")


def but(**changes: object) -> Row:
    """Return a good row with changes."""
    row = tuple(changes.get(name, was) for name, was in zip(FIELDS, GOOD, strict=True))
    return cast("Row", row)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a closed ledger with a model in service, one without, and a retired one."""
    folder = tmp_path_factory.mktemp("story")
    world = World(folder / "ledger.sqlite", clock="wall").begin("m1")
    world.register("bare")
    world.register("gone")
    world.deploy("gone", "v1")
    world.ledger.commands.retire_model(request("r"), "gone", "over")
    world.close()
    return folder


@pytest.fixture
def ready(story: Path, tmp_path: Path) -> Iterator[World]:
    """A world that goes on there."""
    folder = Path(shutil.copytree(story, tmp_path / "ready"))
    world = World(folder / "ledger.sqlite", clock="wall")
    yield world
    world.close()


def refused(world: World, *rows: Row) -> LedgerError:
    """Return how a batch is refused; nothing of it may be written."""
    before = world.head
    with pytest.raises(LedgerError) as error:
        world.observe(*rows)
    assert world.head == before
    return error.value


BAD = [
    ("value", "NaN", "finite"),
    ("value", "inf", "finite"),
    ("value", "-Infinity", "finite"),
    ("value", math.nan, "finite"),
    ("value", math.inf, "finite"),
    ("value", -math.inf, "finite"),
    ("value", 1e300, "whole digits"),
    ("value", 1e12, "whole digits"),
    ("value", "1000000000000", "more than 12 whole digits"),
    ("value", "-1000000000000", "more than 12 whole digits"),
    ("value", "+1", "plus sign"),
    ("value", "01", "leading zeros"),
    ("value", "1e3.5", "not a decimal"),
    ("value", "", "not a decimal"),
    ("value", "\u0661", "not a decimal"),
    ("value", "9" * 5_000, "5000 characters"),
    ("model", "", "empty"),
    ("model", "M1", "must begin with"),
    ("model", "m" * 129, "129 characters"),
    ("model", "modèle", "outside ASCII"),
    ("model", "m1\n", "must begin with"),
    ("signal", "", "empty"),
    ("signal", "s" * 129, "129 characters"),
    ("signal", "perte€", "outside ASCII"),
    ("model_version", "V 1", "must begin with"),
    ("model_version", "v" * 129, "129 characters"),
    ("observed_at", -1, "before 1970"),
    ("observed_at", TIME_LIMIT, "after the year 9999"),
    ("sample_size", 0, "from 1 to"),
    ("sample_size", -5, "from 1 to"),
    ("sample_size", SAMPLE_SIZE_MAX + 1, "from 1 to"),
]


@pytest.mark.parametrize(("field", "value", "text"), BAD)
def test_a_bad_field_is_named_with_what_is_wrong(
    ready: World, field: str, value: object, text: str
) -> None:
    error = refused(ready, GOOD, but(**{field: value}), GOOD)
    assert error.reason is Reason.FIELD_INVALID
    assert [violation.field for violation in error.violations] == [f"observations[1].{field}"]
    assert text in error.violations[0].description
    assert error.metadata["field"] == f"observations[1].{field}"
    assert error.remedy
    assert len(str(error)) < 500, "an error never echoes an unbounded input"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (but(model="nobody"), Reason.MODEL_UNKNOWN),
        (but(signal="nothing"), Reason.SIGNAL_UNKNOWN),
        (but(model="gone"), Reason.MODEL_RETIRED),
        (but(model="bare"), Reason.MODEL_NOT_DEPLOYED),
        (but(observed_at=START + SKEW + 1), Reason.CLOCK_AHEAD),
    ],
)
def test_what_the_ledger_does_not_know_or_allow_has_a_reason_of_its_own(
    ready: World, row: Row, reason: Reason
) -> None:
    error = refused(ready, GOOD, row)
    assert error.reason is reason
    assert error.violations[0].field.startswith("observations[1].")
    assert error.remedy


def test_up_to_ten_bad_fields_are_named_and_all_of_one_item(ready: World) -> None:
    error = refused(ready, but(model="", value="x", sample_size=0), GOOD, but(signal="?"))
    assert [violation.field for violation in error.violations] == [
        "observations[0].model",
        "observations[0].value",
        "observations[0].sample_size",
        "observations[2].signal",
    ]
    assert len(refused(ready, *[but(value="x")] * 50).violations) == 10


@pytest.mark.parametrize(
    "row",
    [
        but(value="999999999999.999999999"),
        but(value="-999999999999.999999999"),
        but(value=999_999_999_999.0),
        but(value="0.000000001"),
        but(value=5e-324),
        but(value=-0.0),
        but(value=7),
        but(observed_at=0, model_version="v1"),
        but(observed_at=START + SKEW),
        but(sample_size=SAMPLE_SIZE_MAX),
        but(model_version="v" * 128),
        but(model="bare", model_version="v9"),
    ],
)
def test_limits_are_inclusive(ready: World, row: Row) -> None:
    result = ready.observe(row)
    seen = parse_observed(ready.events()[result.last_position - 1])
    assert seen.observed_at == row[4]
    assert seen.sample_size == row[5]


def test_a_tiny_double_and_minus_zero_are_recorded_as_zero(ready: World) -> None:
    ready.observe(but(value=5e-324), but(value=-0.0))
    assert [parse_observed(event).value for event in ready.events()[-2:]] == [0, 0]


@given(value=st.floats(-1e12, 1e12, exclude_min=True, exclude_max=True))
def test_a_double_is_recorded_as_its_nearest_decimal(value: float) -> None:
    text = nearest_decimal(repr(value))[0]
    assert abs(parse_decimal(text) / 10**9 - value) <= max(1e-9, abs(value) * 1e-15)


def test_a_batch_is_neither_empty_nor_over_full(ready: World) -> None:
    assert refused(ready).metadata["field"] == "observations"
    over = refused(ready, *[GOOD] * (BATCH_OBSERVATIONS_MAX + 1))
    assert over.reason is Reason.FIELD_INVALID
    full = ready.observe(*[GOOD] * BATCH_OBSERVATIONS_MAX)
    assert full.last_position - full.first_position + 1 == BATCH_OBSERVATIONS_MAX


def test_a_data_ledger_takes_any_time_but_one_far_ahead_of_the_machine(world: World) -> None:
    world.begin("m1")
    latest = world.clock.now_micros() + DATA_AHEAD_SECONDS * SECOND
    for at in (0, START, latest):
        world.see("m1", "0.5", at, version="v1")
    head = world.ledger.log.head()
    for at in (latest + 1, TIME_LIMIT - 1):
        error = refused(world, but(observed_at=at))
        assert error.reason is Reason.CLOCK_AHEAD
        assert error.metadata["field"] == "observations[0].observed_at"
    assert refused(world, but(observed_at=TIME_LIMIT)).reason is Reason.FIELD_INVALID
    assert world.ledger.log.head() == head


def test_a_deployment_far_ahead_of_the_machine_does_not_move_a_data_ledger(world: World) -> None:
    world.begin("m1")
    head = world.ledger.log.head()
    late = world.clock.now_micros() + (DATA_AHEAD_SECONDS + 1) * SECOND
    with pytest.raises(LedgerError) as refusal:
        world.deploy("m1", "v2", at=late)
    assert refusal.value.reason is Reason.CLOCK_AHEAD
    assert world.ledger.log.head() == head


def test_an_empty_version_is_the_one_in_service_and_the_source_is_the_actor(ready: World) -> None:
    ready.see("m1", "0.5", START)
    ready.deploy("m1", "v2")
    ready.see("m1", "0.5", START)
    ready.see("m1", "0.5", START, version="v1")
    seen = [parse_observed(event) for event in ready.events("signal.observed.v1")]
    assert [one.model_version for one in seen] == ["v1", "v2", "v1"]
    assert {one.source for one in seen} == {"services/monitor-1"}


def test_a_repeat_gets_the_first_answer_and_other_content_is_refused(ready: World) -> None:
    first = ready.observe(GOOD, caller=request("q1", "a"))
    again = ready.observe(GOOD, caller=request("q1", "a"))
    assert (again.first_position, again.last_position) == (
        first.first_position,
        first.last_position,
    )
    assert again.repeated
    assert not first.repeated
    with pytest.raises(LedgerError) as error:
        ready.observe(but(value="9"), caller=request("q1", "b"))
    assert reason_of(error) is Reason.REQUEST_ID_REUSED
    other = ready.observe(GOOD, caller=request("q1", "a", actor="services/other"))
    assert other.first_position > first.last_position, "another caller's ids are his own"


def test_a_repeat_gets_the_first_answer_although_the_model_was_retired(ready: World) -> None:
    first = ready.observe(GOOD, caller=request("q1", "a"))
    ready.ledger.commands.retire_model(request("r2"), "m1", "over")
    again = ready.observe(GOOD, caller=request("q1", "a"))
    assert again.last_position == first.last_position
    assert again.event_hash == first.event_hash
    assert again.repeated
    with pytest.raises(LedgerError) as error:
        ready.observe(GOOD, caller=request("q1", "b"))
    assert reason_of(error) is Reason.REQUEST_ID_REUSED
    assert refused(ready, GOOD).reason is Reason.MODEL_RETIRED


def test_what_another_server_registered_is_accepted_at_once(make_world: MakeWorld) -> None:
    one = make_world(clock="wall").begin("m1")
    other = make_world(shared=one)
    one.register("m2")
    one.deploy("m2", "v7")
    other.see("m2", "0.5", START)
    assert parse_observed(other.events("signal.observed.v1")[-1]).model_version == "v7"
