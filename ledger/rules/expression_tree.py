"""The checked tree of a rule's expression: decoded, rendered, and asked which variables it reads.

The CEL library checks an expression and serialises it as `cel.expr.CheckedExpr`. Only the few
fields that a walk needs are declared here, under the numbers that the CEL specification gives
them: a message is read by its numbers, so this small description decodes the same bytes without
the large package that carries the whole one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

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
_PACKAGE: Final = "ledger.rules.checked"
_SCALARS: Final = {
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
}

# Message: its fields as "name number type". A `|` before the name puts the field into the
# message's one-of, a `*` after the type repeats it. A map is a repeated entry, an enum is an
# int32, and a message whose content does not matter is bytes: all the same on the wire.
_MESSAGES: Final = {
    "Checked": "types 3 TypeEntry*, expr 4 Expr, source 5 Source",
    "Source": "positions 4 PositionEntry*",
    "PositionEntry": "key 1 int64, value 2 int32",
    "TypeEntry": "key 1 int64, value 2 Type",
    "Type": "|dyn 1 bytes, |null 2 int32, |primitive 3 int32, |wrapper 4 int32,"
    " |well_known 5 int32, |list_type 6 ListType, |map_type 7 MapType, |function 8 bytes,"
    " |message_type 9 string, |type_param 10 string, |type 11 bytes, |error 12 bytes,"
    " |abstract_type 14 bytes",
    "ListType": "element 1 Type",
    "MapType": "key 1 Type, value 2 Type",
    "Expr": "id 2 int64, |const 3 Constant, |ident 4 Ident, |select 5 Select, |call 6 Call,"
    " |list 7 ListOf, |struct 8 Struct, |comprehension 9 bytes",
    "Ident": "name 1 string",
    "Select": "operand 1 Expr, field 2 string, test_only 3 bool",
    "Call": "target 1 Expr, function 2 string, args 3 Expr*",
    "ListOf": "elements 1 Expr*",
    "Struct": "message_name 1 string, entries 2 StructEntry*",
    "StructEntry": "id 1 int64, field_key 2 string, map_key 3 Expr, value 4 Expr",
    "Constant": "|null 1 int32, |bool 2 bool, |int64 3 int64, |uint64 4 uint64,"
    " |double 5 double, |string 6 string, |bytes 7 bytes, |duration 8 bytes,"
    " |timestamp 9 bytes",
}
_PRIMITIVES: Final = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN: Final = {1: "any", 2: "timestamp", 3: "duration"}


@cache
def _checked_class() -> Any:  # noqa: ANN401 - a generated message class
    """Return the message class that decodes a checked expression."""
    file = descriptor_pb2.FileDescriptorProto(
        name="ledger/rules/checked.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if "|" in fields:
            message.oneof_decl.add(name="kind")
        for spec in fields.split(","):
            field_name, number, field_type = spec.split()
            is_repeated = field_type.endswith("*")
            field_type = field_type.removesuffix("*")
            field = message.field.add(
                name=field_name.removeprefix("|"),
                number=int(number),
                label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
                if is_repeated
                else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            )
            if field_name.startswith("|"):
                field.oneof_index = 0
            if field_type in _SCALARS:
                field.type = _SCALARS[field_type]
            else:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{field_type}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Checked"))


# ---- the tree ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """One node: `name` is its variable, field or function, `offset` its place in the text.

    A `refused` node is of a kind that rules may not use; its `name` says which.
    """

    kind: Kind
    type: str
    offset: int
    name: str = ""
    value: Constant = None
    parts: tuple["Node", ...] = ()
    is_method: bool = False
    is_test: bool = False

    def walk(self) -> Iterator["Node"]:
        """Yield this node and everything below it, from left to right."""
        yield self
        for part in self.parts:
            yield from part.walk()


def decode(serialized: bytes) -> Node:
    """Return the tree of a serialised checked expression."""
    wrapped = any_pb2.Any.FromString(serialized)
    assert wrapped.type_url == _TYPE_URL, f"the CEL library wrote {wrapped.type_url}"
    checked = _checked_class().FromString(wrapped.value)
    types = {entry.key: _type_name(entry.value) for entry in checked.types}
    offsets = {entry.key: entry.value for entry in checked.source.positions}
    return _node(checked.expr, types, offsets)


def _type_name(found: Any) -> str:  # noqa: ANN401 - a decoded message
    """Return a type as CEL spells it."""
    kind = found.WhichOneof("kind")
    if kind == "primitive":
        return _PRIMITIVES.get(found.primitive, "unknown")
    if kind == "wrapper":
        return f"wrapper({_PRIMITIVES.get(found.wrapper, 'unknown')})"
    if kind == "well_known":
        return _WELL_KNOWN.get(found.well_known, "unknown")
    if kind == "list_type":
        return f"list({_type_name(found.list_type.element)})"
    if kind == "map_type":
        return f"map({_type_name(found.map_type.key)}, {_type_name(found.map_type.value)})"
    if kind == "message_type":
        return str(found.message_type)
    return str(kind or "dyn")


def _node(expr: Any, types: dict[int, str], offsets: dict[int, int]) -> Node:  # noqa: ANN401
    """Return the node that a decoded expression message describes."""
    kind = expr.WhichOneof("kind")
    type_name, offset = types.get(expr.id, "dyn"), offsets.get(expr.id, 0)
    if kind == "const":
        which = expr.const.WhichOneof("kind")
        if which not in {"null", "bool", "int64", "uint64", "string"}:
            return Node("refused", type_name, offset, f"a {which} literal")
        value = None if which == "null" else getattr(expr.const, which)
        return Node("const", type_name, offset, value=value)
    if kind == "ident":
        return Node("ident", type_name, offset, expr.ident.name)
    if kind == "select":
        operand = _node(expr.select.operand, types, offsets)
        is_test = expr.select.test_only
        return Node(
            "select", type_name, offset, expr.select.field, parts=(operand,), is_test=is_test
        )
    if kind == "call":
        call = expr.call
        is_method = call.HasField("target")
        inner = [call.target, *call.args] if is_method else list(call.args)
        parts = tuple(_node(part, types, offsets) for part in inner)
        return Node("call", type_name, offset, call.function, parts=parts, is_method=is_method)
    if kind == "list":
        parts = tuple(_node(part, types, offsets) for part in expr.list.elements)
        return Node("list", type_name, offset, parts=parts)
    if kind == "struct" and not expr.struct.message_name:
        pairs = [part for entry in expr.struct.entries for part in (entry.map_key, entry.value)]
        return Node("map", type_name, offset, parts=tuple(_node(p, types, offsets) for p in pairs))
    name = "a message literal" if kind == "struct" else "a comprehension"
    return Node("refused", type_name, offset, name)


# ---- reading it ----------------------------------------------------------------------------------


def path_of(node: Node) -> str | None:
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


def _base_of(node: Node) -> str | None:
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


def paths_of(node: Node) -> tuple[str, ...]:
    """Return every variable that an expression reads, each once, in order of appearance."""
    found = (path_of(part) for part in node.walk())
    return tuple(dict.fromkeys(path for path in found if path is not None))


def operands_of(node: Node, function: str) -> tuple[Node, ...]:
    """Return the operands of a chain of one function, flat: `a && (b && c)` gives a, b, c."""
    if node.kind == "call" and node.name == function:
        return tuple(leaf for part in node.parts for leaf in operands_of(part, function))
    return (node,)


def render(node: Node, constants: Mapping[int, str] = NO_CONSTANTS) -> str:
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


def _render_call(node: Node, constants: Mapping[int, str]) -> str:
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


def _strength(node: Node) -> int:
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


def _bracketed(node: Node, constants: Mapping[int, str], least: int = 7) -> str:
    """Return the text of an operand, in brackets where it binds less strongly than `least`."""
    text = render(node, constants)
    return text if _strength(node) >= least else f"({text})"


def _render_constant(node: Node) -> str:
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
