"""The bound on one source under a policy: told of every signal, warned of where it is wide.

The numbers are those that the kernel's page proves; `ledger.kernel.quotas` has them.
"""

from collections.abc import Iterator

from ledger.application.policies.compiled import scoring_of
from ledger.application.policies.problems import Code
from ledger.events.notation import share
from ledger.events.policy_document import PolicyDocument
from ledger.kernel.quotas import source_bound
from ledger.kernel.scoring import SignalRule
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


def bound_warnings(rule: SignalRule) -> Iterator[tuple[str, Code, str, str]]:
    """Yield field, code, message and remedy of what leaves a quota for sources without effect."""
    if rule.source_cap is None:
        return
    bound = source_bound(rule)
    if rule.sources_needed < 2:
        yield (
            "source_cap",
            "SOURCE_CAP_IDLE",
            "limits nothing: a bucket that one source alone fills counts",
            "Set `sources_needed` to 2 or more.",
        )
    elif bound.is_sustained:
        yield (
            "sources_needed",
            "SOURCE_ALONE_SUSTAINS",
            f"one of {rule.sources_needed} sources alone can make the signal sustained",
            "Ask for more sources, or set `breach` above the share of one.",
        )
