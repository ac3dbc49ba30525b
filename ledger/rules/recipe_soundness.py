"""Whether a recipe's parts fit together: its gates in their order, each with what it needs.

The linter says all of it with places, and the auditor holds recorded recipes to the same.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from ledger.events.gate_names import GATES, GateName
from ledger.events.notation import duration, listed, money
from ledger.events.recipe_document import GatePart, RecipeDocument
from ledger.rules.candidate_soundness import accepts_anything
from ledger.rules.expressions import ExpressionError
from ledger.rules.gates import compile_criterion, declared_by, reads_of

SoundnessCode = Literal[
    "CANDIDATE_UNCOMPARED",
    "CRITERIA_MISSING",
    "CRITERION_CONSTANT",
    "EXPECTED_BEYOND_LIMIT",
    "EXPRESSION_INVALID",
    "GATE_LACKS",
    "GATE_MISPLACED",
    "GATE_ORDER",
    "HEARTBEAT_BEYOND_LEASE",
    "NAME_TWICE",
    "TEST_BEYOND_COST",
    "TEST_WITHOUT_GATE",
]

JUDGED: Final[frozenset[GateName]] = frozenset(
    {"data_integrity", "representativeness", "candidate", "training", "holdout", "observation"}
)
"""The gates that are passed by criteria. At the other two people or the ledger judge."""


class Unsound(NamedTuple):
    """One thing that does not fit, at the path of people's form of a recipe."""

    path: str
    code: SoundnessCode
    message: str
    remedy: str
    offset: tuple[int, int] = (1, 1)
    """Line and column within an expression."""


def unsound(document: RecipeDocument) -> Iterator[Unsound]:
    """Yield all that does not fit."""
    yield from _unsound_limits(document)
    yield from _unsound_test(document)
    yield from _unsound_order(document)
    for index, gate in enumerate(document.gates):
        path = f"gates[{index}]"
        yield from _unsound_parts(gate, path)
        if gate.gate in JUDGED:
            yield from _unsound_criteria(gate, path)


def _unsound_limits(document: RecipeDocument) -> Iterator[Unsound]:
    limits, expected = document.limits, document.expected
    if limits.heartbeat_seconds >= limits.lease_seconds:
        message = f"the lease of {duration(limits.lease_seconds)} is over before the next one"
        remedy = "Make it a third of the lease or less, so that one may be lost."
        yield Unsound("limits.heartbeat", "HEARTBEAT_BEYOND_LEASE", message, remedy)
    if expected.duration_seconds > limits.time_seconds:
        message = f"an attempt is stopped after {duration(limits.time_seconds)}"
        remedy = "Lengthen `limits.time`, or correct what is expected."
        yield Unsound("expected.duration", "EXPECTED_BEYOND_LIMIT", message, remedy)


def _unsound_test(document: RecipeDocument) -> Iterator[Unsound]:
    test = int(document.expected.test_micros)
    if test > int(document.expected.cost_micros):
        message = f"the job costs {money(int(document.expected.cost_micros))}, its test included"
        remedy = "Make it a part of `expected.cost`, or correct that."
        yield Unsound("expected.test", "TEST_BEYOND_COST", message, remedy)
    if test and all(one.gate != "candidate" for one in document.gates):
        message = "there is no gate candidate, so nothing is tested"
        remedy = "Leave it out, or add the gate."
        yield Unsound("expected.test", "TEST_WITHOUT_GATE", message, remedy)


def _unsound_order(document: RecipeDocument) -> Iterator[Unsound]:
    reached = -1
    for index, gate in enumerate(document.gates):
        place = GATES.index(gate.gate)
        if place == reached:
            message, remedy = f"the gate {gate.gate} is there twice", "Put its criteria in one."
            yield Unsound(f"gates[{index}].gate", "GATE_ORDER", message, remedy)
        elif place < reached:
            message = f"the gate {gate.gate} comes before {GATES[reached]}"
            remedy = f"Put the gates in this order: {', '.join(GATES)}."
            yield Unsound(f"gates[{index}].gate", "GATE_ORDER", message, remedy)
        reached = max(reached, place)


