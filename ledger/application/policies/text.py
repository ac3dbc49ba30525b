"""The human form of a policy: YAML or JSON in human units, to the stored form and back.

`authoring` has the names, units and defaults; `policy_schema.json` is the same as JSON Schema. What
is refused here cannot be stored at all; advice is `lint`'s. Every number goes from its text to an
integer without a float between, so one text has one digest everywhere.
"""

import hashlib
import re
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ledger.application.names import did_you_mean
from ledger.application.policies.authoring import (
    POLICY_1,
    Authored,
    AuthoredPolicy,
    keys_of,
    part_of,
    unit_of,
)
from ledger.application.policies.problems import Code, Problem, Severity
from ledger.application.policies.render import to_text
from ledger.application.policies.source import (
    Node,
    Scalar,
    Sequence,
    SourceError,
    SourceLocation,
    read,
)
from ledger.application.policies.units import RefusedValueError
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.notation import shown
from ledger.events.policy_document import PolicyDocument
from ledger.kernel.scoring import KERNEL_1
from ledger.limits import WINDOW_BUCKETS_MAX
from ledger.rules.vocabulary import RULES_1

__all__ = ["PolicyReading", "digest", "parse", "read_policy", "refusal", "to_text"]

_TOP: Final = "$"  # the path of the document itself
_KEYS: Final = keys_of(AuthoredPolicy)
_FORM: Final = "`decision-ledger policy init` writes a whole policy to begin from."
_IN_LIST: Final = re.compile(r"(.+)\[([0-9]+)\]\.([a-z]+)", re.ASCII)


@dataclass(slots=True)
class PolicyReading:
    """The result of reading a text: the document if it has no fault, and where each path is."""

    document: PolicyDocument | None = None
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, SourceLocation] = field(default_factory=dict)
    keys: dict[str, SourceLocation] = field(default_factory=dict)
    """Where the key of each path is; `places` has its value."""
    scalars: dict[str, Scalar] = field(default_factory=dict)

    def report(
        self, path: str, code: Code, message: str, remedy: str, severity: Severity = "error"
    ) -> None:
        """Add a problem, at the place of its path."""
        self.problems.append(Problem(path, *self.place(path), severity, code, message, remedy))

    def place(self, path: str) -> SourceLocation:
        """Return where a path is, or the nearest part above it that was written."""
        while path and path not in self.places:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.places.get(path, self.places.get(_TOP, SourceLocation(1, 1)))


def parse(text: str) -> PolicyDocument:
    """Return the stored form of a policy's text; POLICY_INVALID names every fault and its place."""
    reading = read_policy(text)
    if reading.document is None:
        raise refusal(reading.problems)
    return reading.document


def digest(document: PolicyDocument) -> str:
    """Return the SHA-256 of the document's canonical JSON, in hex: the policy's identity."""
    return hashlib.sha256(encode(document.model_dump(mode="json"))).hexdigest()


def refusal(problems: Seq[Problem], within: str = "") -> LedgerError:
    """Return POLICY_INVALID for what is wrong with a text; there must be an error among it.

    `within` is the field of the request that holds the text, where several do.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    what = f"The policy in {within}" if within else "The policy"
    where = f"line {first.line}, column {first.column}"
    subject = "" if first.path == _TOP else f"{first.path}: "
    return LedgerError(
        Reason.POLICY_INVALID,
        f"{what} is refused: {where}: {subject}{first.message}{more}.",
        remedy=first.remedy,
        violations=[
            FieldViolation(
                f"{within}.{each.path}" if within else each.path,
                f"line {each.line}, column {each.column}: {each.message}",
            )
            for each in errors
        ],
        metadata={
            "path": first.path,
            "line": str(first.line),
            "column": str(first.column),
            "errors": str(len(errors)),
        },
    )


def read_policy(text: str) -> PolicyReading:
    """Read a policy's text as far as possible and collect all that is wrong with it."""
    reading = PolicyReading()
    try:
        node = read(text)
    except SourceError as error:
        reading.places[_TOP] = error.place
        reading.report(_TOP, error.code, error.message, error.remedy)
        return reading
    reading.places[_TOP] = node.place
    _locate(reading, node, "")
    try:
        policy = AuthoredPolicy.model_validate(node)
    except ValidationError as error:
        _report_faults(reading, error)
    _report_twice(reading)
    if not reading.problems:
        _complete(reading, policy)
    reading.problems.sort(key=lambda each: each.order)
    return reading


