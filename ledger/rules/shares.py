"""Shares in expressions: `priority >= 20%` as people write it, and the integer that rules read.

Rules see shares as parts per million. A person writes and reads per cent; what is stored and
evaluated is the integer, so a rule means the same however it was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.events.notation import parse_share, share
from ledger.rules.expression_tree import (
    COMPARISONS,
    CONDITIONAL,
    MEMBERSHIP,
    MINUS,
    ExpressionNode,
    path_of,
    render,
)

SHARES: Final = frozenset(
    {"priority", "raw_priority", "degradation", "coverage", "impact", "risk"}
    | {"peak", "magnitude", "persistence", "freshness", "trend", "effective", "share", "weight"}
)
"""Variables of a rule and fields of a signal that are parts per million."""

_SUMS: Final = frozenset({"_+_", "_-_", MINUS})
_TOKEN: Final = re.compile(
    r"""//[^\n]*
    | [rR]?(?P<q>\"\"\"|'''|\"|')(?:\\.|(?!(?P=q)).)*(?P=q)
    | [A-Za-z_][A-Za-z0-9_]*
    | 0[xX][0-9a-fA-F]+[uU]?
    | (?P<share>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?P<gap>[ \t]*)%)(?![%])
    | [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[uU]?
    | .""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_LOOK_UP: Final = re.compile(
    r"""signals(?:\[\s*["']([^"']+)["']\s*\]|\.([A-Za-z0-9_]+))""", re.ASCII
)
_SPACE: Final = re.compile(r"(?:\s|//[^\n]*)*", re.ASCII)
_OPERAND: Final = re.compile(r"(?!in\b)[A-Za-z0-9_.\"'(\[{!]", re.ASCII)


# ---- as written, as stored -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShareLiteral:
    """One share of an expression: where it is written and stored, and how."""

    written_at: int
    written: str
    stored_at: int
    stored: str


@dataclass(frozen=True, slots=True)
class StoredExpression:
    """An expression as rules read it, and the shares that were written in it."""

    text: str
    literals: tuple[ShareLiteral, ...]

    def written_offset(self, offset: int) -> int:
        """Return where a character of the stored text is in what was written."""
        found = offset
        for each in self.literals:
            if offset < each.stored_at:
                break
            behind = offset - each.stored_at - len(each.stored)
            found = each.written_at + (len(each.written) + behind if behind >= 0 else 0)
        return found

    def misplaced(self, tree: ExpressionNode) -> ShareLiteral | None:
        """Return the first share that is written where the checked tree has a plain number."""
        found = list(share_constants(tree))
        for each in self.literals:
            # Before a negative number the sign is part of the constant, not of the share.
            if not any(0 <= each.stored_at - node.offset <= 1 for node in found):
                return each
        return None


def to_stored(text: str) -> StoredExpression:
    """Return an expression with each share as the integer that it means.

    `20 % x` stays CEL's remainder. ValueError where `%` could be either, or a share has more than
    four decimal places.
    """
    pieces: list[str] = []
    literals: list[ShareLiteral] = []
    for token in _TOKEN.finditer(text):
        piece = token[0]
        if token["share"] is not None and _is_share(text, token):
            piece = str(parse_share(piece.replace(token["gap"], "")))
            literals.append(ShareLiteral(token.start(), token[0], sum(map(len, pieces)), piece))
        pieces.append(piece)
    return StoredExpression("".join(pieces), tuple(literals))


def _is_share(text: str, token: re.Match[str]) -> bool:
    """Return whether `NUMBER%` is a share: it is a remainder if a right operand follows."""
    follows = _SPACE.match(text, token.end())
    assert follows is not None, "nothing is white space too"
    after = text[follows.end() : follows.end() + 2]
    if after[:1] == "-" and not token["gap"]:
        raise ValueError(
            f"`{token[0]} -` could be a share or a remainder; write `({token[0]}) -` for the share"
        )
    return after[:1] != "-" and _OPERAND.match(text, follows.end()) is None


def to_written(text: str, tree: ExpressionNode) -> str:
    """Return a stored expression as people write it, each share as per cent.

    What reads back as another text is left as it is stored.
    """
    pieces: list[str] = []
    at = 0
    for node in sorted(share_constants(tree), key=lambda each: each.offset):
        digits = str(node.value)
        if not text.startswith(digits, node.offset) or not isinstance(node.value, int):
            continue  # spelled in hexadecimal, say
        pieces += [text[at : node.offset], share(node.value)]
        at = node.offset + len(digits)
    written = "".join([*pieces, text[at:]])
    try:
        return written if to_stored(written).text == text else text
    except ValueError:
        return text


def spell(node: ExpressionNode) -> str:
    """Return the text of a part of an expression for people, each share as per cent."""
    constants = {each.offset: share(int(each.value or 0)) for each in share_constants(node)}
    return render(node, constants)


def signals_named(text: str) -> frozenset[str]:
    """Return the signals that an expression looks up by a name written out."""
    return frozenset(found[1] or found[2] for found in _LOOK_UP.finditer(text))


# ---- which numbers are shares --------------------------------------------------------------------


def is_share(path: str) -> bool:
    """Return whether a variable of a rule, such as `signals["drift"].trend`, is a share."""
    return not path.startswith("model.") and path.rsplit(".", 1)[-1] in SHARES


def share_constants(node: ExpressionNode) -> Iterator[ExpressionNode]:
    """Yield the numbers of an expression that stand beside a share, as its limit or a part of it.

    A factor or divisor of a share is a plain number, and so is a value that is compared with a
    product of two shares.
    """
    yield from _constants(node, is_beside=False)


def _constants(node: ExpressionNode, *, is_beside: bool) -> Iterator[ExpressionNode]:
    if node.kind == "const":
        if is_beside and type(node.value) is int and node.type == "int":
            yield node
        return
    parts = node.parts
    if node.name in COMPARISONS or node.name == MEMBERSHIP:
        is_beside = any(map(_is_share_valued, parts))
    elif node.name in _SUMS:
        is_beside = is_beside or any(map(_is_share_valued, parts))
    elif node.name == CONDITIONAL:
        yield from _constants(parts[0], is_beside=False)
        is_beside = is_beside or any(map(_is_share_valued, parts[1:]))
        parts = parts[1:]
    elif node.kind != "list":
        is_beside = False
    for part in parts:
        yield from _constants(part, is_beside=is_beside)


def _is_share_valued(node: ExpressionNode) -> bool:
    """Return whether the value of a part of an expression is a share."""
    path = path_of(node)
    if path is not None:
        return is_share(path)
    if node.kind != "call":
        return False
    parts = [_is_share_valued(part) for part in node.parts]
    if node.name in _SUMS:
        return any(parts)
    if node.name == CONDITIONAL:
        return any(parts[1:])
    if node.name == "_*_":
        return sum(parts) == 1
    return node.name in {"_/_", "_%_"} and parts == [True, False]
