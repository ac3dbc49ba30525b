"""The human form of a policy: YAML or JSON in human units, to the stored form and back.

`layout` is the table of names, units and defaults; `policy_schema.json` is the same as JSON
Schema. What is refused here cannot be stored at all; advice is `lint`'s. Every number goes
from its text to an integer without a float between, so one text has one digest everywhere.
"""

import hashlib
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import ValidationError

from ledger.application.policies.layout import BUCKETS_MAX, POLICY, Entry, Group, Items, Value
from ledger.application.policies.render import to_text
from ledger.application.policies.source import (
    Mapping,
    Node,
    Place,
    Scalar,
    Sequence,
    SourceError,
    read,
)
from ledger.application.policies.units import NULLS, Name, Prose, listed
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.notation import shown
from ledger.events.policy_document import DOCUMENTS, PolicyDocument
from ledger.rules.vocabulary import RULES_1

__all__ = ["Problem", "Reading", "digest", "parse", "read_policy", "refusal", "to_text"]

Severity = Literal["error", "warning"]
_TOP: Final = "$"  # the path of the document itself


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct or consider, at a path such as `scoring.signals[0].weight`."""

    path: str
    line: int
    column: int
    severity: Severity
    message: str
    remedy: str = ""


@dataclass(slots=True)
class Reading:
    """What reading a text gave: the document if nothing was wrong, and where each path is."""

    document: PolicyDocument | None = None
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    scalars: dict[str, Scalar] = field(default_factory=dict)

    def report(
        self, path: str, message: str, remedy: str = "", severity: Severity = "error"
    ) -> None:
        """Add a problem, at the place of its path."""
        self.problems.append(Problem(path, *self.place(path), severity, message, remedy))

    def place(self, path: str) -> Place:
        """Return where a path is, or the nearest part above it that was written."""
        while path and path not in self.places:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.places.get(path, self.places.get(_TOP, Place(1, 1)))


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
        remedy=first.remedy or "Correct the text; `decision-ledger policy lint` lists every fault.",
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


def read_policy(text: str) -> Reading:
    """Read a policy's text as far as possible and collect all that is wrong with it."""
    reading = Reading()
    try:
        node = read(text)
    except SourceError as error:
        reading.places[_TOP] = error.place
        reading.report(_TOP, error.message, error.remedy)
        return reading
    reading.places[_TOP] = node.place
    stored = _group(reading, POLICY, node, "")
    if not reading.problems:
        _complete(reading, stored)
    return reading


def _complete(reading: Reading, stored: dict[str, Any]) -> None:
    """Make the document of values that are sound one by one, and check them together."""
    procedure = stored["decision"]["procedure"]
    for index, rule in enumerate(stored["scoring"]["signals"]):
        _time_reports(reading, rule, procedure, f"scoring.signals[{index}].reports_every")
    try:
        document = DOCUMENTS[procedure].model_validate(stored)
    except ValidationError as error:  # the layout allows what the stored form does not: our mistake
        for fault in error.errors(include_url=False):
            reading.report(".".join(str(part) for part in fault["loc"]), fault["msg"])
        return
    _check_signals(reading, document)
    if not reading.problems:
        reading.document = document


def _time_reports(reading: Reading, rule: dict[str, Any], procedure: str, path: str) -> None:
    """Complete how often a signal is reported: a bucket, if it was left out; none by `rules/1`."""
    every = rule.pop("reports_every_seconds")
    if procedure != RULES_1:
        rule["reports_every_seconds"] = every or rule["bucket_seconds"]
    elif every is not None:
        message = "means nothing under the procedure rules/1, which shows it to no rule"
        reading.report(path, message, "Leave it out, or decide by rules/2.")


def _check_signals(reading: Reading, document: PolicyDocument) -> None:
    """Report what `docs/spec/kernel_v1.md` excludes and no single value shows."""
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        if rule.baseline == rule.critical:
            message = f"critical equals the baseline, {rule.baseline}"
            reading.report(f"{path}.critical", message, "Say at which value it is at its worst.")
        buckets, rest = divmod(rule.window_seconds, rule.bucket_seconds)
        if rest or buckets == 0:
            message = "the window is not a whole number of buckets"
            reading.report(f"{path}.window", message, "Make it a multiple of `bucket`.")
        elif buckets > BUCKETS_MAX:
            message = f"the window has {buckets} buckets; at most {BUCKETS_MAX} are kept"
            reading.report(f"{path}.window", message, "Shorten it, or lengthen `bucket`.")


