"""Whether a ledger has what a policy reads: its signals, sources, and persons who can approve.

The linter says all of it with places. The auditor asks the same of a ledger as it was then.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ledger.events.notation import counted
from ledger.events.policy_document import ApprovalPart, PolicyDocument, SignalRulePart
from ledger.events.values import parse_decimal
from ledger.governance.requirements import AbleToApprove
from ledger.rules.policy_findings import PolicyFinding


def unsound_signals(
    document: PolicyDocument, directions: Mapping[str, str]
) -> Iterator[PolicyFinding]:
    """Yield signals that are not defined, and limits that run against a definition.

    `directions` has the direction of every signal that is defined.
    """
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        direction = directions.get(rule.signal)
        if direction is None:
            yield _unknown(f"{path}.signal", rule.signal, directions)
        elif runs_against(rule, direction):
            message = (
                f"critical {rule.critical} against baseline {rule.baseline} contradicts the "
                f"signal's definition, by which {direction.replace('_', ' ')}"
            )
            remedy = "Swap the two, or define the signal again."
            yield PolicyFinding(f"{path}.critical", "THRESHOLD_SIDE", message, remedy)
    planning = document.planning
    if planning is not None and planning.loss_signal not in directions:
        yield _unknown("planning.loss_signal", planning.loss_signal, directions)


def runs_against(rule: SignalRulePart, direction: str) -> bool:
    """Return whether a rule's critical lies on the healthy side of its baseline."""
    is_higher_worse = parse_decimal(rule.critical) > parse_decimal(rule.baseline)
    return is_higher_worse != (direction == "higher_is_worse")


def _unknown(path: str, name: str, known: Collection[str]) -> PolicyFinding:
    message = f"the ledger knows no signal {name!r}"
    remedy = f"Otherwise define it first: `signal define {name}`."
    return PolicyFinding(path, "SIGNAL_UNKNOWN", message, remedy, near=(name, tuple(known)))


# ---- sources -------------------------------------------------------------------------------------


def several_sources(document: PolicyDocument) -> list[SignalRulePart]:
    """Return how each signal counts that takes several sources."""
    return [rule for rule in document.scoring.signals if rule.sources_needed > 1]


def unsound_sources(
    document: PolicyDocument, sources: Mapping[str, int], where: str
) -> Iterator[PolicyFinding]:
    """Yield signals that need more sources to agree than there are; `where` says of which."""
    for index, rule in enumerate(document.scoring.signals):
        found, needed = sources.get(rule.signal, 0), rule.sources_needed
        if needed > 1 and found < needed:
            has = f"{rule.signal} has {counted(found, 'source')} {where}"
            remedy = "The signal can never be sustained: ask for fewer, or have more report it."
            path = f"scoring.signals[{index}].sources_needed"
            message = f"needs {needed} sources and {has}"
            yield PolicyFinding(path, "SOURCES_TOO_FEW", message, remedy)


# ---- approvals -----------------------------------------------------------------------------------


def asks_approvals(document: PolicyDocument) -> bool:
    """Return whether a policy asks for approvals of anything."""
    parts = (getattr(document, "governance", None), getattr(document, "jobs", None))
    return any(part is not None and part.approvals for part in parts)


def unsound_approvals(
    document: PolicyDocument, able: AbleToApprove, authors: frozenset[str]
) -> Iterator[PolicyFinding]:
    """Yield approvals that the persons of the ledger cannot give, each approving once.

    `authors` are the persons who may draft. Only what is certain: the author of the next version
    approves none, and each person who may draft it could be that author.
    """
    governance, jobs = getattr(document, "governance", None), getattr(document, "jobs", None)
    none_out = [frozenset[str]()]
    if governance is not None:
        drafting = [frozenset({person}) for person in authors] or none_out
        yield from _unsound("governance.approvals", governance.approvals, able.policies, drafting)
    if jobs is not None:
        yield from _unsound("jobs.approvals", jobs.approvals, able.jobs, none_out)


def unsound_job_approvals(
    where: str, approvals: Sequence[ApprovalPart], able: AbleToApprove
) -> Iterator[PolicyFinding]:
    """Yield approvals of a job, at a path, that the persons of the ledger cannot give."""
    return _unsound(where, approvals, able.jobs, [frozenset()])


def _unsound(
    where: str,
    approvals: Sequence[ApprovalPart],
    known: Mapping[str, frozenset[str]],
    excluded: list[frozenset[str]],
) -> Iterator[PolicyFinding]:
    """Yield what cannot be given, with any of the sets of persons excluded."""
    needed, persons = 0, frozenset[str]()
    for index, one in enumerate(approvals):
        path = f"{where}[{index}]"
        needed, persons = needed + one.count, persons | known.get(one.role, frozenset())
        if one.role not in known:
            message = f"there is no role {one.role!r}"
            remedy = f"Known: {', '.join(sorted(known))}."
            near = one.role, tuple(known)
            yield PolicyFinding(f"{path}.role", "ROLE_UNKNOWN", message, remedy, near=near)
            continue
        held = known[one.role]
        left = [
            out for out in excluded if len(held - out) >= one.count and len(persons - out) >= needed
        ]
        if not left:
            few = f"{counted(len(held), 'person')} can approve as {one.role}"
            message = f"{counted(needed, 'approval')} in all, but {few}, and each approves once"
            if len(held) >= one.count and len(persons) >= needed:
                message += ", the author of the next version not at all"
            remedy = (
                "Ask for fewer, or for a role with the right to approve, or grant it to more "
                "persons; the author is none of them."
            )
            yield PolicyFinding(f"{path}.count", "APPROVERS_TOO_FEW", message, remedy)
        excluded = left or excluded
