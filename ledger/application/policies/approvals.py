"""Findings on the approvals that a policy asks for: the persons who can give them exist."""

from collections.abc import Callable, Mapping, Sequence

from ledger.application.names import did_you_mean
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import counted
from ledger.events.policy_document import ApprovalPart, PolicyDocument
from ledger.jobs.policy_terms import jobs_part

Authors = Callable[[], frozenset[str]]
"""The persons who may draft a policy now."""
Approvers = Callable[[], Mapping[str, frozenset[str]] | None]
"""The persons who hold each role now for the whole ledger; None where callers are believed."""


def lint_approvals(
    reading: PolicyReading, document: PolicyDocument, approvers: Approvers, authors: Authors
) -> None:
    """Report approvals that the persons of the ledger cannot give, each approving once.

    Only what is certain: the author of the next version approves none, and each person who may
    draft it could be that author.
    """
    governance, jobs = getattr(document, "governance", None), jobs_part(document)
    asked = {
        "governance": () if governance is None else governance.approvals,
        "jobs": () if jobs is None else jobs.approvals,
    }
    known = approvers() if any(asked.values()) else None
    if known is None:
        return
    drafting = [frozenset({person}) for person in authors()] if asked["governance"] else []
    none_out = [frozenset[str]()]
    _lint_asked(reading, "governance.approvals", asked["governance"], known, drafting or none_out)
    _lint_asked(reading, "jobs.approvals", asked["jobs"], known, none_out)


def _lint_asked(
    reading: PolicyReading,
    where: str,
    approvals: Sequence[ApprovalPart],
    known: Mapping[str, frozenset[str]],
    excluded: list[frozenset[str]],
) -> None:
    """Report what cannot be given, with any of the sets of persons excluded."""
    needed, persons = 0, frozenset[str]()
    for index, one in enumerate(approvals):
        path = f"{where}[{index}]"
        needed, persons = needed + one.count, persons | known.get(one.role, frozenset())
        if one.role not in known:
            message = f"there is no role {one.role!r}"
            remedy = f"{did_you_mean(one.role, known)}Known: {', '.join(sorted(known))}."
            reading.report(f"{path}.role", "ROLE_UNKNOWN", message, remedy, "warning")
            continue
        held = known[one.role]
        left = [
            out for out in excluded if len(held - out) >= one.count and len(persons - out) >= needed
        ]
        if not left:
            few = f"the role {one.role} has {counted(len(held), 'person')}"
            message = f"{counted(needed, 'approval')} in all, but {few}, and each approves once"
            if len(held) >= one.count and len(persons) >= needed:
                message += ", the author of the next version not at all"
            remedy = "Ask for fewer, or grant the role to more persons; the author is none of them."
            reading.report(f"{path}.count", "APPROVERS_TOO_FEW", message, remedy, "warning")
        excluded = left or excluded
