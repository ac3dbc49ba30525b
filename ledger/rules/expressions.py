"""Expressions of rules: compiled, checked against the environment, refused with line and column.

Rules are written in the Common Expression Language over integers, booleans and strings. Features
that could make two machines disagree are refused when a policy is drafted: floating point, time,
dynamic types, regular expressions and comprehensions. So are misspelt variables, fields and
signal names, and anything too large to read. Evaluation never raises: an error value says
that there is no answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from re import compile as pattern
from typing import Any, Final, Never

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ledger.limits import EXPRESSION_CHARS_MAX
from ledger.rules.expression_tree import (
    ARITHMETIC,
    COMPARISONS,
    CONDITIONAL,
    CONJUNCTION,
    DISJUNCTION,
    INDEX,
    MEMBERSHIP,
    MINUS,
    NEGATION,
    ExpressionNode,
    decode,
    paths_of,
)
from ledger.rules.vocabulary import RULES_1, VOCABULARIES

EXPRESSION_NODES_MAX: Final = 100
_MESSAGE_CHARS_MAX: Final = 300

_PACKAGE: Final = "ledger.rules.v1"
_SIGNAL: Final = f"{_PACKAGE}.Signal"
_MODEL: Final = f"{_PACKAGE}.Model"
_SIGNALS_TYPE: Final = f"map(string, {_SIGNAL})"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto

_EXCLUDED_FUNCTIONS: Final = (
    "bytes",
    "double",
    "duration",
    "dyn",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "matches",
    "timestamp",
    "type",
)
_EXCLUDED_MACROS: Final = ("all", "exists", "exists_one", "filter", "map")

# The library excludes what it knows today; this list is what rules may use with any later
# release of it, so that a stored rule keeps its meaning.
_FUNCTIONS: Final = frozenset(
    {
        *COMPARISONS,
        *ARITHMETIC,
        CONJUNCTION,
        DISJUNCTION,
        CONDITIONAL,
        INDEX,
        NEGATION,
        MINUS,
        MEMBERSHIP,
        "bool",
        "contains",
        "endsWith",
        "int",
        "size",
        "startsWith",
        "string",
        "uint",
    }
)
_REFUSED_TYPE: Final = pattern(
    r"\b(double|bytes|timestamp|duration|dyn|any|type|type_param|error|function|abstract_type"
    r"|wrapper|unknown)\b"
)
_LIBRARY_ERROR: Final = pattern(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")


class ExpressionError(ValueError):
    """An expression that rules may not use; line and column count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Verdict:
    """The value of an expression; where it is an error, `is_true` is None and `error` says why."""

    is_true: bool | None
    error: str = ""


class CompiledExpression:
    """An expression that passed every check. Immutable, and safe to share between threads."""

    __slots__ = ("_program", "paths", "text", "tree")

    def __init__(self, text: str, tree: ExpressionNode, program: cel.Expression) -> None:
        self.text = text
        self.tree = tree
        self.paths = paths_of(tree)
        self._program = program

    def evaluate(self, activation: Mapping[str, Any]) -> Verdict:
        """Return the value under an activation made by `activation_of`; never raises."""
        try:
            value = self._program.eval(data=activation)
        except RuntimeError as error:  # the library's only way to fail outside the language
            return Verdict(None, str(error))
        found = value.value()
        if isinstance(found, bool):
            return Verdict(found)
        return Verdict(None, str(found))


def compile_expression(
    text: str, rule_names: Iterable[str], procedure: str = RULES_1
) -> CompiledExpression:
    """Return a checked expression over a policy's signals; raises ExpressionError.

    `rule_names` are the signals that the policy has rules for. Answers are cached.
    """
    return _compile(text, frozenset(rule_names), procedure)


@lru_cache(maxsize=4096)
def _compile(text: str, rule_names: frozenset[str], procedure: str) -> CompiledExpression:
    """Compile and check one expression."""
    compiled = compile_in(_environment(procedure), text, "rules")
    _check(compiled.tree, text, rule_names, procedure)
    return compiled


def compile_in(environment: cel.Env, text: str, container: str) -> CompiledExpression:
    """Return an expression that is bounded, of the language and well-typed; ExpressionError if not.

    `container` names what has it, in the plural. Which names and functions it may use is not
    checked yet.
    """
    if len(text) > EXPRESSION_CHARS_MAX:
        message = (
            f"longer than {EXPRESSION_CHARS_MAX} characters; split it into several {container}"
        )
        raise ExpressionError(message, *place_of(text, EXPRESSION_CHARS_MAX))
    if not text.isascii():
        _require_text(text)
    try:
        program = environment.compile(text)
    except RuntimeError as error:
        raise _library_refusal(str(error)) from None
    tree = decode(program.serialize())
    nodes = list(tree.walk())
    if len(nodes) > EXPRESSION_NODES_MAX:
        count = f"{len(nodes)} nodes; at most {EXPRESSION_NODES_MAX} are allowed"
        raise ExpressionError(
            f"{count}, so split it into several {container}",
            *place_of(text, nodes[EXPRESSION_NODES_MAX].offset),
        )
    return CompiledExpression(text, tree, program)


def _require_text(text: str) -> None:
    """Refuse what has no UTF-8 form, which the library would refuse with another exception."""
    for at, char in enumerate(text):
        if 0xD800 <= ord(char) <= 0xDFFF:
            raise ExpressionError(
                "half of a surrogate pair is not a character", *place_of(text, at)
            )


