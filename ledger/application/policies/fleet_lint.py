"""Findings on a policy that depend on the ledger as it is: its signals, sources and persons.

They are looked for when a policy is linted or drafted, and again when a version is submitted or
comes into force, since the ledger may have changed. Under format policy/1 they were advice always.
The judges are in `ledger.rules.policy_grounds`, for the auditor too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.application.policies.lint_steps import Planned
from ledger.application.policies.text import PolicyReading
from ledger.events.policy_document import PolicyDocument
from ledger.events.signals import SignalDefined
from ledger.governance.requirements import AbleToApprove
from ledger.rules.policy_findings import PolicyFinding
from ledger.rules.policy_grounds import (
    asks_approvals,
    several_sources,
    unsound_approvals,
    unsound_signals,
    unsound_sources,
)

Authors = Callable[[], frozenset[str]]
"""The persons who may draft a policy now."""
Approvers = Callable[[], AbleToApprove | None]
"""The persons who can approve in each role now; None where callers are believed."""


class WantedSources(NamedTuple):
    """A signal that takes several sources, and how far back they may have reported it."""

    signal: str
    needed: int
    window_seconds: int


class SeenSources(NamedTuple):
    """How many sources have reported each signal; `is_certain` unless some were not looked for."""

    counts: Mapping[str, int]
    is_certain: bool = True


Sources = Callable[[Sequence[WantedSources]], SeenSources]
"""Finds the sources of signals; asked only where a policy needs several."""


@dataclass(frozen=True, slots=True)
class LintFleet:
    """The ledger as lint sees it; what is None is not known, so nothing is found about it."""

    known_signals: Mapping[str, SignalDefined] | None = None
    """The ledger's taxonomy by name."""
    touched: Sequence[tuple[str, str]] = ()
    """Signals that policies in force read by definitions that changed since, each with how."""
    sources: Sources | None = None
    approvers: Approvers | None = None
    authors: Authors = frozenset
    planned: Planned | None = None
    """The models that plans are about; asked only where a policy has steps around its planner."""


def fleet_findings(
    reading: PolicyReading, document: PolicyDocument, fleet: LintFleet
) -> Iterator[PolicyFinding]:
    """Yield what does not fit the ledger as it is; report what is advice under every format."""
    if fleet.known_signals is not None:
        known = fleet.known_signals
        yield from unsound_signals(document, {name: known[name].direction for name in known})
        _lint_touched(reading, document, fleet.touched)
    if fleet.sources is not None:
        yield from _source_findings(reading, document, fleet.sources)
    if fleet.approvers is not None and asks_approvals(document):
        able = fleet.approvers()
        if able is not None:
            yield from unsound_approvals(document, able, fleet.authors())


def _lint_touched(
    reading: PolicyReading, document: PolicyDocument, touched: Sequence[tuple[str, str]]
) -> None:
    """Warn of signals whose meaning changed under a policy that is in force."""
    for index, rule in enumerate(document.scoring.signals):
        for signal, how in touched:
            if signal == rule.signal:
                message = f"{signal} does not mean what it did: {how}, which is in force"
                remedy = "Make sure that baseline and critical fit the present definition."
                path = f"scoring.signals[{index}].signal"
                reading.report(path, "MEANING_CHANGED", message, remedy, "warning")


def _source_findings(
    reading: PolicyReading, document: PolicyDocument, sources: Sources
) -> Iterator[PolicyFinding]:
    """Yield signals that need more sources to agree than there are; advice where some may be."""
    several = several_sources(document)
    if not several:
        return
    seen = sources(
        [WantedSources(one.signal, one.sources_needed, one.window_seconds) for one in several]
    )
    if seen.is_certain:
        yield from unsound_sources(document, seen.counts, "in its window")
        return
    for one in unsound_sources(document, seen.counts, "among the newest observations"):
        reading.report(one.path, "SOURCES_NOT_FOUND", one.message, one.remedy, "warning")
