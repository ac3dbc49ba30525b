"""Findings on the approvals that a policy asks for: the persons who can give them exist."""

from collections.abc import Callable, Mapping, Sequence

from ledger.application.names import did_you_mean
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import counted
from ledger.events.policy_document import ApprovalPart, PolicyDocument
from ledger.jobs.policy_terms import jobs_part

Approvers = Callable[[], Mapping[str, frozenset[str]] | None]
"""The persons who hold each role now for the whole ledger; None where callers are believed."""


def lint_approvals(reading: PolicyReading, document: PolicyDocument, approvers: Approvers) -> None:
    """Report approvals that the persons of the ledger cannot give, each approving once.

    Only what is certain: whether the author is among them is not known here.
    """
    governance, jobs = getattr(document, "governance", None), jobs_part(document)
    asked = {
        "governance": () if governance is None else governance.approvals,
        "jobs": () if jobs is None else jobs.approvals,
    }
    known = approvers() if any(asked.values()) else None
    if known is None:
        return
    for part, approvals in asked.items():
        _lint_asked(reading, f"{part}.approvals", approvals, known)


def _lint_asked(
    reading: PolicyReading,
    where: str,
    approvals: Sequence[ApprovalPart],
    known: Mapping[str, frozenset[str]],
) -> None:
    needed, persons = 0, frozenset[str]()
    for index, one in enumerate(approvals):
        path = f"{where}[{index}]"
        needed, persons = needed + one.count, persons | known.get(one.role, frozenset())
        if one.role not in known:
            message = f"there is no role {one.role!r}"
            remedy = f"{did_you_mean(one.role, known)}Known: {', '.join(sorted(known))}."
            reading.report(f"{path}.role", "ROLE_UNKNOWN", message, remedy, "warning")
        elif len(known[one.role]) < one.count or len(persons) < needed:
            few = f"the role {one.role} has {counted(len(known[one.role]), 'person')}"
            message = f"{counted(needed, 'approval')} in all, but {few}, and each approves once"
            remedy = "Ask for fewer, or grant the role to more persons; the author is none of them."
            reading.report(f"{path}.count", "APPROVERS_TOO_FEW", message, remedy, "warning")
