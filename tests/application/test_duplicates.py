"""Repeated observations: goal: all are counted, left out where that is asked for, none invented.

Method: the same observation again in every constellation: another request, the same batch, after a
restart, from another server, late, erased; and everything that differs in one field. A property
compares the answers to a plain set of all that was recorded.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.application.commands import Caller
from ledger.application.fleet.intake import IntakeResult
from ledger.events.fast import parse_observed
from ledger.storage import repeats
from ledger.storage.records import Duplicates
from tests.application.conftest import MakeWorld
from tests.support.hooks import patch_constant
from tests.support.world import HOUR, MONITOR, START, Row, World, request

ONE: Row = ("m1", "loss", "", "0.5", START, 100)
OTHER: Row = ("m1", "loss", "", "0.5", START + HOUR, 100)


@pytest.fixture
def ready(world: World) -> World:
    return world.begin("m1", "m2")


def submit(world: World, *rows: Row, caller: Caller = MONITOR, out: bool = False) -> IntakeResult:
    return world.ledger.intake.submit(caller, rows, leave_out_duplicates=out).result()


def found(taken: IntakeResult) -> tuple[int, int]:
    return taken.appended.duplicates.found, taken.appended.duplicates.left_out


def test_the_same_observation_under_another_request_id_is_counted_and_its_place_named(
    ready: World,
) -> None:
    first = submit(ready, ONE, caller=request("a"))
    again = submit(ready, ONE, OTHER, caller=request("b"))
    place = first.appended.last_position
    assert first.appended.duplicates == Duplicates()
    assert again.appended.duplicates == Duplicates(1, 0, place, place)
    assert again.appended.last_position == again.appended.first_position + 1, "both are recorded"


def test_what_is_to_be_left_out_is_not_recorded_again(ready: World) -> None:
    place = submit(ready, ONE).appended.last_position
    taken = submit(ready, ONE, OTHER, ONE, out=True)
    assert taken.appended.duplicates == Duplicates(2, 2, place, place)
    assert taken.appended.first_position == taken.appended.last_position == ready.head


def test_a_batch_of_duplicates_alone_appends_nothing_and_says_where_they_are(ready: World) -> None:
    first = submit(ready, ONE, OTHER)
    head = ready.ledger.log.head()
    taken = submit(ready, OTHER, ONE, caller=request("again", "x", actor=MONITOR.actor), out=True)
    assert ready.ledger.log.head() == head
    assert taken.appended.duplicates == Duplicates(
        2, 2, first.appended.first_position, first.appended.last_position
    )
    assert taken.appended.first_position == taken.appended.last_position + 1 == head.position + 1
    submit(ready, ("m2", *ONE[1:]))
    repeat = submit(ready, OTHER, ONE, caller=request("again", "x", actor=MONITOR.actor), out=True)
    assert repeat.appended == replace(taken.appended, repeated=True)


@pytest.mark.parametrize("out", [False, True])
def test_a_repeated_request_gets_the_counts_of_its_first_answer(ready: World, *, out: bool) -> None:
    submit(ready, ONE)
    rows = (ONE, OTHER, OTHER, ("m1", "loss", "", "0.30000000000000004", START, 1))
    first = submit(ready, *rows, caller=request("r", "x", actor=MONITOR.actor), out=out)
    submit(ready, *rows)
    again = submit(ready, *rows, caller=request("r", "x", actor=MONITOR.actor), out=out)
    assert first.appended.duplicates.found == 2
    assert again == first._replace(appended=replace(first.appended, repeated=True))


def test_a_repeated_request_gets_its_counts_although_its_model_was_retired(ready: World) -> None:
    submit(ready, ONE)
    rows = (ONE, ("m1", "loss", "", 1e-30, START, 1))
    first = submit(ready, *rows, caller=request("r", "x", actor=MONITOR.actor), out=True)
    ready.ledger.commands.retire_model(request("gone"), "m1", "over")
    again = submit(ready, *rows, caller=request("r", "x", actor=MONITOR.actor), out=True)
    assert found(first) == found(again) == (1, 1)
    assert (again.rounded, again.vanished) == (first.rounded, first.vanished) == (1, 1)


def test_a_repeat_within_one_batch_is_found(ready: World) -> None:
    taken = submit(ready, ONE, OTHER, ONE)
    first = taken.appended.first_position
    assert taken.appended.duplicates == Duplicates(1, 0, first, first)


@pytest.mark.parametrize(
    "row",
    [
        ("m2", "loss", "", "0.5", START, 100),
        ("m1", "drift", "", "0.5", START, 100),
        ("m1", "loss", "v2", "0.5", START, 100),
        ("m1", "loss", "", "0.500000001", START, 100),
        ("m1", "loss", "", "0.5", START + 1, 100),
    ],
)
def test_what_differs_in_one_of_the_fields_is_no_duplicate(ready: World, row: Row) -> None:
    submit(ready, ONE)
    assert found(submit(ready, row, out=True)) == (0, 0)


def test_another_source_is_another_observation_and_another_sample_size_is_not(ready: World) -> None:
    submit(ready, ONE)
    assert found(submit(ready, ONE, caller=Caller("services/monitor-2"), out=True)) == (0, 0)
    assert found(submit(ready, (*ONE[:5], 7), out=True)) == (1, 1)


def test_a_double_and_the_text_of_its_decimal_are_the_same_value(ready: World) -> None:
    submit(ready, ("m1", "loss", "v1", 0.30000000000000004, START, 1))
    assert found(submit(ready, ("m1", "loss", "", "0.300", START, 1), out=True)) == (1, 1)


def test_a_duplicate_is_found_after_a_restart(ready: World) -> None:
    submit(ready, ONE)
    submit(ready, OTHER)
    ready.restart()
    assert found(submit(ready, ONE, out=True)) == (1, 1)
    assert found(submit(ready, OTHER, out=True)) == (1, 1)


def test_a_duplicate_is_found_when_more_is_recorded_than_is_remembered(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "REMEMBERED_MAX", 3)
    patch_constant(monkeypatch, "observations of a look", 1)
    rows = [("m1", "loss", "", "0.5", START + n, 1) for n in range(20)]
    for row in rows:
        submit(ready, row)
    for row in rows:
        assert found(submit(ready, row, out=True)) == (1, 1)


@pytest.mark.parametrize("size", [1, 499, 500, 5_000])
def test_what_is_remembered_is_bounded_whatever_the_size_of_batches(size: int) -> None:
    recent = repeats.RecentIdentities()
    most = 0
    for at in range(0, 3 * repeats.REMEMBERED_MAX, size):
        recent.trim()
        recent.remember(range(at, at + size), range(at, at + size))
        most = max(most, recent.count)
    assert recent.count == sum(len(chunk.identities) for chunk in recent.chunks)
    assert repeats.REMEMBERED_MAX <= most <= repeats.REMEMBERED_MAX + size


def test_an_erased_observation_is_not_there_to_be_repeated(ready: World) -> None:
    place = submit(ready, ONE).appended.last_position
    ready.erase(place)
    assert found(submit(ready, ONE, out=True)) == (0, 0)


def test_what_another_server_recorded_is_repeated_here(make_world: MakeWorld) -> None:
    one = make_world().begin("m1")
    other = make_world(shared=one)
    submit(one, ONE)
    assert found(submit(other, ONE, out=True)) == (1, 1)


def test_requests_of_one_transaction_see_each_other(ready: World) -> None:
    """Several requests wait for the writer together and are placed as one group."""
    waiting = [
        ready.ledger.intake.submit(MONITOR, [ONE, OTHER], leave_out_duplicates=True)
        for _ in range(50)
    ]
    taken = [one.result() for one in waiting]
    assert sum(one.appended.duplicates.left_out for one in taken) == 98
    assert len(ready.events("signal.observed.v1")) == 2


def test_states_count_the_repeats_among_the_newest_observations(ready: World) -> None:
    submit(ready, ONE, OTHER, ONE, ("m1", "drift", "", "0.5", START, 100))
    before = ready.head
    submit(ready, ONE, (*ONE[:5], 7))
    counted = ready.ledger.intake.likely_duplicates("m1", ready.head)
    assert (counted["loss"], counted.get("drift", 0)) == (3, 0)
    assert ready.ledger.intake.likely_duplicates("m1", before)["loss"] == 1, "as of that position"


ROWS = st.tuples(
    st.sampled_from(["m1", "m2"]),
    st.sampled_from(["loss", "drift"]),
    st.just("v1"),
    st.sampled_from(["0.5", 0.5, "0.25"]),
    st.integers(START, START + 4),
    st.integers(1, 2),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(st.lists(ROWS, min_size=1, max_size=12), st.booleans())))
def test_what_is_counted_and_left_out_is_what_a_set_of_everything_recorded_says(
    ready: World, batches: list[tuple[list[Row], bool]]
) -> None:
    seen = {
        (event.stream, parse_observed(event)._replace(sample_size=0))
        for event in ready.events("signal.observed.v1")
    }
    known = {(s, o.signal, o.observed_at, o.value) for s, o in seen}
    for rows, out in batches:
        expected = 0
        for model, signal, _, value, at, _ in rows:
            key = (f"models/{model}", signal, at, int(float(value) * 10**9))
            expected += key in known
            known.add(key)
        assert found(submit(ready, *rows, out=out)) == (expected, expected if out else 0)


# ---- values --------------------------------------------------------------------------------------


def test_the_answer_counts_what_was_rounded_and_what_became_0(ready: World) -> None:
    values: list[str | float] = [
        "0.47123456789123",
        0.1 + 0.2,
        "6e-27",
        6e-27,
        "0.5",
        0.5,
        "0",
        "0.50000000000",
    ]
    taken = submit(ready, *[("m1", "loss", "", value, START, 1) for value in values])
    assert (taken.rounded, taken.vanished) == (4, 2)
    recorded = [parse_observed(event).value for event in ready.events("signal.observed.v1")]
    assert recorded == [471234568, 300000000, 0, 0, 500000000, 500000000, 0, 500000000]
