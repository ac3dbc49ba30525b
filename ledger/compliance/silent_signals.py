"""Sources that went silent: since when, how long the longest gap was, what the policy allows.

A source is one signal of one model. Gaps are of observation times, which sources state themselves;
the ledger's time at the end of the scope says how long the last one has lasted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.policies import TYPES as POLICY_TYPES
from ledger.compliance.policies import Policies
from ledger.compliance.tables import Cell, Table, table_of
from ledger.events.facts import Fact
from ledger.events.models import ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import SECOND, parse_time

TYPES: Final = (
    *OBSERVED_TYPES,
    ModelRegistered.TYPE,
    ModelUpdated.TYPE,
    ModelRetired.TYPE,
    *POLICY_TYPES,
)


@dataclass(slots=True)
class ReportingRecord:
    """The reports of one signal of one model."""

    count: int = 0
    count_in_period: int = 0
    newest: int = 0
    """The newest observation time."""
    position: int = 0
    actor: str = ""
    longest_gap: int = 0
    longest_gap_after: int = 0


@dataclass(slots=True)
class _Fleet:
    """The facts of models and policies that decide which signals ought to report."""

    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    policies: Policies = field(default_factory=Policies)

    def apply(self, fact: Fact) -> None:
        self.policies.apply(fact)
        if fact.data is None:
            return
        if fact.type in {ModelRegistered.TYPE, ModelUpdated.TYPE}:
            self.labels[fact.data["model"]] = fact.data["labels"]
        elif fact.type == ModelRetired.TYPE:
            self.retired.add(fact.data["model"])

    def document_for(self, model: str) -> dict[str, Any] | None:
        """Return the policy document that is in force for a model."""
        version = self.policies.in_force(model, self.labels.get(model, {}))
        return version.document if version is not None else None


def silence_table(source: FactSource, scope: FactFilter) -> Table:
    """Return every source with its last observation, its longest gap and whether it is silent.

    `silent`: no observation within the policy's silence before the ledger's time; `never`: the
    policy in force weighs the signal and nothing was ever observed.
    """
    fleet = _Fleet()
    reports: dict[tuple[str, str], ReportingRecord] = {}
    now = 0
    for fact in source.facts(TYPES):
        if scope.until is not None and fact.recorded_at >= scope.until:
            break
        now = max(now, fact.recorded_at)
        if fact.type in OBSERVED_TYPES:
            _observe(reports, fact, scope)
        else:
            fleet.apply(fact)
    now = scope.until if scope.until is not None and scope.until > now else now
    rows = [
        _row(model, signal, reports.get((model, signal), ReportingRecord()), fleet, now)
        for model, signal in sorted({*reports, *_expected(fleet)})
        if scope.has_model(model)
        and (
            not scope.actor or reports.get((model, signal), ReportingRecord()).actor == scope.actor
        )
    ]
    return table_of(
        "silent_sources",
        "Sources and their silences",
        (
            ("model", "text", "which model"),
            ("signal", "text", "which signal of it"),
            ("state", "text", "reporting, silent, never, or retired"),
            ("last_observed_at", "time", "time of its newest observation"),
            ("silent_seconds", "span", "from then to the ledger's time"),
            ("allowed_seconds", "span", "silence that the policy in force allows"),
            ("observations", "integer", "how many in the period"),
            ("longest_gap_seconds", "span", "longest gap between two of them"),
            ("longest_gap_after", "time", "when that gap began"),
            ("last_position", "integer", "where its newest observation is recorded"),
            ("last_actor", "text", "who reported it"),
        ),
        tuple(rows),
        "Bodies that were erased or withheld are not counted.",
        page=(
            ("Model", ("model",)),
            ("Signal", ("signal",)),
            ("State", ("state", "silent_seconds", "allowed_seconds")),
            ("Newest observation", ("last_observed_at", "last_position", "last_actor")),
            ("Observations", ("observations",)),
            ("Longest gap", ("longest_gap_seconds", "longest_gap_after")),
        ),
    )


def _observe(
    reports: dict[tuple[str, str], ReportingRecord], fact: Fact, scope: FactFilter
) -> None:
    data = fact.data
    if data is None or data.get("corrects"):
        return  # a correction is no further report
    model = fact.stream.partition("/")[2]
    report = reports.setdefault((model, data["signal"]), ReportingRecord())
    at = parse_time(data["observed_at"])
    is_in_period = scope.has_time(fact)
    report.count += 1
    report.count_in_period += is_in_period
    if at < report.newest:
        return  # a late one closes no gap that is measured between newest observations
    gap = at - report.newest
    if report.newest and is_in_period and gap > report.longest_gap:
        report.longest_gap, report.longest_gap_after = gap, report.newest
    report.newest, report.position, report.actor = at, fact.position, fact.actor


def _expected(fleet: _Fleet) -> Iterable[tuple[str, str]]:
    """Yield every (model, signal) that a policy in force weighs."""
    for model in fleet.labels:
        document = fleet.document_for(model)
        if document is not None and model not in fleet.retired:
            for rule in document["scoring"]["signals"]:
                yield model, rule["signal"]


def _row(
    model: str, signal: str, report: ReportingRecord, fleet: _Fleet, now: int
) -> tuple[Cell, ...]:
    document = fleet.document_for(model)
    allowed = document["evaluation"]["silence_seconds"] if document else None
    quiet = (now - report.newest) // SECOND if report.count else None
    if model in fleet.retired:
        state = "retired"
    elif quiet is None:
        state = "never"
    elif allowed is not None and quiet > allowed:
        state = "silent"
    else:
        state = "reporting"
    return (
        model,
        signal,
        state,
        report.newest if report.count else None,
        quiet,
        allowed,
        report.count_in_period,
        report.longest_gap // SECOND if report.longest_gap else None,
        report.longest_gap_after or None,
        report.position or None,
        report.actor,
    )
