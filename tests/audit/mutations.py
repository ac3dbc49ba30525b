"""Every change of one member of a ledger's events on jobs, plans and budgets, one after another.

Each is what an owner of the database could do: the change is made in place, and everything is
hashed and signed again. It is made where more events of the same job follow, as those are judged
by what the changed one left behind.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, NamedTuple

from tests.audit.paper import Paper, Written

KINDS: Final = ("job.", "gate.", "budget.", "plan.", "model.deployed.")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_HEX: Final = re.compile(r"[0-9a-f]{32,}")
_NUMBER: Final = re.compile(r"-?\d+")
Way = tuple[str | int, ...]


class Mutation(NamedTuple):
    """One change; `way` leads to the member, () is the whole event, which is left out."""

    position: int
    type: str
    way: Way
    how: str
    value: object = None

    @property
    def member(self) -> str:
        """The member without the places in lists."""
        return ".".join("*" if isinstance(one, int) else one for one in self.way)

    def __str__(self) -> str:
        """Say what is changed where."""
        return f"{self.type} at {self.position}: {self.member or 'all'} {self.how} {self.value!r}"


def mutations(paper: Paper) -> list[Mutation]:
    """Return one change of each sort of each member that events of these kinds have."""
    found: dict[tuple[str, str, str], Mutation] = {}
    names = _names(paper)
    for position, event in _in_the_middle_first(paper):
        for one in _of_event(position, event, names):
            found.setdefault((one.type, one.member, one.how), one)
    return list(found.values())


def removals(paper: Paper) -> list[Mutation]:
    """Return one for each event of these kinds, which is left out."""
    return [
        Mutation(position, event.type, (), "left out")
        for position, event in enumerate(paper.events, 1)
        if event.type.startswith(KINDS)
    ]


def changed(paper: Paper, one: Mutation) -> Paper:
    """Return a copy of a ledger in which one change is made."""
    made = deepcopy(paper)
    if not one.way:
        made.remove(one.position)
        return made
    at: Any = made.at(one.position).body
    for step in one.way[:-1]:
        at = at[step]
    at[one.way[-1]] = one.value
    return made


def _in_the_middle_first(paper: Paper) -> Iterator[tuple[int, Written]]:
    """Yield the events of these kinds: first those behind which most events of the stream come."""
    left: dict[str, int] = {}
    places: list[tuple[int, int, Written]] = []
    for position in range(len(paper.events), 0, -1):
        event = paper.at(position)
        if event.type.startswith(KINDS):
            places.append((-left.get(event.stream, 0), position, event))
        left[event.stream] = left.get(event.stream, 0) + 1
    for _, position, event in sorted(places, key=lambda place: place[:2]):
        yield position, event


def _names(paper: Paper) -> dict[str, list[str]]:
    """Return the texts that each member has anywhere."""
    found: dict[str, set[str]] = {}
    for event in paper.events:
        for path, value in _walk(event.data, ()):
            if isinstance(value, str) and path:
                found.setdefault(str(path[-1]), set()).add(value)
    return {name: sorted(texts) for name, texts in found.items()}


def _walk(value: object, path: Way) -> Iterator[tuple[Way, object]]:
    yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(item, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _walk(item, (*path, place))


def _of_event(position: int, event: Written, names: dict[str, list[str]]) -> Iterator[Mutation]:
    for path, value in _walk(event.data, ("data",)):
        for how, new in _otherwise(path, value, position, names):
            if new != value:
                yield Mutation(position, event.type, path, how, new)
    body = event.body
    assert isinstance(body, dict)
    envelope: dict[str, dict[str, object]] = {
        "run_id": {"nothing": None, "another": "runs/another"},
        "causation_position": {"nothing": None, "another": max(1, position - 2)},
        "actor": {"a service": "services/worker-9", "a person": "users/mallory"},
    }
    for name, others in envelope.items():
        for how, new in others.items():
            if new != body[name]:
                yield Mutation(position, event.type, (name,), how, new)


def _otherwise(
    path: Way, value: object, position: int, names: dict[str, list[str]]
) -> Iterator[tuple[str, object]]:
    """Yield other values of the same sort, each with a word for it."""
    if isinstance(value, bool):
        yield "flipped", not value
    elif isinstance(value, int):
        yield from (("more", value + 1), ("less", value - 1))
    elif value is None:
        yield from (("a name", "v1"), ("a place", max(1, position - 1)), ("a number", "1"))
    elif isinstance(value, str):
        yield from _other_texts(str(path[-1]), value, names)
    elif isinstance(value, list):
        if value:
            yield from (("without the first", value[1:]), ("without the last", value[:-1]))
        else:
            yield "with a name", ["v1"]
    elif len(path) > 1:
        yield "nothing", None


def _other_texts(
    name: str, value: str, names: dict[str, list[str]]
) -> Iterator[tuple[str, object]]:
    if _NUMBER.fullmatch(value):
        yield from (("more", str(int(value) + 1)), ("zero", "0"), ("huge", "9" * 18))
    elif _TIME.match(value):
        for how, years in (("later", 1), ("earlier", -1)):
            yield how, f"{int(value[:4]) + years}{value[4:]}"
    elif _HEX.fullmatch(value):
        yield "another", ("1" if value[0] != "1" else "2") + value[1:]
    else:
        others = [one for one in names.get(name, ()) if one != value]
        yield from (("another", one) for one in others[:1])
        yield from (("the last other", one) for one in others[1:][-1:])
        yield from (("unknown", "x-unknown"), ("nothing", None))