def _complete(reading: PolicyReading, policy: AuthoredPolicy) -> None:
    """Check values that are sound one by one together, and make the document of them."""
    _check_signals(reading, policy)
    _check_format(reading, policy)
    if reading.problems:
        return
    try:
        reading.document = policy.document()
    except ValidationError as error:  # such as a condition that is too long in parts per million
        for fault in error.errors(include_url=False):
            remedy = "Split the condition into several rules, or shorten the text."
            reading.report(_path(fault["loc"]), "TEXT_LENGTH", fault["msg"], remedy)


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
    for index, tier in enumerate(policy.tiers):
        if tier.next is not None:
            message = f"{POLICY_1} has no tier after a tier"
            reading.report(f"tiers[{index}].next", "FORMAT_LACKS", message, remedy)


# ---- places and faults ---------------------------------------------------------------------------


def _locate(reading: PolicyReading, node: Node, path: str) -> None:
    """Note where everything below a node is, by its path."""
    if isinstance(node, Scalar):
        reading.scalars[path] = node
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            here = f"{path}[{index}]"
            reading.places[here] = item.place
            _locate(reading, item, here)
    else:
        for key, value in node.entries:
            here = f"{path}.{key.text}" if path else key.text
            is_written = not isinstance(value, Scalar) or value.text or not value.is_plain
            reading.places[here] = value.place if is_written else key.place
            reading.keys[here] = key.place
            _locate(reading, value, here)


def _report_faults(reading: PolicyReading, error: ValidationError) -> None:
    """Report what the model of a policy's text refuses."""
    for fault in error.errors(include_url=False, include_input=False):
        location = fault["loc"]
        model, found = _described(location)
        if fault["type"] == "extra_forbidden":
            _report_unknown(reading, location, list(model.model_fields))
            continue
        meaning = (found.description if found else None) or _FORM
        path = _path(location) or _TOP
        if fault["type"] == "missing":
            reading.report(path, "VALUE_MISSING", "is missing", f"Write it: {meaning}")
            continue
        error_of = fault["ctx"]["error"]
        reading.report(path, _code(error_of, found), str(error_of), meaning)


def _code(error: Exception, found: FieldInfo | None) -> Code:
    """Return the code of what the model of a text refuses: the error's own, else its unit's."""
    if isinstance(error, RefusedValueError):
        return error.code
    unit = unit_of(found) if found is not None else None
    return unit.CODE if unit is not None else "VALUE_TYPE"


def _path(location: Seq[str | int]) -> str:
    """Return pydantic's location as people write it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _described(location: Seq[str | int]) -> tuple[type[Authored], FieldInfo | None]:
    """Return the model of the mapping that a location is in, and the field there if it has one."""
    model: type[Authored] = AuthoredPolicy
    inner, found = model, None
    for name in location:
        if isinstance(name, str):
            model, found = inner, inner.model_fields.get(name)
            inner = (part_of(found) if found else None) or inner
    return model, found


def _report_unknown(reading: PolicyReading, location: Seq[str | int], known: list[str]) -> None:
    name = str(location[-1])
    path = _path([*location[:-1], name[:40]])
    reading.places[path] = reading.keys[_path(location)]
    remedy = f"{did_you_mean(name[:40], known)}Known: {', '.join(known)}."
    reading.report(path, "KEY_UNKNOWN", f"{shown(name)} is not known here", remedy)


def _report_twice(reading: PolicyReading) -> None:
    """Report names used twice in a list whose entries they tell apart."""
    faulty = {problem.path for problem in reading.problems}
    first: dict[tuple[str, str], str] = {}
    for path, scalar in reading.scalars.items():
        found = _IN_LIST.fullmatch(path)
        if found is None or _KEYS.get(found[1]) != found[3] or path in faulty:
            continue
        entry = first.setdefault((found[1], scalar.text), f"{found[1]}[{found[2]}]")
        if not path.startswith(f"{entry}."):
            message = f"{shown(scalar.text)} is there twice; it is first at {entry}"
            reading.report(path, "NAME_TWICE", message, "Keep one of the two, or rename it.")
