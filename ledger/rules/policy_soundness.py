"""Whether a policy can do what it is for: numbers, rules, tiers and criteria that fit together.

The linter says all of it with places, and the auditor holds recorded policies to the same. All
of it follows from the document alone; `ledger.rules.policy_grounds` asks what the ledger has.
"""

from collections.abc import Iterator

from ledger.events.notation import listed
from ledger.events.policy_document import (
    NO_TIER,
    CappedSignalRulePart,
    JobsPart,
    PolicyDocument,
    SignalRulePart,
)
from ledger.kernel.quotas import source_bound
from ledger.kernel.scoring import Scoring, SignalRule
from ledger.rules.expression_tree import ExpressionNode
from ledger.rules.expressions import ExpressionError, offset_of
from ledger.rules.failing import failing_part
from ledger.rules.gates import check_criterion, reads_of
from ledger.rules.policy_findings import PolicyFinding
from ledger.rules.recipe_soundness import JUDGED
from ledger.rules.rule_soundness import unsound_rules
from ledger.rules.span_soundness import unsound_spans

_FORM = (
    'A criterion compares whole numbers that executors report: metrics["missing"] <= 20000 && '
    'samples["rows"] >= 500; also champion, candidate, cost_micros and attempt.'
)


def unsound_policy(document: PolicyDocument, scoring: Scoring) -> Iterator[PolicyFinding]:
    """Yield all that is wrong with a document; `scoring` is its scoring part for the kernels."""
    signals = document.scoring.signals
    yield from unsound_rules(document.decision, [rule.signal for rule in signals])
    for index, rule in enumerate(signals):
        yield from _unsound_signal(f"scoring.signals[{index}]", rule)
    places = {rule.signal: f"scoring.signals[{index}]" for index, rule in enumerate(signals)}
    for bounded in scoring.signals:
        yield from _unsound_bound(places[bounded.signal], bounded)
    yield from unsound_spans(document)
    yield from _unsound_numbers(document)
    yield from _unsound_tiers(document)
    yield from _unsound_jobs(getattr(document, "jobs", None))
    yield from _twice(document)
    yield from _unexplained(document)


def _unsound_signal(path: str, rule: SignalRulePart) -> Iterator[PolicyFinding]:
    buckets = rule.window_seconds // rule.bucket_seconds
    if rule.min_buckets > buckets:
        message = f"needs {rule.min_buckets} buckets and the window has {buckets}"
        remedy = "The signal can never be sustained: lower it or lengthen the window."
        yield PolicyFinding(f"{path}.min_buckets", "MIN_BUCKETS_BEYOND_WINDOW", message, remedy)
    if rule.breach_ppm == 0:
        message = "at 0 every bucket is a breach"
        remedy = "Set the severity that counts as a breach."
        yield PolicyFinding(f"{path}.breach", "BREACH_ZERO", message, remedy)
    if rule.sustain_ppm == 0:
        message = "at 0 the signal is sustained without a breach"
        remedy = "Set the share of buckets that must be breaches."
        yield PolicyFinding(f"{path}.sustain", "SUSTAIN_ZERO", message, remedy)


def _unsound_bound(path: str, rule: SignalRule) -> Iterator[PolicyFinding]:
    """Yield what leaves a quota for sources without effect."""
    if rule.source_cap is None:
        return
    if rule.sources_needed < 2:
        message = "limits nothing: a bucket that one source alone fills counts"
        remedy = "Set `sources_needed` to 2 or more."
        yield PolicyFinding(f"{path}.source_cap", "SOURCE_CAP_IDLE", message, remedy)
    elif source_bound(rule).is_sustained:
        message = f"one of {rule.sources_needed} sources alone can make the signal sustained"
        remedy = "Ask for more sources, or set `breach` above the share of one."
        yield PolicyFinding(f"{path}.sources_needed", "SOURCE_ALONE_SUSTAINS", message, remedy)


def _unsound_numbers(document: PolicyDocument) -> Iterator[PolicyFinding]:
    if document.decision.max_priority_step == 0:
        message = "at 0% a model keeps its first priority for good"
        remedy = "Use `none` for no bound, or the most that one score may move it."
        yield PolicyFinding("decision.max_priority_step", "PRIORITY_NEVER_MOVES", message, remedy)
    if getattr(document.planning, "season_periods", 0) == 1:
        message = "a year of one period has no seasons"
        remedy = "Write the periods of a year, such as 52, or 0 where there is no yearly round."
        yield PolicyFinding("planning.season_periods", "SEASON_TOO_SHORT", message, remedy)


# ---- tiers ---------------------------------------------------------------------------------------


def _unsound_tiers(document: PolicyDocument) -> Iterator[PolicyFinding]:
    """Yield each tier that is used and not declared, or that leads back to itself."""
    declared = [tier.name for tier in document.tiers]
    for path, tier in tiers_used(document):
        if tier not in {*declared, NO_TIER, ""}:
            remedy = "Add it to `tiers`, with whom it reaches and how soon."
            message = f"the tier {tier!r} is not declared"
            yield PolicyFinding(path, "TIER_UNDECLARED", message, remedy)
    following = {one.name: getattr(one, "next", NO_TIER) for one in document.tiers}
    for index, name in enumerate(declared):
        seen, tier = [name], following[name]
        while tier in following and tier not in seen:
            seen.append(tier)
            tier = following[tier]
        if tier == name:
            way = " to ".join([*seen, name])
            remedy = "Let the last tier have no `next`."
            path = f"tiers[{index}].next"
            yield PolicyFinding(path, "TIER_CYCLE", f"leads back to itself: {way}", remedy)


