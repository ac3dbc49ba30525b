"""A document's text read into the model of its form: every fault with its place, and the places.

A value that is refused here cannot be stored at all; advice is for the linter of each kind.
"""

import re
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ledger.application.documents.authored import (
    Authored,
    item_unit_of,
    keys_of,
    part_of,
    unit_of,
)
from ledger.application.documents.problems import Problem, Severity
from ledger.application.documents.source import (
    Node,
    Scalar,
    Sequence,
    SourceError,
    SourceLocation,
    read,
)
from ledger.application.documents.units import RefusedValueError
from ledger.application.names import did_you_mean
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events.notation import shown

D = TypeVar("D")
A = TypeVar("A", bound=Authored)

TOP: Final = "$"
"""The path of the document itself."""
_IN_LIST: Final = re.compile(r"(.+)\[([0-9]+)\]\.([a-z]+)", re.ASCII)
_INDEX: Final = re.compile(r"\[[0-9]+\]", re.ASCII)


@dataclass(slots=True)
class DocumentReading(Generic[D]):
    """The result of reading a text: the document if it has no fault, and where each path is."""

    document: D | None = None
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, SourceLocation] = field(default_factory=dict)
    keys: dict[str, SourceLocation] = field(default_factory=dict)
    """Where the key of each path is; `places` has its value."""
    scalars: dict[str, Scalar] = field(default_factory=dict)

    def report(
        self,
        path: str,
        code: str,
        message: str,
        remedy: str,
        severity: Severity = "error",
        *,
        at: SourceLocation | None = None,
    ) -> None:
        """Add a problem, at the place of its path, or where it is within that."""
        place = self.place(path) if at is None else at
        self.problems.append(Problem(path, *place, severity, code, message, remedy))

    def place(self, path: str) -> SourceLocation:
        """Return where a path is, or the nearest part above it that was written."""
        while path and path not in self.places:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return self.places.get(path, self.places.get(TOP, SourceLocation(1, 1)))


def refusal(problems: Seq[Problem], within: str = "", *, noun: str, reason: Reason) -> LedgerError:
    """Return the refusal of a text for what is wrong with it; there must be an error among it.

    `within` is the field of the request that holds the text, where several do.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    what = f"The {noun} in {within}" if within else f"The {noun}"
    where = f"line {first.line}, column {first.column}"
    subject = "" if first.path == TOP else f"{first.path}: "
    return LedgerError(
        reason,
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


def read_into(reading: DocumentReading[D], text: str, model: type[A], form: str) -> A | None:
    """Read a text as far as possible, note its places and all that is wrong with single values.

    None where anything is. `form` is the remedy of a value whose field has no meaning written.
    """
    try:
        node = read(text)
    except SourceError as error:
        reading.places[TOP] = error.place
        reading.report(TOP, error.code, error.message, error.remedy)
        return None
    reading.places[TOP] = node.place
    _locate(reading, node, "")
    found: A | None = None
    try:
        found = model.model_validate(node)
    except ValidationError as error:
        _report_faults(reading, error, model, form)
    _report_twice(reading, keys_of(model))
    return None if reading.problems else found


def path_of(location: Seq[str | int]) -> str:
    """Return pydantic's location as people write it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def _locate(reading: DocumentReading[D], node: Node, path: str) -> None:
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


def _report_faults(
    reading: DocumentReading[D], error: ValidationError, top: type[Authored], form: str
) -> None:
    """Report what the model of a document's text refuses."""
    for fault in error.errors(include_url=False, include_input=False):
        location = fault["loc"]
        model, found = _described(top, location)
        if fault["type"] == "extra_forbidden":
            _report_unknown(reading, location, list(model.model_fields))
            continue
        meaning = (found.description if found else None) or form
        path = path_of(location) or TOP
        if fault["type"] == "missing":
            reading.report(path, "VALUE_MISSING", "is missing", f"Write it: {meaning}")
            continue
        error_of = fault["ctx"]["error"]
        reading.report(path, _code(error_of, found), str(error_of), meaning)


def _code(error: Exception, found: FieldInfo | None) -> str:
    """Return the code of what the model of a text refuses: the error's own, else its unit's."""
    if isinstance(error, RefusedValueError):
        return error.code
    unit = (unit_of(found) or item_unit_of(found)) if found is not None else None
    return unit.CODE if unit is not None else "VALUE_TYPE"


def _described(
    top: type[Authored], location: Seq[str | int]
) -> tuple[type[Authored], FieldInfo | None]:
    """Return the model of the mapping that a location is in, and the field there if it has one."""
    model = top
    inner, found = model, None
    for name in location:
        if isinstance(name, str):
            model, found = inner, inner.model_fields.get(name)
            inner = (part_of(found) if found else None) or inner
    return model, found


def _report_unknown(
    reading: DocumentReading[D], location: Seq[str | int], known: list[str]
) -> None:
    name = str(location[-1])
    path = path_of([*location[:-1], name[:40]])
    reading.places[path] = reading.keys[path_of(location)]
    remedy = f"{did_you_mean(name[:40], known)}Known: {', '.join(known)}."
    reading.report(path, "KEY_UNKNOWN", f"{shown(name)} is not known here", remedy)


def _report_twice(reading: DocumentReading[D], keys: Mapping[str, str]) -> None:
    """Report names used twice in a list whose entries they tell apart."""
    faulty = {problem.path for problem in reading.problems}
    first: dict[tuple[str, str], str] = {}
    for path, scalar in reading.scalars.items():
        found = _IN_LIST.fullmatch(path)
        if found is None or keys.get(_INDEX.sub("", found[1])) != found[3] or path in faulty:
            continue
        entry = first.setdefault((found[1], scalar.text), f"{found[1]}[{found[2]}]")
        if not path.startswith(f"{entry}."):
            message = f"{shown(scalar.text)} is there twice; it is first at {entry}"
            reading.report(path, "NAME_TWICE", message, "Keep one of the two, or rename it.")