# ---- reading -------------------------------------------------------------------------------------


def _group(reading: Reading, group: Group, node: Node | None, path: str) -> dict[str, Any]:
    """Return the stored values of a mapping; None means one that was left out."""
    if node is not None and not isinstance(node, Mapping):
        reading.report(path or _TOP, f"expected a mapping with {_names(group.entries)}")
        return {}
    written = {key.text: (key, value) for key, value in node.entries} if node else {}
    _report_unknown(reading, group.entries, node, path)
    stored: dict[str, Any] = {}
    for entry in group.entries:
        here = f"{path}.{entry.name}" if path else entry.name
        key, value = written.get(entry.name, (None, None))
        if key is not None and value is not None:
            reading.places[here] = value.place if _is_written(value) else key.place
        if value is not None and _is_null(value, entry):
            value = None
        if isinstance(entry, Value):
            stored[entry.stored] = _value(reading, entry, value, here)
        elif isinstance(entry, Items):
            stored[entry.name] = _items(reading, entry, value, here)
        elif entry.prefix:
            inner = _group(reading, entry, value, here)
            stored |= {f"{entry.prefix}{name}": item for name, item in inner.items()}
        else:
            is_absent = value is None and entry.is_nullable
            stored[entry.name] = None if is_absent else _group(reading, entry, value, here)
    return stored


def _is_written(node: Node) -> bool:
    return not isinstance(node, Scalar) or bool(node.text) or not node.is_plain


def _is_null(node: Node, entry: Entry) -> bool:
    """Say whether a written value means the same as one left out."""
    if not isinstance(node, Scalar) or not node.is_plain:
        return False
    may_be_none = not isinstance(entry, Value) or entry.is_nullable
    return node.text in NULLS or (may_be_none and node.text == "none")


def _report_unknown(
    reading: Reading, entries: tuple[Entry, ...], node: Mapping | None, path: str
) -> None:
    names = [entry.name for entry in entries]
    for key, _ in node.entries if node else ():
        if key.text in names:
            continue
        here = f"{path}.{key.text[:40]}" if path else key.text[:40]
        reading.places[here] = key.place
        close = get_close_matches(key.text[:40], names, 1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        reading.report(
            here, f"{shown(key.text)} is not known here", f"{meant}Known: {', '.join(names)}."
        )


def _value(reading: Reading, entry: Value, node: Node | None, path: str) -> object:
    """Return one stored value, or report why there is none."""
    if node is None:
        if entry.default is not None:
            return entry.kind.read(entry.default)
        if not entry.is_nullable:
            reading.report(path, "is missing", entry.meaning)
        return None
    if not isinstance(node, Scalar):
        reading.report(path, "expected a single value, not a list or mapping", entry.meaning)
        return None
    reading.scalars[path] = node
    is_text = isinstance(entry.kind, Prose | Name)
    text = node.text if is_text else node.text.strip()
    try:
        return entry.kind.read(text)
    except ValueError as error:
        reading.report(path, str(error), entry.meaning)
        return None


def _items(reading: Reading, entry: Items, node: Node | None, path: str) -> list[dict[str, Any]]:
    """Return the stored form of a list of mappings; report wrong numbers and names used twice."""
    if node is not None and not isinstance(node, Sequence):
        reading.report(path, f"expected a list of mappings with {_names(entry.entries)}")
        return []
    nodes = node.items if node else ()
    if not entry.minimum <= len(nodes) <= entry.maximum:
        bounds = f"{entry.minimum} to {entry.maximum}"
        reading.report(path, f"has {len(nodes)} entries; expected {bounds}", entry.meaning)
        return []
    stored = []
    seen: dict[str, int] = {}
    item = Group(entry.name, entry.entries, entry.meaning)
    for index, each in enumerate(nodes):
        here = f"{path}[{index}]"
        reading.places[here] = each.place
        values = _group(reading, item, each, here)
        stored.append(values)
        name = values.get(entry.key)
        if name is None:
            continue
        if name in seen:
            message = f"{shown(name)} is there twice; it is first at {path}[{seen[name]}]"
            reading.report(f"{here}.{entry.key}", message, "Keep one of the two.")
        seen.setdefault(name, index)
    return stored


def _names(entries: tuple[Entry, ...]) -> str:
    return listed([entry.name for entry in entries])
