"""The bound on one source under a policy, told of every signal.

The numbers are those that the kernel's page proves; `ledger.kernel.quotas` has them.
"""

from ledger.application.policies.compiled import scoring_of
from ledger.events.notation import share
from ledger.events.policy_document import PolicyDocument
from ledger.rules.score_words import told_bound


def told_bounds(document: PolicyDocument) -> list[str]:
    """Return how far one source alone moves each signal, by name, and one score the priority."""
    told = [told_bound(rule) for rule in scoring_of(document).signals]
    step = document.decision.max_priority_step
    if step is not None:
        told.append(
            f"One score moves the priority by at most {share(step)}; each further one again."
        )
    return told
