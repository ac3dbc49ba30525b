"""Scores that came later than they were due, by more than an evaluator needs: gaps, no findings.

The next score of a model pays its debt. So one between two others can be taken out, with its
decision, and what is left is a debt that was open for too long while a service evaluated. Where
time is a machine's it is measured; where the data are the clock they jump, so there a debt is late
if the evaluator scored others in between that it took in hand after it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.audit.gaps import GAPS_MAX, named
from ledger.audit.service_accounts import LATE_SECONDS, ServiceAccounts
from ledger.events.values import DAY, SECOND, format_time

LATE: Final = LATE_SECONDS * SECOND
_UNITS: Final = ((DAY, "days"), (3_600 * SECOND, "hours"), (60 * SECOND, "minutes"))
_WHY: Final = "while a service that evaluates accounts for it: it was held up, "
_TAKEN: Final = "or a score between may have been taken out"


@dataclass(frozen=True, slots=True)
class LateScore:
    """A debt of a score: since when it was open, and where it was paid or the ledger ends."""

    model: str
    first: int
    due_at: int
    last: int
    paid_at: int
    is_paid: bool = True
    passed: int = 0
    """The position as of which others were scored in between; 0 where time is a machine's."""


@dataclass(slots=True)
class _Span:
    """Debts that overlap."""

    first: int
    due_at: int
    last: int
    until: int
    models: set[str]
    late: int
    passed: int
    is_paid: bool
    count: int = 1

    def text(self) -> str:
        """Return what is said of them."""
        models = named(sorted(self.models))
        span = f"{format_time(self.due_at)} until {format_time(self.until)}"
        if self.count == 1:
            what = f"a score of {models} was due since the first and "
            come = "came at the last" if self.is_paid else "had not come by the last"
        else:
            what = f"{self.count} scores of {models} were due there and "
            come = "came" if self.is_paid else "came, or had not come by the last,"
        upto = "up to " if self.count > 1 else ""
        how = f"{upto}{_lasted(self.late)} late"
        if self.passed:
            how = f"{upto}{_lasted(self.late)} later by the data, after others were scored as of "
            how += f"position {self.passed},"
        why = _WHY + ("" if self.passed else "its clock leapt, ") + _TAKEN
        return f"Gap: positions {self.first} to {self.last}, {span}: {what}{come} {how} {why}."


def late_remarks(found: Iterable[LateScore], accounts: ServiceAccounts) -> Iterator[str]:
    """Yield a sentence for each span in which scores came late under a service that evaluates."""
    spans: list[_Span] = []
    for one in sorted(found, key=lambda one: (one.first, one.last, one.model)):
        if one.passed:
            late = one.paid_at - one.due_at
            is_said = accounts.is_passed(one.first, one.passed)
        else:
            late = accounts.open_for(one.first, one.due_at, one.last, one.paid_at)
            is_said = late > LATE
        if is_said:
            _add(spans, one, late)
    yield from (span.text() for span in spans[:GAPS_MAX])
    if (more := spans[GAPS_MAX:]) != []:
        models = named(sorted(set().union(*(span.models for span in more))))
        yield (
            f"Gap: likewise for {len(more)} more spans, positions {more[0].first} to "
            f"{more[-1].last}, {models}, up to {_lasted(max(span.late for span in more))}."
        )


def _add(spans: list[_Span], one: LateScore, late: int) -> None:
    span = spans[-1] if spans else None
    if span is None or one.first > span.last:
        span = _Span(
            one.first, one.due_at, one.last, one.paid_at, {one.model}, late, one.passed, one.is_paid
        )
        spans.append(span)
        return
    span.models.add(one.model)
    span.count += 1
    span.last, span.until = max(span.last, one.last), max(span.until, one.paid_at)
    span.late, span.is_paid = max(span.late, late), span.is_paid and one.is_paid
    span.due_at = min(span.due_at, one.due_at)


def _lasted(micros: int) -> str:
    for unit, name in _UNITS:
        if micros >= 2 * unit:
            return f"{micros // unit} {name}"
    return f"{max(micros, 0) // SECOND} seconds"
