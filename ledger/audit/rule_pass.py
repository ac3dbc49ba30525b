"""The second pass: every event in order, every rule that concerns it, then on to the fold."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import ledger.audit.rules  # noqa: F401 - registers the rules
from ledger.audit.absence import Absences
from ledger.audit.assessor import Assessor
from ledger.audit.deployments import AuditedDeployments
from ledger.audit.event import AuditedEvent, read
from ledger.audit.ledger_state import LedgerState
from ledger.audit.obligations import Obligations, gap_remarks
from ledger.audit.registry import RULES, AuditRule, Unchecked
from ledger.audit.second_reading import DifferentReadingError
from ledger.audit.shadows import AuditedShadows
from ledger.audit.source import EventSource, Finding
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.audit.witnessed_times import TimesReport, WitnessedTimes
from ledger.events.canonical import CanonicalError, decode
from ledger.events.proving import AUDITED, StreamsSealed

FINDINGS_MAX: Final = 1_000
_TELL_EVERY: Final = 2_000


@dataclass(slots=True)
class RulePassResult:
    """The findings of the rules."""

    checked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(rule, reason) → how often it could not be applied."""
    findings: list[Finding] = field(default_factory=list)
    bodiless: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of positions whose body is not there."""
    erased: int = 0
    withheld: int = 0
    times: TimesReport = field(default_factory=TimesReport)
    remarks: list[str] = field(default_factory=list)


def rule_pass(
    source: EventSource,
    joined: VerifiedPrefix,
    progress: Callable[[int, int], None] | None = None,
    times: WitnessedTimes | None = None,
) -> RulePassResult:
    """Apply every rule to every event of a ledger whose hashes hold.

    The source is the second reading; where that is not the first, the rules end there.
    `times` are those of witnesses, which bound those of the events.
    """
    fold, times = _begin(source, joined), times or WitnessedTimes()
    found = RulePassResult()
    try:
        _walk(source, fold, times, found, progress)
        found.times = times.judge(fold.clock, fold.skew_micros)
        for rule in RULES.values():
            if rule.finish is not None:
                for position, what in rule.finish(fold):
                    _fail(found, rule, position, what)
        _count(found, joined)
        found.remarks += gap_remarks(fold)
        found.remarks += fold.authority.remarks(source.size)
    except DifferentReadingError as error:
        found.findings.append(error.finding)
    finally:
        fold.observations.close()
    found.findings.sort(key=lambda finding: finding.position)
    return found


def _begin(source: EventSource, joined: VerifiedPrefix) -> LedgerState:
    absences = Absences(joined.notable, source.erased_later, source.withheld)
    seal_points = _members(joined, (StreamsSealed.TYPE,), "as_of")
    root_points = _members(joined, AUDITED, "size")
    fold = LedgerState(source, absences, seal_points, joined.roots, root_points)
    fold.assessor = Assessor(fold)
    fold.deployments = AuditedDeployments()
    fold.obligations = Obligations(fold)
    fold.shadows = AuditedShadows()
    return fold


def _members(joined: VerifiedPrefix, wanted: Sequence[str], name: str) -> set[int]:
    """Return a number that every event of these types states."""
    found: set[int] = set()
    for _, type_, body in joined.notable:
        if type_ in wanted and body is not None:
            try:
                found.add(int(decode(body)["data"][name]))
            except (CanonicalError, KeyError, TypeError, ValueError):
                continue  # a rule says what is wrong with it
    return found


def _walk(
    source: EventSource,
    fold: LedgerState,
    times: WitnessedTimes,
    found: RulePassResult,
    progress: Callable[[int, int], None] | None,
) -> None:
    concerned: dict[str, list[AuditRule]] = {}
    for row in source.rows(0, source.size):
        event = read(row)
        rules = concerned.get(event.type)
        if rules is None:
            rules = [rule for rule in RULES.values() if rule.concerns(event.type)]
            concerned[event.type] = rules
        if event.raw is None:
            _note_absence(event, fold, found)
        is_read = event.data is not None or event.observation is not None
        for rule in rules:
            if rule.needs_data and not is_read:
                found.unchecked[rule.name, _why_unread(event, fold)] += 1
                continue
            verdict = rule.check(event, fold)
            if verdict is None:
                continue
            if isinstance(verdict, Unchecked):
                found.unchecked[rule.name, verdict.reason] += 1
            else:
                _fail(found, rule, event.position, verdict)
        fold.apply(event)
        times.see(event)
        if event.observation is not None:
            fold.assessor.observe(event)
        fold.obligations.apply(event)
        if progress is not None and event.position % _TELL_EVERY == 0:
            progress(event.position, source.size)


def _note_absence(event: AuditedEvent, fold: LedgerState, found: RulePassResult) -> None:
    fold.absences.note(event.position)
    at, spans = event.position, found.bodiless
    if spans and spans[-1][1] == at - 1:
        spans[-1] = (spans[-1][0], at)
    else:
        spans.append((at, at))
    absence = fold.absences.of(at)
    if absence is not None and absence.erased_by:
        found.erased += 1
    else:
        found.withheld += 1


def _why_unread(event: AuditedEvent, fold: LedgerState) -> str:
    if event.raw is not None:
        return "unreadable"
    return fold.absences.reason(event.position)


def _fail(found: RulePassResult, rule: AuditRule, position: int, what: str) -> None:
    found.failed[rule.name] += 1
    if len(found.findings) < FINDINGS_MAX:
        found.findings.append(Finding(rule.name, position, what))


def _count(found: RulePassResult, joined: VerifiedPrefix) -> None:
    """Count how often each rule was applied: to every event it concerns but the unchecked ones."""
    unchecked: Counter[str] = Counter()
    for (name, _), count in found.unchecked.items():
        unchecked[name] += count
    for name, rule in RULES.items():
        concerned = sum(count for type_, count in joined.types.items() if rule.concerns(type_))
        found.checked[name] = concerned - unchecked[name]
