"""The report of an audit, for programs and for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.audit.source import Finding, SourceKind

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule: how often it was applied, how often it failed, and how often it could not be."""

    rule: str
    meaning: str
    checked: int
    failed: int
    unchecked: int


@dataclass(frozen=True, slots=True)
class UncheckedCount:
    """Why a rule could not be applied, and how often."""

    rule: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit. `passed` says that nothing failed, not that all could be checked."""

    program: str
    origin: str
    source: SourceKind
    size: int
    root: str
    passed: bool
    first_bad_position: int
    """0 where nothing is wrong with an event."""
    is_quick: bool
    checkpoint_size: int
    checkpoint: str
    """The newest genuine signed note by a trusted key; empty without one."""
    vkeys: tuple[str, ...]
    witnesses: tuple[str, ...]
    witnessed_size: int
    rules: tuple[RuleCount, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[UncheckedCount, ...]
    unknown_types: dict[str, int]
    erased: int
    withheld: int
    remarks: tuple[str, ...]
    evidence: tuple[str, ...]
    """Signed notes that cannot both be true, to be kept."""

    def text(self) -> str:
        """Return the report for a person."""
        lines = [
            f"{self.origin} ({self.source}): {_counted(self.size, 'event')}, root {self.root}",
            *self._signatures(),
            "",
            *_table(self.rules),
            "",
        ]
        if self.erased or self.withheld:
            lines.append(f"Bodies that are not there: {self.erased} erased, {self.withheld} other.")
        for type_, count in sorted(self.unknown_types.items()):
            lines.append(f"Unknown type {type_}: {_counted(count, 'event')}, hashed and counted.")
        lines += [f"Not checked, {gap.rule}, {gap.count} times: {gap.reason}." for gap in self.gaps]
        lines += self.remarks
        lines += self._verdict()
        return "\n".join(lines)

    def _signatures(self) -> Iterable[str]:
        if self.checkpoint_size:
            yield f"Signed checkpoint over {_counted(self.checkpoint_size, 'event')} holds."
        if self.witnesses:
            names = ", ".join(self.witnesses)
            yield f"Cosigned over {_counted(self.witnessed_size, 'event')} by {names}."

    def _verdict(self) -> Iterable[str]:
        if self.passed:
            yield "Everything that could be checked holds."
            return
        yield from (str(finding) for finding in self.findings[:_SHOWN])
        if len(self.findings) > _SHOWN:
            yield f"… and {len(self.findings) - _SHOWN} more."
        at = self.first_bad_position
        where = f", first at position {at}" if at else ""
        yield f"The ledger does not hold: {_counted(len(self.findings), 'finding')}{where}."


def _table(rules: Sequence[RuleCount]) -> Iterable[str]:
    width = max([len(one.rule) for one in rules], default=0)
    yield f"{'rule'.ljust(width)}  {'checked':>10}  {'failed':>8}  {'unchecked':>9}"
    for one in rules:
        yield (f"{one.rule.ljust(width)}  {one.checked:>10}  {one.failed:>8}  {one.unchecked:>9}")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
