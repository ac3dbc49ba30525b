"""Comparisons of two moments: never with a later one, and every refusal blames the right field.

Method: a small fleet over loopback; lists and watches that name positions and times.
"""

from typing import Any, TypeAlias

import pytest

from ledger.v1 import priority_service_pb2
from tests.support.served import (
    DAY,
    TIMEOUT,
    Refusal,
    Served,
    at,
    observation,
    refused,
    refused_in_time,
)

Value: TypeAlias = Any  # of a field, as generated constructors take it


@pytest.fixture
def fleet(empty: Served) -> Served:
    """Return a served ledger with two models."""
    empty.prepare(("fares", "routes"))
    return empty


def _listed(served: Served, **fields: Value) -> priority_service_pb2.ListPrioritiesResponse:
    return served.priorities.ListPriorities(
        priority_service_pb2.ListPrioritiesRequest(**fields), timeout=TIMEOUT
    )


def _listing_refused(served: Served, **fields: Value) -> Refusal:
    return refused(lambda: _listed(served, **fields))


def test_a_list_is_never_compared_with_a_later_moment_than_it_shows(fleet: Served) -> None:
    """Method: as of before the models were registered, since now: no model "was retired"."""
    head = fleet.head()
    events = fleet.service.ledger().log.events(limit=1_000)
    first, last = at(0), at(0)
    first.FromMicroseconds(events[0].recorded_at)
    last.FromMicroseconds(events[-1].recorded_at)
    for fields in (
        {"as_of_position": 1, "since_position": head},
        {"as_of_position": 1, "since_time": last},
        {"as_of_time": first, "since_position": head},
        {"as_of_time": first, "since_time": last},
    ):
        error = _listing_refused(fleet, **fields)
        (named,) = (field for field in fields if field.startswith("since"))
        assert (error.reason, list(error.fields)) == ("FIELD_INVALID", [named])
        assert "later than" in error.message
    for fields in ({"as_of_position": head, "since_position": head}, {"since_position": head}):
        listed = _listed(fleet, **fields)
        assert not listed.left
        assert not any(row.change.why for row in listed.priorities)


def test_later_pages_of_a_comparison_show_the_moment_of_the_first(fleet: Served) -> None:
    first = _listed(fleet, since_position=5, page_size=1, min_position=fleet.head())
    fleet.submit(observation(seconds=40 * DAY))
    second = _listed(fleet, since_position=5, page_size=1, page_token=first.next_page_token)
    assert second.position == first.position
    assert second.priorities[0].rank == 2


def test_a_position_beyond_the_head_is_blamed_on_the_field_that_names_it(fleet: Served) -> None:
    beyond = fleet.head() + 1
    for field in ("as_of_position", "since_position"):
        error = _listing_refused(fleet, **{field: beyond})
        assert (error.reason, error.metadata["field"]) == ("POSITION_BEYOND_HEAD", field)
    request = priority_service_pb2.WatchPrioritiesRequest(after_position=99_999)
    error = refused_in_time(
        lambda timeout: fleet.priorities.WatchPriorities(request, timeout=timeout)
    )
    assert (error.reason, error.metadata["field"]) == ("POSITION_BEYOND_HEAD", "after_position")
    assert error.message.startswith("after_position: ")


def test_now_includes_the_position_it_is_compared_with(fleet: Served) -> None:
    """Method: compare with a position just written, that the read model may not have seen."""
    for number in range(10):
        written = fleet.submit(observation(seconds=(50 + number) * DAY)).appended.position
        assert _listed(fleet, since_position=written).position >= written
