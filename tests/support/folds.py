"""Folding a whole story at once, for tests that look at rows."""

from projections.fold import Fold, OnPoison
from projections.priorities import PrioritiesProjection, PriorityRow, visible
from projections.projection import Projection
from tests.support.builders import Story


def folded(projection: Projection, story: Story) -> Fold:
    """Return a projection's fold at a story's end, published; nothing in it was poison."""
    fold = Fold(projection, on_poison=OnPoison.STOP)
    fold.apply(story.events)
    fold.publish()
    assert fold.halt is None
    return fold


def priorities_of(story: Story) -> dict[str, PriorityRow]:
    """Return the visible rows of the priorities at a story's end."""
    return visible(folded(PrioritiesProjection(), story).rows.snapshot())
