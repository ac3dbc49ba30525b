"""What the tests of the stand-alone verifier do to a bundle's lines and JSON files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.chained import canonical, line_of, rehash
from tests.verifier.writing import bag

EVENTS, PROOFS, SCOPE = "data/events.jsonl", "data/proofs.jsonl", "data/scope.json"
Line = dict[str, Any]
Edit = Callable[[list[Line]], object]


def lines_of(folder: Path, name: str = EVENTS) -> list[Line]:
    return [json.loads(line) for line in (folder / name).read_bytes().split(b"\n")[:-1]]


def put_lines(folder: Path, lines: list[Line], name: str = EVENTS) -> None:
    (folder / name).write_bytes(b"".join(map(line_of, lines)))
    bag(folder)


def edit_json(folder: Path, name: str, edit: Callable[[Any], object]) -> None:
    value = json.loads((folder / name).read_bytes())
    edit(value)
    (folder / name).write_bytes(canonical(value))
    bag(folder)


def swap(lines: list[Line], a: int, b: int) -> None:
    lines[a], lines[b] = lines[b], lines[a]


def header_of(at: int, **changes: object) -> Edit:
    """Return an edit of a header that leaves its hash right."""

    def edit(lines: list[Line]) -> None:
        lines[at]["header"] |= changes
        rehash(lines[at])

    return edit


def body_of(at: int, **changes: object) -> Edit:
    def edit(lines: list[Line]) -> None:
        lines[at]["body"] |= changes
        rehash(lines[at])

    return edit