def tiers_used(document: PolicyDocument) -> Iterator[tuple[str, str]]:
    """Yield the path and name of every tier that a decision can carry."""
    decision = document.decision
    for index, rule in enumerate(decision.rules):
        yield f"decision.rules[{index}].tier", rule.tier
    yield "decision.otherwise.tier", decision.otherwise_tier
    yield "decision.error_tier", decision.error_tier
    for index, one in enumerate(document.tiers):
        yield f"tiers[{index}].next", getattr(one, "next", NO_TIER)


# ---- jobs and names ------------------------------------------------------------------------------


def _unsound_jobs(asked: JobsPart | None) -> Iterator[PolicyFinding]:
    """Yield criteria at a gate that is not judged by any, and what no report can be judged by."""
    for index, one in enumerate(() if asked is None else asked.criteria):
        path = f"jobs.criteria[{index}]"
        if one.gate not in JUDGED:
            message = f"nothing is measured at the gate {one.gate}"
            remedy = f"Move it to one of {listed(sorted(JUDGED))}."
            yield PolicyFinding(f"{path}.gate", "CRITERION_MISPLACED", message, remedy)
        try:
            tree = check_criterion(one.when).tree
        except ExpressionError as error:
            at = offset_of(one.when, error.line, error.column)
            yield PolicyFinding(f"{path}.when", "EXPRESSION_INVALID", error.message, _FORM, at)
        else:
            yield from _unsound_criterion(f"{path}.when", tree)


def _unsound_criterion(path: str, tree: ExpressionNode) -> Iterator[PolicyFinding]:
    if not reads_of(tree):
        message = "reads no number, so every report has the same answer"
        remedy = "Compare a metric or a sample size with its limit."
        yield PolicyFinding(path, "CRITERION_CONSTANT", message, remedy)
    elif failing := failing_part(tree):
        remedy = "Compare the numbers with limits: a criterion that fails is never met."
        yield PolicyFinding(path, "CONDITION_FAILS", failing[1], remedy, failing[0].offset)


def _twice(document: PolicyDocument) -> Iterator[PolicyFinding]:
    """Yield names that tell the entries of a list apart and are there twice."""
    governance, jobs = getattr(document, "governance", None), getattr(document, "jobs", None)
    lists: list[tuple[str, list[str]]] = [("tiers.name", [one.name for one in document.tiers])]
    if governance is not None:
        lists.append(("governance.approvals.role", [one.role for one in governance.approvals]))
    if jobs is not None:
        lists.append(("jobs.approvals.role", [one.role for one in jobs.approvals]))
        lists.append(("jobs.criteria.name", [one.name for one in jobs.criteria]))
    for where, names in lists:
        whole, _, field = where.rpartition(".")
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"{name!r} is there twice"
                remedy = "Keep one of the two, or rename it."
                yield PolicyFinding(f"{whole}[{index}].{field}", "NAME_TWICE", message, remedy)


# ---- rationales ----------------------------------------------------------------------------------

_OF_SIGNAL = {
    "weight": "Say why it counts this much beside the others",
    "thresholds": "Say why its baseline, critical, breach and sustain lie where they do",
}


def _unexplained(document: PolicyDocument) -> Iterator[PolicyFinding]:
    """Yield each weight, threshold, rule and criterion without its rationale, and the whole."""
    if not document.rationale.strip():
        remedy = "Say what it is to achieve."
        yield _missing("rationale", "the policy has no rationale", remedy)
    for index, rule in enumerate(document.scoring.signals):
        yield from _unexplained_signal(f"scoring.signals[{index}]", rule)
    for index, each in enumerate(document.decision.rules):
        if not each.rationale.strip():
            message = f"rule {each.id!r} has no rationale"
            yield _missing(f"decision.rules[{index}]", message, "Say what the rule is for.")
    jobs: JobsPart | None = getattr(document, "jobs", None)
    for index, one in enumerate(() if jobs is None else jobs.criteria):
        if not one.rationale.strip():
            message = f"criterion {one.name!r} has no rationale"
            yield _missing(f"jobs.criteria[{index}]", message, "Say why this limit.")


def _unexplained_signal(path: str, rule: SignalRulePart) -> Iterator[PolicyFinding]:
    if not isinstance(rule, CappedSignalRulePart):
        if not rule.rationale.strip():
            message = f"signal {rule.signal!r} has no rationale"
            yield _missing(path, message, "Say why it has this weight and these limits.")
        return
    for name, why in _OF_SIGNAL.items():
        if not getattr(rule.rationale, name).strip():
            message = f"signal {rule.signal!r} has no rationale for its {name}"
            remedy = f"{why}: `rationale: {{weight: WHY, thresholds: WHY}}`."
            yield _missing(f"{path}.rationale.{name}", message, remedy)


def _missing(path: str, message: str, remedy: str) -> PolicyFinding:
    return PolicyFinding(path, "RATIONALE_MISSING", message, remedy)