def _unsound_parts(gate: GatePart, path: str) -> Iterator[Unsound]:
    """Yield each part that a gate lacks, or that another gate has."""
    parts: tuple[tuple[str, GateName, bool], ...] = (
        ("holdout", "holdout", gate.holdout is not None),
        ("approvals", "approval", bool(gate.approvals)),
        ("window", "observation", gate.window_seconds is not None),
        ("signals", "observation", bool(gate.signals)),
        ("evidence_after", "observation", gate.evidence_after_ppm is not None),
    )
    for name, owner, is_there in parts:
        if gate.gate == owner and not is_there and name in _NEEDED:
            message = f"the gate {owner} needs `{name}`"
            remedy = _NEEDED[name]
            yield Unsound(f"{path}.{name}", "GATE_LACKS", message, remedy)
        elif gate.gate != owner and is_there:
            message = f"`{name}` is for the gate {owner}"
            remedy = "Leave it out, or move it there."
            yield Unsound(f"{path}.{name}", "GATE_MISPLACED", message, remedy)
    if gate.gate in JUDGED:
        return
    for name in ("metrics", "samples", "criteria"):
        if getattr(gate, name):
            message = f"nothing is measured at the gate {gate.gate}"
            remedy = f"Move it to one of {listed(sorted(JUDGED))}."
            yield Unsound(f"{path}.{name}", "GATE_MISPLACED", message, remedy)


_NEEDED: Final = {
    "holdout": "Name the data that is kept apart, and how often it may be used.",
    "approvals": "Say which roles approve, and how many persons in each.",
    "window": "Say how long the new version is observed, such as 7d.",
}


def _unsound_criteria(gate: GatePart, path: str) -> Iterator[Unsound]:
    if not gate.criteria:
        message = f"the gate {gate.gate} has no criteria, so everything passes it"
        remedy = "Write at least one, over numbers that the gate declares."
        yield Unsound(path, "CRITERIA_MISSING", message, remedy)
        return
    declared = declared_by(gate)
    yield from _twice(gate, path)
    is_compared = False
    for index, criterion in enumerate(gate.criteria):
        here = f"{path}.criteria[{index}].when"
        try:
            reads = reads_of(compile_criterion(criterion.when, declared).tree)
        except ExpressionError as error:
            place = error.line, error.column
            yield Unsound(here, "EXPRESSION_INVALID", error.message, _FORM, place)
            is_compared = True  # nothing is certain of it
            continue
        maps = {map_ for map_, _ in reads}
        is_compared = is_compared or maps >= {"champion", "candidate"}
        if not reads:
            message = "reads no number, so every report has the same answer"
            remedy = "Compare a metric or a sample size with its limit."
            yield Unsound(here, "CRITERION_CONSTANT", message, remedy)
    if gate.gate == "candidate" and (not is_compared or accepts_anything(gate)):
        message = "a candidate passes that is much worse than the version in service"
        remedy = (
            'Write one such as candidate["loss"] < champion["loss"], of a metric `of: versions`.'
        )
        yield Unsound(f"{path}.criteria", "CANDIDATE_UNCOMPARED", message, remedy)


_FORM: Final = (
    'A criterion compares whole numbers that the gate declares: metrics["missing"] <= 20000 && '
    'samples["rows"] >= 500; also champion, candidate, cost_micros and attempt. A share is written '
    "in the unit of its metric, such as 20000 ppm."
)


def _twice(gate: GatePart, path: str) -> Iterator[Unsound]:
    """Yield names of metrics that a map would hold twice."""
    yield from _signals_twice(gate, path)
    for name in ("metrics", "samples", "criteria"):
        seen: set[str] = set()
        for index, one in enumerate(getattr(gate, name)):
            if one.name in seen:
                message, remedy = f"{one.name!r} is there twice", "Keep one of the two."
                yield Unsound(f"{path}.{name}[{index}].name", "NAME_TWICE", message, remedy)
            seen.add(one.name)


def _signals_twice(gate: GatePart, path: str) -> Iterator[Unsound]:
    for index, name in enumerate(gate.signals):
        if name in gate.signals[:index]:
            message, remedy = f"{name!r} is there twice", "Keep one of the two."
            yield Unsound(f"{path}.signals[{index}]", "NAME_TWICE", message, remedy)
