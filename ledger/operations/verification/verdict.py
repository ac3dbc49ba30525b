"""Verdicts of every kind: what none of them checked, and the failure that a bad one is."""

from typing import Final

from ledger.audit.report import Report
from ledger.errors import LedgerError, chain_broken
from ledger.events.notation import counted
from ledger.operations.failures import IntegrityFailure

_NO_RULES: Final = "whether what events say follows from each other; `audit run`"
_ELSEWHERE: Final = " of the server, its database or a full bundle"
_KEEP_LEDGER: Final = "Stop writing, keep this ledger as evidence, and call an operator."
_KEEP_FILE: Final = "Keep it as evidence, and ask its issuer for another."


def no_rules(*, is_whole: bool) -> str:
    """Return what no `verify` checks; `is_whole`: `audit run` can check it of the same source."""
    return f"{_NO_RULES}{'' if is_whole else _ELSEWHERE} checks it"


def required(report: Report) -> Report:
    """Return the verdict; CHAIN_BROKEN or IntegrityFailure says what does not hold, and where."""
    if report.passed:
        return report
    raise failure_of(report)


def failure_of(report: Report) -> LedgerError | IntegrityFailure:
    """Return the failure that the first finding of a verdict is."""
    first = report.findings[0]
    if first.rule == "chain":
        return chain_broken(first.position, first.sentence)
    at = f"at position {first.position}, " if first.position else ""
    message = f"{report.origin or report.place} does not hold: {at}{first.sentence}."
    if len(report.findings) > 1:
        message += f" There are {counted(len(report.findings), 'finding')}."
    is_file = report.thing in {"bundle", "receipt", "proof"} and report.task == "verify"
    return IntegrityFailure(message, _KEEP_FILE if is_file else _KEEP_LEDGER)
