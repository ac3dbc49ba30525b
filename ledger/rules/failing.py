"""The parts of a condition that have no value: they divide by 0, or leave the 64 bits of integers.

Only what is certain is said: a divisor is 0 for all values of the variables, or values that the
variables do have, such as a share of 100%, give a number that is too large.
"""

from typing import Final

from ledger.events.values import PPM
from ledger.rules.conditions import IntRange
from ledger.rules.expression_tree import INDEX, MINUS, ExpressionNode, path_of, render
from ledger.rules.shares import is_share

_BOUNDS: Final = {"int": IntRange(-(2**63), 2**63 - 1), "uint": IntRange(0, 2**64 - 1)}
_SHARE: Final = IntRange(0, PPM)
_COUNT: Final = IntRange(0, 1_000)
"""Values that any count or number of hours can have; that it can have more is not looked at."""
_DIVIDES: Final = {"_/_": "divides by 0", "_%_": "takes a remainder by 0"}


def failing_part(tree: ExpressionNode) -> tuple[ExpressionNode, str] | None:
    """Return the first part that has no value, and what it does; None where nothing is certain."""
    for node in tree.walk():
        if node.kind != "call":
            continue
        ranges = [_range(part) for part in node.parts]
        if node.name in _DIVIDES and ranges[1] == IntRange(0, 0):
            return node, f"{render(node)} {_DIVIDES[node.name]}"
        found, bounds = _reckoned(node, ranges), _BOUNDS.get(node.type)
        if found is not None and bounds is not None and not found.is_within(bounds):
            return node, f"{render(node)} leaves the 64 bits of an integer"
    return None


def _range(node: ExpressionNode) -> IntRange | None:
    """Return between which values a part lies, both of which it has; None where it is not known."""
    if node.kind == "const" and type(node.value) is int:
        return IntRange(node.value, node.value)
    if node.type == "int" and (node.kind in {"ident", "select"} or node.name == INDEX):
        return _SHARE if is_share(path_of(node) or "") else _COUNT
    return _reckoned(node, [_range(part) for part in node.parts]) if node.kind == "call" else None


def _reckoned(node: ExpressionNode, ranges: list[IntRange | None]) -> IntRange | None:
    """Return the values of a sum, difference, product or negation of parts in these ranges."""
    known = [one for one in ranges if one is not None]
    if len(known) < len(ranges):
        return None
    if node.name == MINUS:
        return IntRange(-known[0].most, -known[0].least)
    if node.name not in {"_+_", "_-_", "_*_"}:
        return None
    left, right = known
    if node.name == "_+_":
        return IntRange(left.least + right.least, left.most + right.most)
    if node.name == "_-_" and render(node.parts[0]) == render(node.parts[1]):
        return IntRange(0, 0)
    if node.name == "_-_":
        return IntRange(left.least - right.most, left.most - right.least)
    ends = [one * other for one in (left.least, left.most) for other in (right.least, right.most)]
    return IntRange(min(ends), max(ends))
