"""The certain facts about conditions: one that can never be true, one that implies another.

A condition becomes a union of boxes. A box holds for each variable the values that it allows: a
range of integers, or a set of words. A part that is no simple comparison counts as a truth value of
its own, known by its text, so equal parts are equal and nothing else is said of them. Where a
condition has too many boxes nothing is said at all.

The facts hold for every environment, errors included: `false && error` is false and `true || error`
is true, so a box whose parts are all true makes its condition true.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

from ledger.events.values import PPM
from ledger.rules.expression_tree import (
    CONJUNCTION,
    DISJUNCTION,
    MEMBERSHIP,
    NEGATION,
    ExpressionNode,
    path_of,
    render,
)
from ledger.rules.shares import is_share

BOXES_MAX: Final = 64
_COUNTS: Final = frozenset({"observations", "buckets", "breaches", "streak", "retrainings_30d"})
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1
FLIPPED: Final = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}
"""The comparison that says the same with its sides exchanged."""
_SAME_FLIPPED: Final = FLIPPED | {"_==_": "_==_", "_!=_": "_!=_"}
_DENIED: Final = {
    "_<_": "_>=_",
    "_<=_": "_>_",
    "_>_": "_<=_",
    "_>=_": "_<_",
    "_==_": "_!=_",
    "_!=_": "_==_",
}


@dataclass(frozen=True, slots=True)
class IntRange:
    """Integers from `least` to `most`, both included; none where `least` is the greater."""

    least: int
    most: int

    def both(self, other: "IntRange") -> "IntRange":
        """Return what both allow."""
        return IntRange(max(self.least, other.least), min(self.most, other.most))

    @property
    def is_empty(self) -> bool:
        """Whether no value is allowed."""
        return self.least > self.most

    def is_within(self, other: "IntRange") -> bool:
        """Whether the other allows all that this allows."""
        return other.least <= self.least and self.most <= other.most


@dataclass(frozen=True, slots=True)
class WordSet:
    """The words or truth values of a set, or where `is_denied` all others."""

    values: frozenset[str | bool]
    is_denied: bool = False

    def both(self, other: "WordSet") -> "WordSet":
        """Return what both allow."""
        if self.is_denied and other.is_denied:
            return WordSet(self.values | other.values, is_denied=True)
        if self.is_denied:
            return WordSet(other.values - self.values)
        return WordSet(
            self.values - other.values if other.is_denied else self.values & other.values
        )

    @property
    def is_empty(self) -> bool:
        """Whether no value is allowed."""
        return not self.is_denied and not self.values

    def is_within(self, other: "WordSet") -> bool:
        """Whether the other allows all that this allows."""
        if other.is_denied:
            inside = other.values <= self.values if self.is_denied else None
            return not self.values & other.values if inside is None else inside
        return not self.is_denied and self.values <= other.values


Box: TypeAlias = Mapping[str, IntRange | WordSet]
"""The values that each variable may have; a variable that is not there may have any."""


def boxes_of(tree: ExpressionNode) -> tuple[Box, ...] | None:
    """Return boxes whose union is the condition, without empty ones; None where they are too many.

    No box: never true. A box without variables: always true, if no part of it fails.
    """
    return _boxes(tree, is_true=True)


def is_never_false(tree: ExpressionNode) -> bool:
    """Whether a condition is certainly true wherever no part of it fails."""
    return _boxes(tree, is_true=False) == ()


def implies(box: Box, other: Box) -> bool:
    """Whether all that one box allows is allowed by the other."""
    return all(name in box and _is_within(box[name], of) for name, of in other.items())


def is_covered(boxes: Iterable[Box], others: Iterable[Box]) -> bool:
    """Whether each box lies within one of the others."""
    others = tuple(others)
    return all(any(implies(box, other) for other in others) for box in boxes)


def _is_within(one: IntRange | WordSet, other: IntRange | WordSet) -> bool:
    if isinstance(one, IntRange):
        return isinstance(other, IntRange) and one.is_within(other)
    return isinstance(other, WordSet) and one.is_within(other)


def _boxes(node: ExpressionNode, *, is_true: bool) -> tuple[Box, ...] | None:
    """Return the boxes in which a condition has a truth value."""
    if node.kind == "const" and isinstance(node.value, bool):
        return ({},) if node.value == is_true else ()
    if node.kind == "call" and node.name == NEGATION:
        return _boxes(node.parts[0], is_true=not is_true)
    if node.kind == "call" and node.name in (CONJUNCTION, DISJUNCTION):
        parts = [_boxes(part, is_true=is_true) for part in node.parts]
        is_meet = (node.name == CONJUNCTION) == is_true
        return _meet(parts) if is_meet else _union(parts)
    return _atom(node, is_true=is_true)


def _meet(parts: list[tuple[Box, ...] | None]) -> tuple[Box, ...] | None:
    """Return the boxes of a conjunction; one that is never true settles it alone."""
    if () in parts:
        return ()
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    found = [box for pair in product(*known) if (box := _met(pair)) is not None]
    return tuple(found) if len(found) <= BOXES_MAX else None


def _met(boxes: Iterable[Box]) -> Box | None:
    """Return what all boxes allow; None where that is nothing."""
    met: dict[str, IntRange | WordSet] = {}
    for box in boxes:
        for name, allowed in box.items():
            narrowed = _both(met[name], allowed) if name in met else allowed
            if narrowed.is_empty:
                return None
            met[name] = narrowed
    return met


def _both(one: IntRange | WordSet, other: IntRange | WordSet) -> IntRange | WordSet:
    """Return what both allow; they are of one variable, and so of one kind."""
    if isinstance(one, IntRange):
        assert isinstance(other, IntRange)
        return one.both(other)
    assert isinstance(other, WordSet)
    return one.both(other)


def _union(parts: list[tuple[Box, ...] | None]) -> tuple[Box, ...] | None:
    found: list[Box] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return tuple(found) if len(found) <= BOXES_MAX else None


# ---- single comparisons --------------------------------------------------------------------------


def _atom(node: ExpressionNode, *, is_true: bool) -> tuple[Box, ...]:
    """Return the boxes of a part that is no conjunction, disjunction or negation."""
    found = comparison_of(node)
    if found is not None:
        operator, variable, limit = found
        operator = operator if is_true else _DENIED[operator]
        if isinstance(limit, str):
            return ({variable: WordSet(frozenset({limit}), is_denied=operator == "_!=_")},)
        return _ranges(variable, operator, limit)
    path = path_of(node)
    if path is not None and node.type == "bool":
        return ({path: WordSet(frozenset({is_true}))},)
    if node.kind == "call" and node.name == MEMBERSHIP and node.parts[1].kind == "list":
        boxes = _of_list(node, is_true=is_true)
        if boxes is not None:
            return boxes
    return ({render(node): WordSet(frozenset({is_true}))},)


def comparison_of(node: ExpressionNode) -> tuple[str, str, int | str] | None:
    """Return operator, variable and limit of a comparison of a variable with a constant, or None.

    The variable is on the left, whichever side it is written on.
    """
    if node.kind != "call" or node.name not in _SAME_FLIPPED:
        return None
    (left, right), operator = node.parts, node.name
    if left.kind == "const":
        left, right, operator = right, left, _SAME_FLIPPED[operator]
    path, limit = path_of(left), right.value
    if path is None or right.kind != "const" or isinstance(limit, bool):
        return None
    if left.type == "int" and isinstance(limit, int):
        return operator, path, limit
    if left.type == "string" and operator not in FLIPPED and isinstance(limit, str):
        return operator, path, limit
    return None


def _of_list(node: ExpressionNode, *, is_true: bool) -> tuple[Box, ...] | None:
    """Return the boxes of `in_force in ["…", "…"]`; None where it is of another form."""
    path, values = path_of(node.parts[0]), {part.value for part in node.parts[1].parts}
    words = frozenset(value for value in values if isinstance(value, str))
    if path is None or words != values or node.parts[0].type != "string":
        return None
    allowed = WordSet(words, is_denied=not is_true)
    return () if allowed.is_empty else ({path: allowed},)


def _ranges(path: str, operator: str, limit: int) -> tuple[Box, ...]:
    """Return the boxes of a comparison with an integer, within the range of the variable."""
    wanted = {
        "_<_": [IntRange(_INT_MIN, limit - 1)],
        "_<=_": [IntRange(_INT_MIN, limit)],
        "_>_": [IntRange(limit + 1, _INT_MAX)],
        "_>=_": [IntRange(limit, _INT_MAX)],
        "_==_": [IntRange(limit, limit)],
        "_!=_": [IntRange(_INT_MIN, limit - 1), IntRange(limit + 1, _INT_MAX)],
    }[operator]
    domain = _domain(path)
    if any(domain.is_within(each) for each in wanted):
        return ({},)
    met = [domain.both(each) for each in wanted]
    return tuple({path: each} for each in met if not each.is_empty)


def _domain(path: str) -> IntRange:
    """Return the values that a variable can have at all."""
    name = path.rsplit(".", 1)[-1]
    if is_share(path):
        return IntRange(-PPM if name == "trend" else 0, PPM)
    if name in _COUNTS:
        return IntRange(0, _INT_MAX)
    return IntRange(-1, _INT_MAX) if name == "slo_hours_left" else IntRange(_INT_MIN, _INT_MAX)
