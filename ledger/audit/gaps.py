"""Where nothing on record shows that what was due was done: spans, and how a report names them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.audit.event import AuditedEvent
from ledger.events.values import format_time

GAPS_MAX: Final = 10
_NAMES_MAX: Final = 10


@dataclass(slots=True)
class Gap:
    """Where something could be due, and no service accounts for that."""

    first: int
    first_at: int
    last: int
    last_at: int
    """When they were recorded; 0 where that is not known."""

    def span(self) -> str:
        """Return where it is, in words."""
        began = f" from {format_time(self.first_at)}" if self.first_at else ""
        until = f" until {format_time(self.last_at)}" if self.last_at else ""
        recorded = f", recorded{began}{until}" if began or until else ""
        return f"positions {self.first} to {self.last}{recorded}"


class Uncovered:
    """Events of one kind that no account covers, as spans."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []
        self._open: Gap | None = None

    def see(self, event: AuditedEvent) -> None:
        """Take in an event that is to be covered."""
        at, place = event.recorded_at, event.position
        if self._open is None:
            self._open = Gap(place, at, place, at)
        self._open.last, self._open.last_at = place, at

    def cover(self, after: int, through: int) -> None:
        """Close what is open up to where a service began, and take out what it accounts for."""
        gap = self._open
        if gap is None:
            return
        if gap.first <= after:
            is_whole = gap.last <= after
            last, at = (gap.last, gap.last_at) if is_whole else (after, 0)
            self._gaps.append(Gap(gap.first, gap.first_at, last, at))
        if gap.last <= through:
            self._open = None
        elif gap.first <= through:
            gap.first, gap.first_at = through + 1, 0

    def end(self) -> list[Gap]:
        """Return the spans; the events are at their end."""
        return self._gaps if self._open is None else [*self._gaps, self._open]


@dataclass(slots=True)
class Unscored:
    """Where a model's debt of a score ended or could not be judged, and why."""

    model: str
    first: int
    last: int
    why: str
    is_judged: bool = True
    """Whether a debt ended; not where it cannot be known whether there was one."""


def span_remarks(gaps: Sequence[Gap], who: str, meaning: str) -> Iterator[str]:
    """Yield a sentence for each span that no account covers."""
    for gap in gaps[:GAPS_MAX]:
        yield f"Gap: no {who} accounts for {gap.span()}. {meaning}"
    if len(gaps) > GAPS_MAX:
        yield f"Gap: likewise for {len(gaps) - GAPS_MAX} more spans."


def score_remarks(found: Sequence[Unscored]) -> Iterator[str]:
    """Yield a sentence for each span in which one or more models may lack a score."""
    grouped: dict[tuple[int, int, str], list[str]] = {}
    for one in found:
        grouped.setdefault((one.first, one.last, one.why), []).append(one.model)
    spans = sorted(grouped.items())
    for (first, last, why), models in spans[:GAPS_MAX]:
        yield f"Gap: positions {first} to {last}, {named(models)}: {why}."
    if (more := spans[GAPS_MAX:]) != []:
        models = sorted({name for _, names in more for name in names})
        yield (
            f"Gap: likewise for {len(more)} more spans, positions {more[0][0][0]} to "
            f"{max(last for (_, last, _), _ in more)}, {named(models)}."
        )


def named(models: Sequence[str]) -> str:
    """Return some models, in words."""
    names = ", ".join(models[:_NAMES_MAX])
    more = f" and {len(models) - _NAMES_MAX} more" if len(models) > _NAMES_MAX else ""
    return f"{'model' if len(models) == 1 else 'models'} {names}{more}"
