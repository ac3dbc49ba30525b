"""The checked tree of a rule's expression: decoded, rendered, and asked which variables it reads.

The CEL library checks an expression and serialises it; `checked.proto` names the few fields that a
walk needs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from google.protobuf import any_pb2

from ledger.rules.checked_pb2 import CheckedExpr, Expr, Type

Constant: TypeAlias = bool | int | str | None
Kind: TypeAlias = Literal["const", "ident", "select", "call", "list", "map", "refused"]

CONJUNCTION: Final = "_&&_"
DISJUNCTION: Final = "_||_"
CONDITIONAL: Final = "_?_:_"
INDEX: Final = "_[_]"
NEGATION: Final = "!_"
MINUS: Final = "-_"
MEMBERSHIP: Final = "@in"
COMPARISONS: Final = {
    "_==_": "==",
    "_!=_": "!=",
    "_<_": "<",
    "_<=_": "<=",
    "_>_": ">",
    "_>=_": ">=",
}
ARITHMETIC: Final = {"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%"}

NO_CONSTANTS: Final[Mapping[int, str]] = MappingProxyType({})

_ESCAPES: Final = {
    **{chr(code): f"\\x{code:02x}" for code in (*range(32), 127)},
    '"': '\\"',
    "\\": "\\\\",
}
_BINARY: Final = {
    **COMPARISONS,
    **ARITHMETIC,
    CONJUNCTION: "&&",
    DISJUNCTION: "||",
    MEMBERSHIP: "in",
}

# ---- the wire format -----------------------------------------------------------------------------

_TYPE_URL: Final = "type.googleapis.com/cel.expr.CheckedExpr"
_PRIMITIVES: Final = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN: Final = {1: "any", 2: "timestamp", 3: "duration"}
_LITERALS: Final = {"null_value", "bool_value", "int64_value", "uint64_value", "string_value"}


# ---- the tree ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExpressionNode:
    """One node: `name` is its variable, field or function, `offset` its place in the text.

    A `refused` node is of a kind that rules may not use; its `name` says which.
    """

    kind: Kind
    type: str
    offset: int
    name: str = ""
    value: Constant = None
    parts: tuple["ExpressionNode", ...] = ()
    is_method: bool = False
    is_test: bool = False

    def walk(self) -> Iterator["ExpressionNode"]:
        """Yield this node and everything below it, from left to right."""
        yield self
        for part in self.parts:
            yield from part.walk()


def decode(serialized: bytes) -> ExpressionNode:
    """Return the tree of a serialised checked expression."""
    wrapped = any_pb2.Any.FromString(serialized)
    assert wrapped.type_url == _TYPE_URL, f"the CEL library wrote {wrapped.type_url}"
    checked = CheckedExpr.FromString(wrapped.value)
    types = {id_: _type_name(found) for id_, found in checked.type_map.items()}
    return _node(checked.expr, types, checked.source_info.positions)


def _type_name(found: Type) -> str:
    """Return a type as CEL spells it."""
    kind = found.WhichOneof("type_kind")
    if kind == "primitive":
        return _PRIMITIVES.get(found.primitive, "unknown")
    if kind == "wrapper":
        return f"wrapper({_PRIMITIVES.get(found.wrapper, 'unknown')})"
    if kind == "well_known":
        return _WELL_KNOWN.get(found.well_known, "unknown")
    if kind == "list_type":
        return f"list({_type_name(found.list_type.elem_type)})"
    if kind == "map_type":
        key, value = found.map_type.key_type, found.map_type.value_type
        return f"map({_type_name(key)}, {_type_name(value)})"
    if kind == "message_type":
        return found.message_type
    return kind or "dyn"


def _node(expr: Expr, types: Mapping[int, str], offsets: Mapping[int, int]) -> ExpressionNode:
    """Return the node that a decoded expression message describes."""

    def nodes(parts: Iterable[Expr]) -> tuple[ExpressionNode, ...]:
        return tuple(_node(part, types, offsets) for part in parts)

    kind = expr.WhichOneof("expr_kind")
    made = partial(ExpressionNode, type=types.get(expr.id, "dyn"), offset=offsets.get(expr.id, 0))
    if kind == "const_expr":
        which = expr.const_expr.WhichOneof("constant_kind")
        if which not in _LITERALS:
            return made("refused", name=f"a {str(which).removesuffix('_value')} literal")
        value = None if which == "null_value" else getattr(expr.const_expr, which)
        return made("const", value=value)
    if kind == "ident_expr":
        return made("ident", name=expr.ident_expr.name)
    if kind == "select_expr":
        select = expr.select_expr
        return made(
            "select", name=select.field, parts=nodes([select.operand]), is_test=select.test_only
        )
    if kind == "call_expr":
        call = expr.call_expr
        is_method = call.HasField("target")
        inner = [call.target, *call.args] if is_method else call.args
        return made("call", name=call.function, parts=nodes(inner), is_method=is_method)
    if kind == "list_expr":
        return made("list", parts=nodes(expr.list_expr.elements))
    if kind == "struct_expr" and not expr.struct_expr.message_name:
        entries = expr.struct_expr.entries
        return made("map", parts=nodes(p for each in entries for p in (each.map_key, each.value)))
    name = "a message literal" if kind == "struct_expr" else "a comprehension"
    return made("refused", name=name)


# ---- reading it ----------------------------------------------------------------------------------


def path_of(node: ExpressionNode) -> str | None:
    """Return the variable that a node reads, such as `signals["drift"].trend`, or None.

    Only a value that the environment holds has a path: a whole map or message has none.
    """
    if node.kind == "ident" and node.type in {"int", "bool", "string"}:
        return node.name
    if node.kind == "select" and not node.is_test and node.type in {"int", "bool", "string"}:
        base = _base_of(node.parts[0])
        if base == "model.labels":
            return f'model.labels["{node.name}"]'
        return f"{base}.{node.name}" if base else None
    if node.kind == "call" and node.name == INDEX:
        key = node.parts[1]
        if _base_of(node.parts[0]) == "model.labels" and isinstance(key.value, str):
            return f'model.labels["{key.value}"]'
    return None


def _base_of(node: ExpressionNode) -> str | None:
    """Return the path of a message or map of the environment, or None."""
    if node.kind == "ident":
        return node.name
    if node.kind == "select" and _base_of(node.parts[0]) == "signals":
        return f'signals["{node.name}"]'
    if node.kind == "select" and _base_of(node.parts[0]) == "model":
        return f"model.{node.name}"
    if node.kind == "call" and node.name == INDEX and _base_of(node.parts[0]) == "signals":
        return f'signals["{node.parts[1].value}"]'
    return None


def paths_of(node: ExpressionNode) -> tuple[str, ...]:
    """Return every variable that an expression reads, each once, in order of appearance."""
    found = (path_of(part) for part in node.walk())
    return tuple(dict.fromkeys(path for path in found if path is not None))


def operands_of(node: ExpressionNode, function: str) -> tuple[ExpressionNode, ...]:
    """Return the operands of a chain of one function, flat: `a && (b && c)` gives a, b, c."""
    if node.kind == "call" and node.name == function:
        return tuple(leaf for part in node.parts for leaf in operands_of(part, function))
    return (node,)


def render(node: ExpressionNode, constants: Mapping[int, str] = NO_CONSTANTS) -> str:
    """Return the text of an expression that checks to this tree, with brackets where any nest.

    `constants` says how else the literals at some offsets are to be spelled.
    """
    if node.kind == "const":
        return constants.get(node.offset) or _render_constant(node)
    if node.kind == "ident":
        return node.name
    if node.kind == "select":
        text = f"{_bracketed(node.parts[0], constants)}.{node.name}"
        return f"has({text})" if node.is_test else text
    if node.kind == "list":
        return f"[{', '.join(render(part, constants) for part in node.parts)}]"
    if node.kind == "map":
        texts = [render(part, constants) for part in node.parts]
        pairs = zip(texts[::2], texts[1::2], strict=True)
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    assert node.kind == "call", f"{node.name} never passes the check"
    return _render_call(node, constants)


def _render_call(node: ExpressionNode, constants: Mapping[int, str]) -> str:
    """Return the text of an operator or function call."""
    if node.name in _BINARY:
        left, right = node.parts
        strength = _strength(node)
        is_chain = node.name in {CONJUNCTION, DISJUNCTION}
        first = _bracketed(left, constants, strength)
        second = _bracketed(right, constants, strength if is_chain else strength + 1)
        return f"{first} {_BINARY[node.name]} {second}"
    if node.name == CONDITIONAL:
        condition, then, otherwise = (_bracketed(part, constants, 1) for part in node.parts)
        return f"{condition} ? {then} : {otherwise}"
    if node.name == INDEX:
        return f"{_bracketed(node.parts[0], constants)}[{render(node.parts[1], constants)}]"
    if node.name in {NEGATION, MINUS}:
        return f"{node.name[0]}{_bracketed(node.parts[0], constants)}"
    if node.is_method:
        arguments = ", ".join(render(part, constants) for part in node.parts[1:])
        return f"{_bracketed(node.parts[0], constants)}.{node.name}({arguments})"
    return f"{node.name}({', '.join(render(part, constants) for part in node.parts)})"


def _strength(node: ExpressionNode) -> int:
    """Return how strongly a node binds, from a conditional (0) to an atom (7)."""
    if node.kind == "const" and isinstance(node.value, int) and node.value < 0:
        return 6
    if node.kind != "call":
        return 7
    if node.name in COMPARISONS or node.name == MEMBERSHIP:
        return 3
    strengths = {CONDITIONAL: 0, DISJUNCTION: 1, CONJUNCTION: 2, NEGATION: 6, MINUS: 6}
    strengths |= {"_+_": 4, "_-_": 4, "_*_": 5, "_/_": 5, "_%_": 5}
    return strengths.get(node.name, 7)


def _bracketed(node: ExpressionNode, constants: Mapping[int, str], least: int = 7) -> str:
    """Return the text of an operand, in brackets where it binds less strongly than `least`."""
    text = render(node, constants)
    return text if _strength(node) >= least else f"({text})"


def _render_constant(node: ExpressionNode) -> str:
    """Return a literal as CEL spells it."""
    value = node.value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}u" if node.type == "uint" else str(value)
    escaped = "".join(_ESCAPES.get(char, char) for char in value)
    return f'"{escaped}"'
