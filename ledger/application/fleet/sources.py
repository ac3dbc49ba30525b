"""The sources that have reported signals of late, as far back as a policy's windows look."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ledger.application.policies.fleet_lint import SeenSources, WantedSources
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.values import SECOND
from ledger.limits import OBSERVATIONS_LOOKED_AT_MAX
from ledger.storage.events import Events

OBSERVATIONS_FIRST: Final = 500
"""How many of a stream are looked at first; most often they are enough."""


def seen_sources(
    events: Events, ledger: str, streams: Iterable[str], wanted: Sequence[WantedSources], until: int
) -> SeenSources:
    """Return how many sources each wanted signal has, in the windows of the models' streams.

    A window ends at the newest observation of its model. The search ends as soon as every signal
    has as many as are wanted.
    """
    windows = {one.signal: one.window_seconds * SECOND for one in wanted}
    found: dict[str, set[str]] = {signal: set() for signal in windows}
    longest, left = max(windows.values()), OBSERVATIONS_LOOKED_AT_MAX
    for stream in streams:
        is_whole = False
        for limit in (min(OBSERVATIONS_FIRST, left), left):
            if is_whole or all(len(found[one.signal]) >= one.needed for one in wanted):
                break
            page = events.newest_observed(ledger, stream, at_or_before=until, limit=limit)
            span = _note(page, windows, found)
            is_whole = len(page) < limit or span >= longest
        if not is_whole:  # enough are found, or too many observations are left to look at
            return SeenSources(_counted(found), is_certain=False)
        left -= len(page)
    return SeenSources(_counted(found))


def _note(
    page: Sequence[RecordedEvent], windows: Mapping[str, int], found: dict[str, set[str]]
) -> int:
    """Add the sources of a page, newest first, that lie in the windows; return its span of time."""
    age = 0
    for event in page:
        age = (page[0].observed_at or 0) - (event.observed_at or 0)
        if event.body_bytes is not None:
            observed = parse_observed(event)
            if age < windows.get(observed.signal, 0):
                found[observed.signal].add(observed.source)
    return age


def _counted(found: Mapping[str, set[str]]) -> dict[str, int]:
    return {signal: len(sources) for signal, sources in found.items()}
