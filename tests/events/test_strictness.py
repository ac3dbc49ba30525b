"""Data of an event is taken whole and exactly, or not at all.

Method: take each golden instance and spoil it in one way at every place where that is possible:
a member more, a member less, a float, a boolean for an integer, a number for a text, a value just
outside its range. Every spoilt instance must be refused; the whole ones are the control.
"""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from ledger.events.registry import BY_TYPE
from tools.golden import GOLDEN

DATA: dict[str, dict[str, Any]] = {
    name: json.loads((GOLDEN / f"{name}.json").read_bytes())["body"]["data"] for name in BY_TYPE
}
# Mappings whose keys the caller chooses: one key more or less is a value like any other.
OPEN = (
    "labels", "signals", "indicators",
    "metrics", "samples", "champion", "candidate", "values",
)  # fmt: skip


def objects(node: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every closed object in the data."""
    if isinstance(node, dict):
        is_open = bool(path) and path[-1] in OPEN
        if not is_open:
            yield path
        for key, value in node.items():
            yield from objects(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from objects(value, (*path, index))


def leaves(node: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], object]]:
    """Yield path and value of everything that is neither object nor list."""
    if isinstance(node, dict | list):
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def changed(data: dict[str, Any], path: tuple[Any, ...], change: Callable[[Any], Any]) -> object:
    """Return a copy of the data in which `change` was applied at a path."""
    spoilt = copy.deepcopy({"": data})
    node: Any = spoilt
    full = ("", *path)
    for key in full[:-1]:
        node = node[key]
    node[full[-1]] = change(node[full[-1]])
    return spoilt[""]


def always(value: object) -> Callable[[Any], Any]:
    return lambda _: value


def refused(name: str, data: object) -> bool:
    try:
        BY_TYPE[name].from_data(data)
    except ValidationError:
        return True
    return False


def may_be_null(name: str, path: tuple[Any, ...]) -> bool:
    """Return whether a member of the data itself may be null; within it one with a number may."""
    if len(path) > 1:
        # of a gate that observes nothing
        return str(path[-1]) in {"window_seconds", "evidence_after_ppm"}
    return type(None) in get_args(BY_TYPE[name].model_fields[path[0]].annotation)


@pytest.mark.parametrize("name", sorted(DATA))
def test_the_golden_data_itself_is_accepted(name: str) -> None:
    assert BY_TYPE[name].from_data(DATA[name]).to_data() == DATA[name]


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_member_more_is_refused_everywhere(name: str) -> None:
    for path in objects(DATA[name]):
        assert refused(name, changed(DATA[name], path, lambda node: {**node, "extra": 1})), path


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_member_less_is_refused_everywhere(name: str) -> None:
    for path in objects(DATA[name]):
        node: Any = DATA[name]
        for key in path:
            node = node[key]
        for missing in node:
            rest = {key: value for key, value in node.items() if key != missing}
            spoilt = changed(DATA[name], path, always(rest))
            assert refused(name, spoilt), (*path, missing)


@pytest.mark.parametrize("name", sorted(DATA))
def test_no_value_is_taken_for_one_of_another_type(name: str) -> None:
    for path, value in leaves(DATA[name]):
        others: list[object] = [1.0, 0.5, [], {}]
        if isinstance(value, bool):
            others += [0, 1, "true"]
        elif isinstance(value, int):
            others += [True, str(value), float(value)]
            others += [] if may_be_null(name, path) else [None]
        elif isinstance(value, str):
            others += [1, True, b"x", value.encode()]
        for other in others:
            spoilt = changed(DATA[name], path, always(other))
            assert refused(name, spoilt), (path, other)


@pytest.mark.parametrize("name", sorted(DATA))
def test_no_number_leaves_its_range(name: str) -> None:
    for path, value in leaves(DATA[name]):
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        for beyond in (2**53, -(2**53), 2**80):
            is_version = str(path[-1]).endswith("version")
            if is_version and beyond > 0:
                continue  # its bound is the encoder's
            spoilt = changed(DATA[name], path, always(beyond))
            assert refused(name, spoilt), (path, beyond)


@pytest.mark.parametrize(
    ("name", "member", "wrong"),
    [
        ("signal.observed.v1", "value", "0.570"),
        ("signal.observed.v1", "value", "1e3"),
        ("signal.observed.v1", "value", "NaN"),
        ("signal.observed.v1", "value", "1234567890123"),
        ("signal.observed.v1", "value", "-0"),
        ("signal.observed.v1", "sample_size", 0),
        ("signal.observed.v1", "sample_size", 10**12 + 1),
        ("signal.observed.v1", "observed_at", "2026-03-01T00:00:00Z"),
        ("signal.observed.v1", "observed_at", "2026-02-30T00:00:00.000000Z"),
        ("signal.observed.v1", "observed_at", "1969-12-31T23:59:59.999999Z"),
        ("signal.observed.v1", "signal", ""),
        ("signal.observed.v1", "signal", "a" * 129),
        ("signal.observed.v1", "signal", "Log-loss"),
        ("signal.observed.v1", "signal", "log-loss\n"),
        ("signal.observed.v1", "signal", "lög-loss"),
        ("model.registered.v1", "impact_ppm", -1),
        ("model.registered.v1", "impact_ppm", 1_000_001),
        ("model.registered.v1", "cost_micros", "01"),
        ("model.registered.v1", "cost_micros", "1.5"),
        ("model.registered.v1", "labels", {f"k{n}": "" for n in range(33)}),
        ("model.registered.v1", "labels", {"Key": "x"}),
        ("model.deployed.v1", "kind", "rolled_back"),
        ("ledger.configured.v1", "clock", "sundial"),
        ("policy.activated.v1", "digest", "DB" * 32),
        ("decision.made.v1", "action", "RETRAIN"),
        ("plan.made.v1", "price", "-"),
    ],
)
def test_values_outside_their_grammar_are_refused(name: str, member: str, wrong: object) -> None:
    assert refused(name, {**DATA[name], member: wrong})


def test_instances_cannot_be_changed() -> None:
    data = BY_TYPE["model.retired.v1"].from_data(DATA["model.retired.v1"])
    with pytest.raises(ValidationError, match="frozen"):
        data.reason = "another"  # type: ignore[attr-defined]
