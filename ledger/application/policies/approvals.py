"""Findings on the approvals that a policy asks for: the persons who can give them exist."""

from collections.abc import Callable, Mapping

from ledger.application.names import did_you_mean
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import counted
from ledger.events.policy_document import PolicyDocument

Approvers = Callable[[], Mapping[str, frozenset[str]] | None]
"""The persons who hold each role now for the whole ledger; None where callers are believed."""


def lint_approvals(reading: PolicyReading, document: PolicyDocument, approvers: Approvers) -> None:
    """Report approvals that the persons of the ledger cannot give, each approving once.

    Only what is certain: whether the author is among them is not known here.
    """
    governance = getattr(document, "governance", None)
    known = approvers() if governance is not None and governance.approvals else None
    if governance is None or known is None:
        return
    needed, persons = 0, frozenset[str]()
    for index, one in enumerate(governance.approvals):
        path = f"governance.approvals[{index}]"
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