def _library_refusal(report: str) -> ExpressionError:
    """Return the first refusal in the library's report, with its place."""
    found = _LIBRARY_ERROR.search(report)
    if found is None:
        summary = report.partition(": ")[2].partition(" [")[0].splitlines()
        return ExpressionError(summary[0] if summary else "no expression")
    # The library reports what has no place, such as too deep a nesting, at -1.
    line, column = max(1, int(found[1])), max(1, int(found[2]))
    message = found[3].replace(" (in container '')", "").removesuffix(" [INVALID_ARGUMENT]")
    if len(message) > _MESSAGE_CHARS_MAX:
        message = message[:_MESSAGE_CHARS_MAX] + "…"
    return ExpressionError(message, line, column)


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column of an offset, both from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def offset_of(text: str, line: int, column: int) -> int:
    """Return where a line and a column are in a text, both from 1 on; at most its end."""
    before = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
    return min(before + column - 1, len(text))


def _check(tree: ExpressionNode, text: str, rule_names: frozenset[str], procedure: str) -> None:
    """Refuse what the language allows and rules do not."""

    def refuse(node: ExpressionNode, message: str) -> Never:
        raise ExpressionError(message, *place_of(text, node.offset))

    variables = VOCABULARIES[procedure].variables
    for node in tree.walk():
        if node.kind == "refused":
            refuse(node, f"{node.name} is not allowed in rules")
        if node.kind == "ident" and node.name not in variables:
            refuse(node, f"{node.name} is not a variable of a rule")
        if node.kind == "call" and node.name not in _FUNCTIONS:
            refuse(node, f"the function {node.name} is not allowed in rules")
        if _REFUSED_TYPE.search(node.type):
            refuse(node, f"the type {node.type} is not allowed in rules")
        problem = _signal_problem(node, rule_names)
        if problem:
            refuse(node, problem)
    if tree.type != "bool":
        refuse(tree, f"a rule needs true or false, and this is of type {tree.type}")


def _signal_problem(node: ExpressionNode, rule_names: frozenset[str]) -> str | None:
    """Say what is wrong with a look-up in the map of signals, if the node is one."""
    is_index = node.kind == "call" and node.name == INDEX
    if not (is_index or node.kind == "select") or node.parts[0].type != _SIGNALS_TYPE:
        return None
    key = node.parts[1].value if is_index else node.name
    if node.parts[0].kind != "ident" or not isinstance(key, str):
        return 'a signal is read as signals["name"] with its name written out'
    if key not in rule_names:
        known = ", ".join(sorted(rule_names))
        return f'the policy has no rule for signal "{key}"; it has {known}'
    return None


# ---- the environment -----------------------------------------------------------------------------


@cache
def _messages(procedure: str) -> tuple[descriptor_pool.DescriptorPool, Any, Any]:
    """Return the pool of the environment's messages, and the classes of a signal and of a model."""
    file = descriptor_pb2.FileDescriptorProto(
        name="ledger/rules/v1/rules.proto", package=_PACKAGE, syntax="proto3"
    )
    _add_fields(file.message_type.add(name="Signal"), VOCABULARIES[procedure].signal_fields)
    model = file.message_type.add(name="Model")
    _add_fields(model, {"owner": "string", "tier": "string"})
    model.field.add(
        name="labels",
        number=3,
        type=_FIELD.TYPE_MESSAGE,
        type_name=f".{_MODEL}.LabelsEntry",
        label=_FIELD.LABEL_REPEATED,
    )
    entry = model.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    _add_fields(entry, {"key": "string", "value": "string"})
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    signal_class, model_class = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        for name in (_SIGNAL, _MODEL)
    )
    return pool, signal_class, model_class


def _add_fields(message: descriptor_pb2.DescriptorProto, fields: Mapping[str, str]) -> None:
    """Give a message fields of these names and types, in order."""
    types = {"int": _FIELD.TYPE_INT64, "bool": _FIELD.TYPE_BOOL, "string": _FIELD.TYPE_STRING}
    for number, (name, kind) in enumerate(fields.items(), start=1):
        message.field.add(name=name, number=number, type=types[kind], label=_FIELD.LABEL_OPTIONAL)


@cache
def _environment(procedure: str) -> cel.Env:
    """Return the environment that every expression of a procedure is compiled in."""
    named = {"signals": f"map<string,{_SIGNAL}>", "model": _MODEL}
    lines = [
        "name: rules",
        "stdlib:",
        f"  exclude_macros: [{', '.join(_EXCLUDED_MACROS)}]",
        "  exclude_functions:",
        *(f"    - name: {name}" for name in _EXCLUDED_FUNCTIONS),
        "variables:",
    ]
    for name, kind in VOCABULARIES[procedure].variables.items():
        lines += [f"  - name: {name}", f'    type: "{named.get(kind, kind)}"']
    return cel.NewEnv(_messages(procedure)[0], config=cel.NewEnvConfigFromYaml("\n".join(lines)))


def activation_of(values: Mapping[str, Any], procedure: str = RULES_1) -> dict[str, Any]:
    """Return what expressions are evaluated over, from the values of every variable.

    `values["signals"]` maps a name to the fields of a signal, `values["model"]` has the fields of
    a model: the form in which an environment is recorded. Raises ValueError or TypeError where a
    field is unknown, of another type, or beyond 64 bits.
    """
    _, signal_class, model_class = _messages(procedure)
    activation = {name: values[name] for name in VOCABULARIES[procedure].variables}
    activation["signals"] = {
        name: signal_class(**fields) for name, fields in values["signals"].items()
    }
    activation["model"] = model_class(**values["model"])
    return activation
