"""The human form of a policy: YAML or JSON in human units, to the stored form and back.

`authoring` has the names, units and defaults; `policy_schema.json` is the same as JSON Schema. What
is refused here cannot be stored at all; advice is `lint`'s. Every number goes from its text to an
integer without a float between, so one text has one digest everywhere.
"""

import hashlib
from collections.abc import Sequence as Seq
from typing import Final

from pydantic import ValidationError

from ledger.application.documents import reading as documents
from ledger.application.documents.problems import Problem
from ledger.application.documents.reading import DocumentReading, path_of, read_into
from ledger.application.documents.render import written
from ledger.application.policies.authored_planning import REUSING, AuthoredPlanning
from ledger.application.policies.authoring import POLICY_1, AuthoredPolicy
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.policy_document import Format, PolicyDocument
from ledger.kernel.excess import PLANNER_1
from ledger.kernel.scoring import KERNEL_1
from ledger.limits import WINDOW_BUCKETS_MAX
from ledger.rules.vocabulary import RULES_1

__all__ = ["PolicyReading", "digest", "parse", "read_policy", "refusal", "to_text"]

_FORM: Final = "`decision-ledger policy init` writes a whole policy to begin from."

PolicyReading = DocumentReading[PolicyDocument]
"""The result of reading a policy's text."""


def parse(text: str) -> PolicyDocument:
    """Return the stored form of a policy's text; POLICY_INVALID names every fault and its place."""
    reading = read_policy(text)
    if reading.document is None:
        raise refusal(reading.problems)
    return reading.document


def to_text(document: PolicyDocument) -> str:
    """Return the policy as YAML with every value stated; `parse` gives an equal document."""
    return written(AuthoredPolicy, document.model_dump(mode="json"))


def digest(document: PolicyDocument) -> str:
    """Return the SHA-256 of the document's canonical JSON, in hex: the policy's identity."""
    return hashlib.sha256(encode(document.model_dump(mode="json"))).hexdigest()


def refusal(problems: Seq[Problem], within: str = "") -> LedgerError:
    """Return POLICY_INVALID for what is wrong with a text; there must be an error among it."""
    return documents.refusal(problems, within, noun="policy", reason=Reason.POLICY_INVALID)


def read_policy(text: str) -> PolicyReading:
    """Read a policy's text as far as possible and collect all that is wrong with it."""
    reading = PolicyReading()
    policy = read_into(reading, text, AuthoredPolicy, _FORM)
    if policy is not None:
        _complete(reading, policy)
    reading.problems.sort(key=lambda each: each.order)
    return reading


def _complete(reading: PolicyReading, policy: AuthoredPolicy) -> None:
    """Check values that are sound one by one together, and make the document of them."""
    _check_signals(reading, policy)
    _check_format(reading, policy)
    if policy.planning is not None:
        _check_planning(reading, policy.planning, policy.format)
    if reading.problems:
        return
    try:
        reading.document = policy.document()
    except ValidationError as error:  # such as a condition that is too long in parts per million
        for fault in error.errors(include_url=False):
            remedy = "Split the condition into several rules, or shorten the text."
            reading.report(path_of(fault["loc"]), "TEXT_LENGTH", fault["msg"], remedy)


def _check_signals(reading: PolicyReading, policy: AuthoredPolicy) -> None:
    """Report what the kernels' pages exclude and no single value shows."""
    for index, rule in enumerate(policy.scoring.signals):
        path = f"scoring.signals[{index}]"
        if rule.reports_every is not None and policy.decision.procedure == RULES_1:
            message = "means nothing under the procedure rules/1, which shows it to no rule"
            remedy = "Leave it out, or decide by rules/2."
            reading.report(f"{path}.reports_every", "REPORTS_EVERY_UNUSED", message, remedy)
        if rule.baseline == rule.critical:
            message = f"critical equals the baseline, {rule.baseline}"
            remedy = "Say at which value it is at its worst."
            reading.report(f"{path}.critical", "CRITICAL_EQUALS_BASELINE", message, remedy)
        if rule.source_cap is not None and policy.scoring.kernel == KERNEL_1:
            message = f"the kernel {KERNEL_1} has no quotas for sources"
            remedy = "Write `kernel: bucketed/2`."
            reading.report(f"{path}.source_cap", "SOURCE_CAP_UNUSED", message, remedy)
        buckets, rest = divmod(rule.window, rule.bucket)
        if rest or buckets == 0:
            message = "the window is not a whole number of buckets"
            remedy = "Make it a multiple of `bucket`."
            reading.report(f"{path}.window", "WINDOW_NOT_WHOLE_BUCKETS", message, remedy)
        elif buckets > WINDOW_BUCKETS_MAX:
            message = f"the window has {buckets} buckets; at most {WINDOW_BUCKETS_MAX} are kept"
            remedy = "Shorten it, or lengthen `bucket`."
            reading.report(f"{path}.window", "WINDOW_TOO_LONG", message, remedy)


def _check_format(reading: PolicyReading, policy: AuthoredPolicy) -> None:
    """Report what the format that a policy names has not."""
    if policy.format != POLICY_1:
        if policy.decision.procedure == RULES_1:
            message = f"{policy.format} decides by rules/2, not by rules/1"
            remedy = "Leave it out, or write policy/1."
            reading.report("decision.procedure", "FORMAT_PROCEDURE", message, remedy)
        return
    remedy = "Write `format: policy/2`, or leave it out."
    if policy.scoring.kernel != KERNEL_1:
        message = f"{POLICY_1} has no kernel {policy.scoring.kernel}"
        reading.report("scoring.kernel", "FORMAT_LACKS", message, remedy)
    if policy.governance is not None:
        message = f"{POLICY_1} has no governance"
        reading.report("governance", "FORMAT_LACKS", message, remedy)
    if policy.jobs is not None:
        message = f"{POLICY_1} asks nothing of jobs"
        reading.report("jobs", "FORMAT_LACKS", message, remedy)
    for index, rule in enumerate(policy.scoring.signals):
        if not isinstance(rule.rationale, str):
            message = f"{POLICY_1} has one text for weight and thresholds"
            path = f"scoring.signals[{index}].rationale"
            reading.report(path, "FORMAT_LACKS", message, remedy)
    for index, tier in enumerate(policy.tiers):
        if tier.next is not None:
            message = f"{POLICY_1} has no tier after a tier"
            reading.report(f"tiers[{index}].next", "FORMAT_LACKS", message, remedy)


def _check_planning(
    reading: PolicyReading, planning: AuthoredPlanning, policy_format: Format
) -> None:
    """Report what the planner that a policy names does not have."""
    planner = planning.planner_of(policy_format)
    if policy_format == POLICY_1 and planner != PLANNER_1:
        message = f"{POLICY_1} has no planner {planner}"
        remedy = "Write `format: policy/2`, or leave it out."
        reading.report("planning.planner", "FORMAT_LACKS", message, remedy)
    elif planner == PLANNER_1:
        for name in REUSING:
            if getattr(planning, name) is not None:
                message = f"the planner {planner} has no {name}"
                remedy = "Leave it out, or write `planner: excess/2` in a policy/2."
                reading.report(f"planning.{name}", "PLANNER_LACKS", message, remedy)
