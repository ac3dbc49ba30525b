"""Criteria of gates: checked against the environment `gates/1`, and judged over what was reported.

A criterion is a condition in the Common Expression Language over whole numbers alone: those that
its gate declares, the cost so far and the number of the attempt. It has no functions, no texts and
no way to ask whether a number is there, so an executor cannot pass a gate by leaving one out. The
judge is pure: the same report gives the same verdicts, for the service and for an auditor.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final, Never

from cel_expr_python import cel

from ledger.events.recipe_document import CriterionPart, GatePart
from ledger.rules.expression_tree import (
    ARITHMETIC,
    COMPARISONS,
    CONDITIONAL,
    CONJUNCTION,
    DISJUNCTION,
    INDEX,
    MINUS,
    NEGATION,
    ExpressionNode,
)
from ledger.rules.expressions import CompiledExpression, ExpressionError, compile_in, place_of

GATES_1: Final = "gates/1"
REPORTED: Final = ("metrics", "samples", "champion", "candidate")
"""The maps of names to whole numbers that an executor reports; `champion` is the version in
service."""
OBSERVED: Final = {
    "observed": "millionths",
    "rows": "",
    "compared": "millionths",
    "replaced": "millionths",
}
"""The maps of signals to what the ledger itself observed, each with its unit: the mean of the new
version and its rows; the means of it and of the version before on the rows of both."""
MAPS: Final = (*REPORTED, *OBSERVED)
NUMBER_MAX: Final = 9 * 10**18  # criteria compute with 64 bits
NUMBERS: Final = ("cost_micros", "attempt")
"""The single whole numbers that every criterion may read."""

_MAP: Final = "map(string, int)"
_FUNCTIONS: Final = frozenset(
    {*COMPARISONS, *ARITHMETIC, CONJUNCTION, DISJUNCTION, CONDITIONAL, INDEX, NEGATION, MINUS}
)
_MACROS: Final = ("all", "exists", "exists_one", "filter", "has", "map")

Declared = Mapping[str, Mapping[str, str]]
"""The names that a gate declares, by map, each with its unit."""


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """The report of an executor at a gate, with what the ledger itself knows."""

    metrics: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    champion: Mapping[str, int] = field(default_factory=dict)
    candidate: Mapping[str, int] = field(default_factory=dict)
    cost_micros: int = 0
    attempt: int = 1
    observed: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    compared: Mapping[str, int] = field(default_factory=dict)
    replaced: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CriterionVerdict:
    """Whether a criterion is met; `values` are those that it read, by the path that it names."""

    name: str
    is_met: bool
    values: Mapping[str, int]
    sentence: str


@dataclass(frozen=True, slots=True)
class JudgedGate:
    """The verdict on a gate: it is passed if every criterion is met."""

    criteria: tuple[CriterionVerdict, ...]

    @property
    def is_passed(self) -> bool:
        """Whether every criterion is met."""
        return all(one.is_met for one in self.criteria)

    @property
    def sentence(self) -> str:
        """The verdict in words: of those that are not met if there are any, else of all."""
        unmet = [one.sentence for one in self.criteria if not one.is_met]
        told = unmet or [one.sentence for one in self.criteria]
        return " ".join(told) or "The gate has no criteria."


def declared_by(gate: GatePart) -> Declared:
    """Return the names that criteria of a gate may read, by map, each with its unit."""
    of_run = {one.name: one.unit for one in gate.metrics if one.of == "run"}
    compared = {one.name: one.unit for one in gate.metrics if one.of == "versions"}
    samples = {one.name: "" for one in gate.samples}
    reported = {"metrics": of_run, "samples": samples, "champion": compared, "candidate": compared}
    return reported | {name: dict.fromkeys(gate.signals, unit) for name, unit in OBSERVED.items()}


def report_fault(gate: GatePart, evidence: GateEvidence) -> str:
    """Return why a report does not fit its gate; empty where it has what is declared, no more."""
    asked = declared_by(gate)
    for name in REPORTED:
        declared = asked[name]
        given: Mapping[str, int] = getattr(evidence, name)
        for missing in sorted(declared.keys() - given.keys()):
            return f'{name}["{missing}"] is asked for at the gate {gate.gate}, and is not reported'
        for undeclared in sorted(given.keys() - declared.keys()):
            return (
                f'{name}["{undeclared}"] is reported, and the gate {gate.gate} does not ask for it'
            )
    return ""


def judge(gate: GatePart, evidence: GateEvidence) -> JudgedGate:
    """Return the verdict of a gate's criteria over what was reported; never raises.

    A criterion is not met where it reads a number that is missing, or has no answer.
    """
    declared = declared_by(gate)
    return JudgedGate(tuple(_judged(one, declared, evidence) for one in gate.criteria))


def _judged(
    criterion: CriterionPart, declared: Declared, evidence: GateEvidence
) -> CriterionVerdict:
    try:
        compiled = compile_criterion(criterion.when, declared)
    except ExpressionError as error:  # no recipe that was linted has one
        sentence = f"{criterion.name} is not met: {error}."
        return CriterionVerdict(criterion.name, is_met=False, values={}, sentence=sentence)
    values: dict[str, int] = {}
    told: list[str] = []
    missing = ""
    for map_, name in reads_of(compiled.tree):
        path = f'{map_}["{name}"]' if map_ else name
        found = getattr(evidence, map_).get(name) if map_ else getattr(evidence, name)
        if found is None:
            known = "observed" if map_ in OBSERVED else "reported"
            missing = missing or f"{path} was not {known}"
            continue
        values[path] = found
        unit = declared[map_][name] if map_ else ""
        told.append(f"{path} is {found}{unit and ' ' + unit}")
    is_met, why = (False, missing) if missing else _answer(compiled, evidence)
    what = "is met" if is_met else "is not met"
    reasons = ", ".join([*filter(None, [why]), *told])
    sentence = f"{criterion.name} {what}, {_one_line(criterion.when)}{reasons and ': ' + reasons}."
    return CriterionVerdict(criterion.name, is_met, values, sentence)


def _answer(compiled: CompiledExpression, evidence: GateEvidence) -> tuple[bool, str]:
    """Return whether a criterion is true, and why it has no answer where it has none."""
    activation: dict[str, Any] = {name: dict(getattr(evidence, name)) for name in MAPS}
    activation |= {name: getattr(evidence, name) for name in NUMBERS}
    verdict = compiled.evaluate(activation)
    if verdict.is_true is None:
        return False, f"it has no answer ({verdict.error})"
    return verdict.is_true, ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---- compiled and checked ------------------------------------------------------------------------


def compile_criterion(text: str, declared: Declared) -> CompiledExpression:
    """Return a checked criterion over the names that its gate declares; raises ExpressionError."""
    names = tuple((map_, tuple(sorted(declared.get(map_, ())))) for map_ in MAPS)
    return _compile(text, names)


def check_criterion(text: str) -> CompiledExpression:
    """Return a checked criterion over any names: its gate is not known; raises ExpressionError."""
    return _compile(text, None)


@lru_cache(maxsize=1_024)
def _compile(
    text: str, names: tuple[tuple[str, tuple[str, ...]], ...] | None
) -> CompiledExpression:
    compiled = compile_in(_environment(), text, "criteria")
    known = None if names is None else dict(names)

    def refuse(node: ExpressionNode, message: str) -> Never:
        raise ExpressionError(message, *place_of(text, node.offset))

    for node, is_operand in _nodes(compiled.tree):
        if problem := _problem(node, known, is_operand=is_operand):
            refuse(node, problem)
    if compiled.tree.type != "bool":
        refuse(
            compiled.tree, f"a criterion is true or false, and this is of type {compiled.tree.type}"
        )
    return compiled


def _nodes(
    node: ExpressionNode, *, is_operand: bool = False
) -> Iterator[tuple[ExpressionNode, bool]]:
    """Yield every node, and whether it is the map or the name of a look-up."""
    yield node, is_operand
    is_lookup = _is_lookup(node)
    for part in node.parts:
        yield from _nodes(part, is_operand=is_lookup)


def _is_lookup(node: ExpressionNode) -> bool:
    is_index = node.kind == "call" and node.name == INDEX
    return (is_index or node.kind == "select") and node.parts[0].type == _MAP


def _problem(
    node: ExpressionNode, known: Mapping[str, Sequence[str]] | None, *, is_operand: bool
) -> str | None:
    """Say what is wrong with one node, if anything is."""
    if node.kind == "refused":
        return f"{node.name} is not allowed in criteria"
    if node.kind == "call" and node.name not in _FUNCTIONS:
        return f"the function {node.name} is not allowed in criteria"
    if _is_lookup(node):
        key = node.parts[1].value if node.kind == "call" else node.name
        if node.parts[0].kind != "ident" or not isinstance(key, str) or node.is_test:
            return 'a number is read as metrics["name"] with its name written out'
        map_ = node.parts[0].name
        if known is not None and key not in known[map_]:
            listed = ", ".join(known[map_]) or "none"
            return f'the gate declares nothing named {map_}["{key}"]; it has {listed}'
    if node.type in {"int", "bool"}:
        return None
    if is_operand and node.type in {_MAP, "string"}:
        return None
    return f"criteria are about whole numbers, and this is of type {node.type}"


def reads_of(tree: ExpressionNode) -> tuple[tuple[str, str], ...]:
    """Return what a criterion reads, each once: (map, name), or ("", name) of a single number."""
    found: list[tuple[str, str]] = []
    for node in tree.walk():
        if _is_lookup(node):
            key = str(node.parts[1].value) if node.kind == "call" else node.name
            found.append((node.parts[0].name, key))
        elif node.kind == "ident" and node.name in NUMBERS:
            found.append(("", node.name))
    return tuple(dict.fromkeys(found))


@cache
def _environment() -> cel.Env:
    """Return the environment that every criterion is compiled in."""
    lines = [
        "name: gates",
        "stdlib:",
        f"  exclude_macros: [{', '.join(_MACROS)}]",
        "variables:",
        *(f'  - name: {name}\n    type: "map<string,int>"' for name in MAPS),
        *(f"  - name: {name}\n    type: int" for name in NUMBERS),
    ]
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml("\n".join(lines)))
