"""The folds keep their promises over drawn ledgers: batches, restarts and detours leave no trace.

Method: drawn stories are folded event by event, in drawn batches, with restarts from stored rows,
and by index, and all of it is compared.
"""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, Reason
from projections.as_of import as_of
from projections.fold import Fold, OnPoison
from projections.priorities import PrioritiesProjection, visible
from projections.projection import Projection, Row, RowSet
from projections.signals import SignalsProjection
from tests.support.builders import ORIGIN, Story, StoryReader
from tests.support.folds import folded, priorities_of
from tests.support.stories import STORIES

CLASSES = (PrioritiesProjection, SignalsProjection)


def digest_of(rows: Mapping[str, Row]) -> bytes:
    """Return the digest of a set of rows, computed from nothing."""
    rowset = RowSet()
    rowset.put(rows)
    return rowset.digest


def _fold(projection: Projection) -> Fold:
    return Fold(projection, on_poison=OnPoison.STOP)


@pytest.mark.parametrize("cls", CLASSES)
@given(story=STORIES, data=st.data())
def test_state_does_not_depend_on_how_events_are_batched(
    cls: type[Projection], story: Story, data: st.DataObject
) -> None:
    whole = folded(cls(), story)
    cuts = data.draw(st.lists(st.integers(0, story.head), max_size=6).map(sorted))
    split = _fold(cls())
    for first, last in zip([0, *cuts], [*cuts, story.head], strict=True):
        split.apply(story.events[first:last])
        split.publish()
    assert split.rows.snapshot() == whole.rows.snapshot()
    assert split.digest == whole.digest == digest_of(whole.rows.snapshot())
    assert (split.applied, split.skipped) == (whole.applied, whole.skipped)


@pytest.mark.parametrize("cls", CLASSES)
@given(story=STORIES, data=st.data())
def test_a_restart_from_published_rows_equals_never_having_stopped(
    cls: type[Projection], story: Story, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, story.head))
    before = _fold(cls())
    before.apply(story.events[:at])
    before.publish()
    projection = cls()
    projection.load(before.rows.snapshot())
    rows: dict[str, Row] = before.rows.snapshot()
    for event in story.events[at:]:
        if event.type in cls.handles:
            projection.apply(event)
            for key, row in projection.changes().items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
    assert rows == folded(cls(), story).rows.snapshot()


@given(story=STORIES)
def test_priorities_as_of_every_position_are_those_that_were_live_there(story: Story) -> None:
    reader = StoryReader(story.events)
    live = _fold(PrioritiesProjection())
    for event in story.events:
        live.apply([event])
        live.publish()
        assert as_of(reader, ORIGIN, event.position) == visible(live.rows.snapshot())


def test_as_of_reads_no_more_in_a_longer_ledger() -> None:
    def cost(events: int) -> int:
        story = Story().begin()
        story.registered("alpha")
        for n in range(events):
            story.observed("alpha", "drift", n)
            story.scored("alpha", n)
        reader = StoryReader(story.events)
        as_of(reader, ORIGIN, story.head)
        return reader.reads

    assert cost(5) == cost(200)


def test_as_of_finds_a_model_that_many_rounds_of_the_others_left_out() -> None:
    """Method: more scores, decisions and deployments of another model than a page holds."""
    story = Story().begin()
    for model in ("alpha", "beta", "quiet"):
        story.registered(model)
    story.deployed("quiet", "v1")
    story.scored("quiet", 222)
    story.decided("quiet", "INVESTIGATE", rule="look")
    for n in range(20):
        story.deployed("beta", f"v{n}")
        story.scored("beta", n)
        story.decided("beta", "NO_ACTION", rule="otherwise")
    rows = as_of(StoryReader(story.events), ORIGIN, story.head)
    assert rows == priorities_of(story)
    assert rows["quiet"]["decision"] is not None
    assert rows["alpha"]["score"] is None


def test_as_of_passes_over_many_historical_scores() -> None:
    story = Story().begin()
    story.registered("alpha")
    story.scored("alpha", 111)
    for _ in range(200):
        story.scored("alpha", 999, historical=True)
    row = as_of(StoryReader(story.events), ORIGIN, story.head)["alpha"]
    assert row["score"] is not None
    assert row["score"]["priority"] == 111


def test_as_of_refuses_a_position_beyond_the_head() -> None:
    story = Story().begin()
    with pytest.raises(LedgerError) as refusal:
        as_of(StoryReader(story.events), ORIGIN, 3)
    assert refusal.value.reason is Reason.POSITION_BEYOND_HEAD
    assert as_of(StoryReader(story.events), ORIGIN, 0) == {}


@pytest.mark.parametrize("cls", CLASSES)
@given(story=STORIES)
def test_rows_once_published_never_change(cls: type[Projection], story: Story) -> None:
    fold = _fold(cls())
    seen = []
    for event in story.events:
        fold.apply([event])
        fold.publish()
        seen.append((fold.rows.snapshot(), fold.digest))
    assert all(digest_of(rows) == digest for rows, digest in seen)
