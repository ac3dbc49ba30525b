"""Strict reading of YAML and JSON into a small tree that remembers where everything was.

Every scalar stays the text that was written: no number is ever read as a float, nor a date as one.
Text that makes a document mean more, or something else, than a person sees in it is refused:
duplicate keys, anchors and aliases, tags, several documents, keys outside ASCII, undue size and
depth. The meaning of the text is left to `text`.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

import yaml

from ledger.limits import DOCUMENT_BYTES_MAX

DEPTH_MAX: Final = 16  # documents need five levels
NODES_MAX: Final = 20_000  # the largest document within the limits has about half as many

SourceCode = Literal[
    "ALIAS_REFUSED",
    "DOCUMENT_EMPTY",
    "DOCUMENT_TOO_LARGE",
    "DOCUMENT_UNREADABLE",
    "DOCUMENTS_SEVERAL",
    "KEY_FORM",
    "KEY_TWICE",
    "TAG_REFUSED",
]
"""The reasons for which a text cannot be read at all."""
_SYNTAX: Final = (
    "Correct the text here; an editor with the JSON Schema of the format shows its form."
)
_SURROGATE: Final = "half of a surrogate pair is not valid Unicode"
_SMALLER: Final = "Split the document or shorten its texts."


class SourceLocation(NamedTuple):
    """A place in a document: line and column, both from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        """Return the place as errors show it."""
        return f"line {self.line}, column {self.column}"


class SourceError(ValueError):
    """A document that cannot be read at all, and where."""

    def __init__(
        self,
        place: SourceLocation,
        message: str,
        remedy: str = _SYNTAX,
        code: SourceCode = "DOCUMENT_UNREADABLE",
    ) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as written; `is_plain`: without quotation marks. `start`, `end` index the source."""

    place: SourceLocation
    text: str
    is_plain: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: SourceLocation
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written; keys are unique."""

    place: SourceLocation
    entries: tuple[tuple[Scalar, "Node"], ...]


Node = Scalar | Sequence | Mapping


def read(text: str) -> Node:
    """Return the tree of a document, JSON if it starts with a brace, else YAML; or SourceError."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        place = _Lines(text).place(error.start)
        raise SourceError(place, _SURROGATE) from error
    if size > DOCUMENT_BYTES_MAX:
        message = f"the document has {size} bytes; at most {DOCUMENT_BYTES_MAX} are read"
        raise SourceError(SourceLocation(1, 1), message, _SMALLER, "DOCUMENT_TOO_LARGE")
    if text.lstrip("\ufeff \t\r\n")[:1] == "{":
        return _read_json(text)
    return _Reader(text).document()


def place_within(source: str, scalar: Scalar, offset: int) -> SourceLocation:
    """Return where the character at `offset` of a scalar's text is in the source.

    Written and read text differ by quotation marks, escapes, folded lines and indentation, so both
    are walked side by side; runs of white space count as one.
    """
    text, at, end = scalar.text, scalar.start, scalar.end
    quote = "" if scalar.is_plain or source[at] not in "'\"" else source[at]
    if quote:
        at += 1
    elif not scalar.is_plain:  # a block scalar: its header ends with the line
        at = source.find("\n", at, end) + 1
    index = 0
    while index < offset and at < end:
        written, read_ = _space_run(source, at, end), _space_run(text, index, len(text))
        if written:
            at += written
            index += read_
            if read_ and index > offset:  # the offset lies within the run, counted from its end
                at -= min(index - offset, written)
        elif source.startswith("\\\n", at) and quote == '"':
            at += 2  # an escaped line end means nothing
        else:
            at += _written_length(source, at, quote)
            index += 1
    if index == offset and not text[offset : offset + 1].isspace():
        at += _space_run(source, at, end)
    return _Lines(source).place(at)


def _space_run(text: str, start: int, end: int) -> int:
    """Return how many characters of white space follow from `start` on."""
    at = start
    while at < end and text[at].isspace():
        at += 1
    return at - start


def _written_length(source: str, at: int, quote: str) -> int:
    """Return how many characters of the source spell one character of a quoted or plain scalar."""
    if quote == "'" and source.startswith("''", at):
        return 2
    if quote == '"' and source[at] == "\\":
        return {"x": 4, "u": 6, "U": 10}.get(source[at + 1 : at + 2], 2)
    return 1


class _Lines:
    """Turns an index into a place; only line feeds end a line, as in every editor."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, index: int) -> SourceLocation:
        """Return the place of a character by its index."""
        line = bisect_right(self.starts, index)
        return SourceLocation(line, index - self.starts[line - 1] + 1)


def _index(mark: Any) -> int:  # noqa: ANN401 - PyYAML's marks have two types and may be None
    """Return the index of a mark in the source."""
    return int(mark.index) if mark is not None else 0


