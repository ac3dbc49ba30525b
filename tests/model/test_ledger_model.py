"""The ledger against a list in memory: whatever is done in whatever order, both say the same.

Hypothesis draws programs of appends, groups, repeats, conflicts, refusals and restarts on a SQLite
file; after every step the head agrees, and at the end the whole chain and every row do.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.events.values import SECOND, format_time
from ledger.storage import (
    AppendRequest,
    AppendResult,
    Guard,
    NewEvent,
    Store,
)
from tests.support.audits import damage
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN, START, asking, begun

UPDATED = "model.updated.v1"
OBSERVED = "signal.observed.v1"
STREAMS = st.sampled_from(["models/a", "models/b", "signals/auc"])


def event_of(stream: str, number: int, is_observation: bool) -> NewEvent:  # noqa: FBT001
    if not is_observation:
        return NewEvent(stream, UPDATED, encode_body(actor="users/ada", data={"n": number}))
    at = START + number * SECOND
    data = {"n": number, "observed_at": format_time(at)}
    return NewEvent(stream, OBSERVED, encode_body(actor="users/ada", data=data), at)


EVENTS = st.lists(
    st.builds(event_of, STREAMS, st.integers(0, 9), st.booleans()), min_size=1, max_size=5
)


class LedgerModel(RuleBasedStateMachine):
    """A store, and what it should hold."""

    answered: Bundle[tuple[AppendRequest, AppendResult]] = Bundle("answered")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(START)
        self.numbers = iter(range(10**6))
        self.store = self.open()
        self.expected: list[tuple[str, str, bytes]] = [
            (e.stream, e.type, e.body_bytes or b"") for e in check_ledger(self.store, ORIGIN)
        ]

    def open(self) -> Store:
        return begun(self.path, self.clock)

    @property
    def path(self) -> str:
        return str(Path(self.folder.name) / "ledger.db")

    def hold(self, result: AppendResult, events: list[NewEvent]) -> None:
        """Check an answer, and add what it recorded to the model."""
        assert result.first_position == len(self.expected) + 1
        assert not result.repeated
        for event in events:
            assert isinstance(event.body, bytes)
            self.expected.append((event.stream, event.type, event.body))
        assert result.last_position == len(self.expected)

    def refused(self, request: AppendRequest) -> Reason:
        error = self.store.requests.submit(request).exception()
        assert isinstance(error, LedgerError)
        return error.reason

    @rule(target=answered, events=EVENTS)
    def append(self, events: list[NewEvent]) -> tuple[AppendRequest, AppendResult]:
        request = asking(*events, request_id=f"r-{next(self.numbers)}", digest=b"1")
        result = self.store.requests.append(request)
        self.hold(result, events)
        return request, result

    @rule(target=answered, batches=st.lists(EVENTS, min_size=2, max_size=4))
    def append_several_at_once(
        self, batches: list[list[NewEvent]]
    ) -> MultipleResults[tuple[AppendRequest, AppendResult]]:
        requests = [
            asking(*events, request_id=f"r-{next(self.numbers)}", digest=b"1") for events in batches
        ]
        results = [future.result() for future in [self.store.requests.submit(r) for r in requests]]
        for result, events in zip(results, batches, strict=True):
            self.hold(result, events)
        return multiple(*zip(requests, results, strict=True))

    @rule(pair=answered)
    def repeat(self, pair: tuple[AppendRequest, AppendResult]) -> None:
        request, first = pair
        again = self.store.requests.append(request)
        assert again.repeated
        assert again.event_hash == first.event_hash
        assert (again.first_position, again.last_position) == (
            first.first_position,
            first.last_position,
        )

    @rule(pair=answered, events=EVENTS)
    def reuse_a_request_id(
        self, pair: tuple[AppendRequest, AppendResult], events: list[NewEvent]
    ) -> None:
        request = asking(*events, request_id=pair[0].request_id, digest=b"2")
        assert self.refused(request) is Reason.REQUEST_ID_REUSED

    @rule(stream=STREAMS, off=st.integers(-1, 1), events=EVENTS)
    def append_if_the_stream_has_so_many(
        self, stream: str, off: int, events: list[NewEvent]
    ) -> None:
        count = sum(s == stream and t == UPDATED for s, t, _ in self.expected)
        guard = Guard(stream, frozenset({UPDATED}), expected_count=count + off)
        request = asking(*events, guards=[guard])
        if off:
            assert self.refused(request) is Reason.VERSION_CONFLICT
        else:
            self.hold(self.store.requests.append(request), events)

    @rule(stream=STREAMS, after=st.integers(0, 40), events=EVENTS)
    def append_if_nothing_came_after(self, stream: str, after: int, events: list[NewEvent]) -> None:
        newest = max((n for n, e in enumerate(self.expected, 1) if e[0] == stream), default=0)
        request = asking(*events, guards=[Guard(stream, None, after_position=after)])
        if newest > after:
            assert self.refused(request) is Reason.VERSION_CONFLICT
        else:
            self.hold(self.store.requests.append(request), events)

    @rule(events=EVENTS)
    def come_too_late(self, events: list[NewEvent]) -> None:
        late = asking(*events, deadline_monotonic=0.0)
        assert self.refused(late) is Reason.DEADLINE_EXCEEDED

    @rule(micros=st.integers(0, 3 * SECOND))
    def let_time_pass(self, micros: int) -> None:
        self.clock.advance(micros)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = self.open()

    @invariant()
    def head_agrees(self) -> None:
        if hasattr(self, "expected"):
            assert self.store.events.head(ORIGIN).position == len(self.expected)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        events = check_ledger(self.store, ORIGIN)
        assert [(e.stream, e.type, e.body_bytes) for e in events] == self.expected
        # The bodies here name no request; `check_ledger` has looked at the requests.
        found = [one for one in damage(self.path) if one.rule != "database.requests"]
        assert found == []
        self.store.close()
        self.folder.cleanup()


TestLedgerModel = LedgerModel.TestCase
TestLedgerModel.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


class LongLived(LedgerModel):
    """The same, more often and for longer."""


TestLedgerModelForLong = pytest.mark.slow(LongLived.TestCase)
TestLedgerModelForLong.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
