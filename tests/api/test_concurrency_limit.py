"""Places are limited for one connection and in all, and every place given back is free again.

Method: the places by themselves, with connections that take them in turn; then the limits that a
server has of each kind.
"""

from contextlib import ExitStack

import pytest

from ledger import limits
from ledger.api.concurrency_limit import ConcurrencyLimit
from ledger.errors import LedgerError, Reason
from tests.support.hooks import connections

KINDS = ["WAITS", "WATCHERS", "INGEST_STREAMS", "LONG_CALLS", "STANDARD_STREAMS"]


def refusal(limit: ConcurrencyLimit, peer: str) -> str:
    with pytest.raises(LedgerError) as caught, limit.held(peer):
        raise AssertionError("there was a place")
    assert caught.value.reason is Reason.LIMIT_REACHED
    assert caught.value.retry_after_seconds
    return caught.value.message


def test_one_connection_is_limited_and_leaves_places_to_others() -> None:
    limit = ConcurrencyLimit("watches", total=3, per_connection=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(limit.held("one"))
        assert "2 watches are being served, as many as a connection may" in refusal(limit, "one")
        with limit.held("another"):
            pass


def test_all_connections_together_are_limited_too() -> None:
    limit = ConcurrencyLimit("watches", total=3, per_connection=2)
    with ExitStack() as held:
        for peer in ("one", "one", "another"):
            held.enter_context(limit.held(peer))
        assert "3 watches are being served, as many as this server" in refusal(limit, "third")


def test_a_place_is_given_back_however_the_call_ends() -> None:
    limit = ConcurrencyLimit("watches", total=1, per_connection=1)
    for _ in range(3):
        with pytest.raises(KeyError), limit.held("one"):
            raise KeyError
        with limit.held("another"):
            pass
    assert not connections(limit), "nothing is remembered of a connection that is gone"


@pytest.mark.parametrize("kind", KINDS)
def test_no_connection_may_have_more_than_half_of_the_places(kind: str) -> None:
    total = getattr(limits, f"{kind}_MAX")
    assert 1 <= getattr(limits, f"{kind}_PER_CONNECTION") <= total // 2
