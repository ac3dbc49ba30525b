"""A bundle's report, put together from the bundle: by its writer, and again by a verifier."""

from collections.abc import Iterator
from typing import Any

from ledger.application.decisions.reasons import reason_of
from ledger.events.canonical import decode
from ledger.events.decisions import DecisionMade
from ledger.export.facts import ReportFacts, ReportSubject
from ledger.export.report import IssuerStatements, render


def report_of(subject: ReportSubject, stated: IssuerStatements) -> Iterator[str]:
    """Yield the pieces of a report: what the bundle says, and what its issuer states."""
    return render(subject, stated, _reasons(subject.facts))


def _reasons(facts: ReportFacts) -> dict[int, str]:
    """Return why decisions came out so, of those whose score and policy are in the bundle.

    Where they are not, were withheld or were erased, the sentences would tell of them.
    """
    found = {}
    for kept in facts.newest[DecisionMade.TYPE]:
        made: dict[str, Any] = decode(kept.body)["data"]
        drafted = facts.policy_of(made)
        position, score = kept.score
        if position != made.get("score_position") or drafted is None:
            continue
        if reason := reason_of(made, decode(score)["data"], drafted):
            found[kept.position] = reason
    return found
