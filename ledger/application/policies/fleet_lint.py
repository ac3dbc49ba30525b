"""Findings on a policy that depend on the ledger as it is: its signals, sources and persons.

They are looked for when a policy is linted or drafted, and again when a version is submitted or
comes into force, since the ledger may have changed. Under format policy/1 they were advice always.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.application.names import did_you_mean
from ledger.application.policies.approvals import Approvers, Authors, lint_approvals
from ledger.application.policies.definition_usage import runs_against
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import counted
from ledger.events.policy_document import PolicyDocument
from ledger.events.signals import SignalDefined


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


def lint_fleet(reading: PolicyReading, document: PolicyDocument, fleet: LintFleet) -> None:
    """Report what does not fit the ledger as it is; what of it is an error, `problems` says."""
    if fleet.known_signals is not None:
        _lint_taxonomy(reading, document, fleet.known_signals)
        _lint_touched(reading, document, fleet.touched)
    if fleet.sources is not None:
        _lint_sources(reading, document, fleet.sources)
    if fleet.approvers is not None:
        lint_approvals(reading, document, fleet.approvers, fleet.authors)


def _lint_taxonomy(
    reading: PolicyReading, document: PolicyDocument, known: Mapping[str, SignalDefined]
) -> None:
    """Report signals the ledger does not know, and what it knows the other way round."""
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        defined = known.get(rule.signal)
        if defined is None:
            _report_unknown(reading, f"{path}.signal", rule.signal, known)
        elif runs_against(rule, defined):
            words = defined.direction.replace("_", " ")
            message = (
                f"critical {rule.critical} against baseline {rule.baseline} contradicts the "
                f"signal's definition, by which {words}"
            )
            remedy = "Swap the two, or define the signal again."
            reading.report(f"{path}.critical", "THRESHOLD_SIDE", message, remedy)
    planning = document.planning
    if planning is not None and planning.loss_signal not in known:
        _report_unknown(reading, "planning.loss_signal", planning.loss_signal, known)


def _report_unknown(
    reading: PolicyReading, path: str, name: str, known: Mapping[str, SignalDefined]
) -> None:
    message = f"the ledger knows no signal {name!r}"
    remedy = f"{did_you_mean(name, known)}Otherwise define it first: `signal define {name}`."
    reading.report(path, "SIGNAL_UNKNOWN", message, remedy, "warning")


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


def _lint_sources(reading: PolicyReading, document: PolicyDocument, sources: Sources) -> None:
    """Report signals that need more sources to agree than there are."""
    wanted = {
        index: WantedSources(rule.signal, rule.sources_needed, rule.window_seconds)
        for index, rule in enumerate(document.scoring.signals)
        if rule.sources_needed > 1
    }
    if not wanted:
        return
    seen = sources(list(wanted.values()))
    for index, one in wanted.items():
        found = seen.counts.get(one.signal, 0)
        if found < one.needed:
            said = f"needs {one.needed} sources and {one.signal} has {counted(found, 'source')}"
            remedy = "The signal can never be sustained: ask for fewer, or have more report it."
            code, late = "SOURCES_TOO_FEW", "in its window"
            if not seen.is_certain:
                code, late = "SOURCES_NOT_FOUND", "among the newest observations"
            path = f"scoring.signals[{index}].sources_needed"
            reading.report(path, code, f"{said} {late}", remedy, "warning")