class _Reader:
    """Builds the tree from the events of YAML, so that nothing is resolved or expanded.

    Bounded in size and depth; keys are unique and ASCII.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = _Lines(text)
        self.nodes = 0
        self.events: Iterator[yaml.Event] = iter(())

    def document(self) -> Node:
        """Return the one document of the text."""
        try:
            self.events = iter(yaml.parse(self.text, Loader=yaml.BaseLoader))
            next(self.events)  # the stream's start
            start = next(self.events)
            if isinstance(start, yaml.StreamEndEvent):
                remedy = "Begin with its `format`."
                raise SourceError(
                    SourceLocation(1, 1), "the document is empty", remedy, "DOCUMENT_EMPTY"
                )
            node = self._node(next(self.events), 1)
            next(self.events)  # the document's end
            after = next(self.events)
        except yaml.reader.ReaderError as error:
            place = self.lines.place(int(error.position))
            remedy = "Delete the character, or write it as an escape between quotation marks."
            raise SourceError(place, "YAML cannot hold a control character", remedy) from error
        except yaml.MarkedYAMLError as error:
            raise self._refusal(error) from error
        if not isinstance(after, yaml.StreamEndEvent):
            message, remedy = "a second document begins here; one is read", "Keep one of them."
            raise SourceError(self._at(after), message, remedy, "DOCUMENTS_SEVERAL")
        return node

    def _refusal(self, error: yaml.MarkedYAMLError) -> SourceError:
        """Return PyYAML's complaint as ours."""
        mark = error.problem_mark or error.context_mark
        place = self.lines.place(_index(mark))
        message = ", ".join(part for part in (error.context, error.problem) if part)
        remedy = "Indent with spaces." if "'\\t'" in message else _SYNTAX
        return SourceError(place, f"not YAML: {message}", remedy)

    def _at(self, event: yaml.Event) -> SourceLocation:
        return self.lines.place(_index(event.start_mark))

    def _node(self, event: yaml.Event, depth: int) -> Node:
        """Return the node that an event begins."""
        place = self._at(event)
        self._count(place, depth)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            remedy = "Write the value out where it counts."
            raise SourceError(place, "anchors and aliases are refused", remedy, "ALIAS_REFUSED")
        if getattr(event, "tag", None) is not None:
            remedy = "Put the value in quotation marks."
            raise SourceError(place, "tags are refused", remedy, "TAG_REFUSED")
        if isinstance(event, yaml.ScalarEvent):
            is_plain = not event.style
            start, end = _index(event.start_mark), _index(event.end_mark)
            return Scalar(place, str(event.value), is_plain, start, end)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            return Sequence(place, tuple(items))
        return self._mapping(place, depth)

    def _mapping(self, place: SourceLocation, depth: int) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        seen: dict[str, SourceLocation] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                message, remedy = "a key must be a word, not a list or a mapping", "Write a word."
                raise SourceError(key.place, message, remedy, "KEY_FORM")
            self._add_key(seen, key)
            entries.append((key, self._node(next(self.events), depth + 1)))
        return Mapping(place, tuple(entries))

    def _count(self, place: SourceLocation, depth: int) -> None:
        """Refuse the node that is one too many or one too deep."""
        self.nodes += 1
        if self.nodes > NODES_MAX:
            message = f"the document has more than {NODES_MAX} values"
            raise SourceError(place, message, _SMALLER, "DOCUMENT_TOO_LARGE")
        if depth > DEPTH_MAX:
            message = f"values are nested more than {DEPTH_MAX} deep"
            remedy = "Write the value without so many brackets; five levels are enough."
            raise SourceError(place, message, remedy, "DOCUMENT_TOO_LARGE")

    @staticmethod
    def _add_key(seen: dict[str, SourceLocation], key: Scalar) -> None:
        """Note a key of a mapping; refuse one that is there already or is not ASCII."""
        if not key.text.isascii() or not key.text.isprintable():
            raise SourceError(
                key.place,
                f"the key {key.text[:40]!r} is not plain ASCII",
                "Keys are those of the format, all ASCII; look for a look-alike character.",
                "KEY_FORM",
            )
        if key.text in seen:
            first = seen[key.text]
            raise SourceError(
                key.place,
                f"the key {key.text[:40]!r} is there twice; it is first at {first}",
                "Keep one of the two.",
                "KEY_TWICE",
            )
        seen[key.text] = key.place


# ---- JSON ----------------------------------------------------------------------------------------

_NO_VALUE: Final = object()  # what JSON does not have: NaN and the infinities


def _read_json(text: str) -> Node:
    """Return the tree of a JSON document: places are those that YAML finds, values are JSON's.

    The two disagree about line separators and escapes within strings, and YAML takes what JSON
    refuses; so the text must be JSON, and its strings are what JSON says.
    """
    start = 1 if text.startswith("\ufeff") else 0
    try:
        value = json.loads(
            text[start:],
            parse_int=str,
            parse_float=str,
            parse_constant=lambda _: _NO_VALUE,
        )
    except json.JSONDecodeError as error:
        place = _Lines(text).place(start + error.pos)
        raise SourceError(place, f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}") from error
    except RecursionError:
        value = None  # far too deep, which the reader refuses with the place
    # YAML only finds the places: a blank may replace what it minds, such as a tab between values.
    plain = (each if each.isprintable() or each in "\r\n" else " " for each in text)
    return _as_json(_Reader("".join(plain)).document(), value)


def _as_json(node: Node, value: Any) -> Node:  # noqa: ANN401 - any JSON value
    """Return the node with the strings of the JSON value that it is the place of."""
    if isinstance(node, Mapping) and isinstance(value, dict) and len(node.entries) == len(value):
        read_ = zip(node.entries, value.values(), strict=True)
        return replace(node, entries=tuple((key, _as_json(each, of)) for (key, each), of in read_))
    if isinstance(node, Sequence) and isinstance(value, list) and len(node.items) == len(value):
        items = zip(node.items, value, strict=True)
        return replace(node, items=tuple(_as_json(each, of) for each, of in items))
    if not isinstance(node, Scalar) or isinstance(value, dict | list) or value is _NO_VALUE:
        raise SourceError(node.place, "not JSON: expected a value")
    if node.is_plain:
        return node
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise SourceError(node.place, _SURROGATE)
    return replace(node, text=value)
