"""How far a decision is from another one: the nearest change of one number that makes it differ.

Where a rule compares integers, its truth can only change at the point where both sides meet. So
the values worth trying are those points and their neighbours, found in the checked trees; each is
then proved by deciding again with the variable replaced. For rules whose use of a variable is
linear the answer is the smallest change there is; other uses of it are proved but not searched.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ledger.events.decisions import RecordedEnvironment
from ledger.events.notation import share
from ledger.events.policy_document import Action, DecisionPart
from ledger.events.values import PPM
from ledger.rules.expression_tree import COMPARISONS, MEMBERSHIP, MINUS, ExpressionNode, path_of
from ledger.rules.procedure import Outcome, decide, expressions
from ledger.rules.shares import is_share
from ledger.rules.vocabulary import SIGNAL_FIELDS, VARIABLES

Value: TypeAlias = int | bool | str | None

_SIGNAL_PREFIX: Final = 'signals["'
_LABEL_PREFIX: Final = 'model.labels["'
_COUNT_MAX: Final = 2**53 - 1
_COUNTS: Final = frozenset({"observations", "buckets", "breaches", "streak", "retrainings_30d"})

# Numbers of different units are compared by how much of an ordinary range they cross: ratios of
# the whole, hours of a week, counts of ten.
_SCALE_HOURS: Final = 168
_SCALE_COUNT: Final = 10


@dataclass(frozen=True, slots=True)
class DecisionBoundary:
    """The smallest change of one variable, all else equal, that leads to another outcome."""

    variable: str
    value: int
    needed: int
    action: Action
    tier: str
    rule: str
    """The rule that would win; empty for the policy's otherwise."""
    held_back: Literal["COOL_DOWN"] | None
    sentence: str

    @property
    def change(self) -> int:
        """The amount to add to the present value."""
        return self.needed - self.value


def value_of(environment: RecordedEnvironment, path: str) -> Value:
    """Return the value of a variable of a rule, None for a label that the model does not have."""
    if path.startswith(_SIGNAL_PREFIX):
        name, field = path.removeprefix(_SIGNAL_PREFIX).rsplit('"].', 1)
        found: Value = getattr(environment.signals[name], field)
        return found
    if path.startswith(_LABEL_PREFIX):
        return environment.model.labels.get(path.removeprefix(_LABEL_PREFIX).removesuffix('"]'))
    target = environment.model if path.startswith("model.") else environment
    value: Value = getattr(target, path.removeprefix("model."))
    return value


def with_value(environment: RecordedEnvironment, path: str, value: int) -> RecordedEnvironment:
    """Return the environment with one integer variable replaced."""
    if not path.startswith(_SIGNAL_PREFIX):
        return environment.model_copy(update={path: value})
    name, field = path.removeprefix(_SIGNAL_PREFIX).rsplit('"].', 1)
    change = {field: value} | ({"present": value > 0} if field == "buckets" else {})
    part = environment.signals[name].model_copy(update=change)
    return environment.model_copy(update={"signals": {**environment.signals, name: part}})


def boundaries(
    rules: DecisionPart, environment: RecordedEnvironment
) -> tuple[DecisionBoundary, ...]:
    """Return the nearest change to each other outcome, nearest first.

    What counts is what the rules and the cool-down give; an override does not move with numbers.
    Outcomes by a rule that fails are left out. Cost: one decision per value tried, of which there
    are at most three for each comparison and variable.
    """
    present = decide(rules, environment)
    matching = [expression for _, expression in expressions(rules, environment)]
    paths = {path for expression in matching for path in expression.paths if _is_number(path)}
    if rules.cool_down_hours:
        paths.add("hours_since_deployed")
    nearest: dict[Outcome, DecisionBoundary] = {}
    for path in sorted(paths):
        tried = {
            value
            for expression in matching
            if path in expression.paths
            for value in _turning_points(expression.tree, path, environment)
        }
        if path == "hours_since_deployed":
            tried |= {-1, 0, rules.cool_down_hours - 1, rules.cool_down_hours}
        for boundary, outcome in _proved(rules, environment, path, tried, present):
            known = nearest.get(outcome)
            if known is None or _distance(boundary) < _distance(known):
                nearest[outcome] = boundary
    return tuple(sorted(nearest.values(), key=lambda found: (_distance(found), found.variable)))


def _proved(
    rules: DecisionPart,
    environment: RecordedEnvironment,
    path: str,
    tried: set[int],
    present: Outcome,
) -> Iterator[tuple[DecisionBoundary, Outcome]]:
    """Yield the values of one variable that do lead to another outcome, the nearest of each."""
    value = value_of(environment, path)
    assert isinstance(value, int)
    least, most = _range(path)
    seen = {present}
    for needed in sorted(tried, key=lambda number: (abs(number - value), number)):
        if needed == value or not least <= needed <= most:
            continue
        outcome = decide(rules, with_value(environment, path, needed))
        if outcome in seen or outcome.reason == "RULE_ERROR":
            continue
        seen.add(outcome)
        yield _boundary(path, value, needed, outcome), outcome


def _boundary(path: str, value: int, needed: int, outcome: Outcome) -> DecisionBoundary:
    """Return a boundary with its sentence."""
    verb = "rose" if needed > value else "fell"
    if is_share(path):
        change = f"from {share(value)} to {share(needed)}"
    else:
        change = f"by {abs(needed - value)} to {needed}"
    sentence = f"If {path} {verb} {change}, all else equal, {told(outcome)}."
    return DecisionBoundary(
        path, value, needed, outcome.action, outcome.tier, outcome.rule, outcome.held_back, sentence
    )


def told(outcome: Outcome) -> str:
    """Return an outcome that would be, as the end of a sentence."""
    winner = f"rule {outcome.rule}" if outcome.rule else "the policy's otherwise"
    held = ", retraining being held back by the cool-down" if outcome.held_back else ""
    tier = f" at tier {outcome.tier}" if outcome.tier else ""
    return f"{winner} would decide {outcome.action}{tier}{held}"


def _distance(boundary: DecisionBoundary) -> int:
    """Return how much of an ordinary range a change crosses, in ppm of it."""
    name = boundary.variable.rsplit(".", 1)[-1]
    if name in _COUNTS:
        scale = _SCALE_COUNT
    elif "hours" in name:
        scale = _SCALE_HOURS
    else:
        scale = PPM
    crossed = abs(boundary.change) * PPM // scale
    # −1 hours is no length of time but says that there is none: leaving or reaching it is a change
    # of kind, and counts as the whole range.
    is_of_kind = "hours" in name and -1 in {boundary.value, boundary.needed}
    return crossed + PPM if is_of_kind else crossed


def _is_number(path: str) -> bool:
    """Whether a path names an integer that can change; weights and intervals are the policy's."""
    if path.startswith(_SIGNAL_PREFIX):
        name = path.rsplit(".", 1)[-1]
        return SIGNAL_FIELDS.get(name) == "int" and name != "weight"
    return VARIABLES.get(path) == "int"


def _range(path: str) -> tuple[int, int]:
    """Return the least and the largest value that a variable can have."""
    name = path.rsplit(".", 1)[-1]
    if name in _COUNTS or name == "hours_in_force":
        return 0, _COUNT_MAX
    if "hours" in name:
        return -1, _COUNT_MAX
    return (-PPM, PPM) if name == "trend" else (0, PPM)


def _turning_points(
    tree: ExpressionNode, path: str, environment: RecordedEnvironment
) -> Iterator[int]:
    """Yield the values of a variable next to where a comparison in the tree changes its truth."""
    for node in tree.walk():
        if node.kind != "call":
            continue
        if node.name in COMPARISONS:
            pairs = [(node.parts[0], node.parts[1])]
        elif node.name == MEMBERSHIP and node.parts[1].kind == "list":
            pairs = [(node.parts[0], element) for element in node.parts[1].parts]
        else:
            continue
        for left, right in pairs:
            ours = _linear(left, path, environment)
            theirs = _linear(right, path, environment)
            if ours is None or theirs is None:
                continue
            slope, offset = ours[0] - theirs[0], ours[1] - theirs[1]
            if slope:
                meeting = -offset // slope
                yield from (meeting - 1, meeting, meeting + 1)


def _linear(
    node: ExpressionNode, path: str, environment: RecordedEnvironment
) -> tuple[int, int] | None:
    """Return (a, b) where an integer expression is a × variable + b, None where it is not."""
    if node.kind == "const" and isinstance(node.value, int) and not isinstance(node.value, bool):
        return 0, node.value
    found = path_of(node)
    if found == path:
        return 1, 0
    if found is not None:
        value = value_of(environment, found)
        return (0, value) if isinstance(value, int) and not isinstance(value, bool) else None
    if node.kind != "call":
        return None
    parts = [_linear(part, path, environment) for part in node.parts]
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    if node.name == MINUS:
        return -known[0][0], -known[0][1]
    if len(known) != 2:
        return None
    return _arithmetic(node.name, *known)


def _arithmetic(
    function: str, left: tuple[int, int], right: tuple[int, int]
) -> tuple[int, int] | None:
    """Return the sum, difference, product or quotient of two linear expressions if it is linear."""
    (slope, offset), (by_slope, by_offset) = left, right
    if function == "_+_":
        return slope + by_slope, offset + by_offset
    if function == "_-_":
        return slope - by_slope, offset - by_offset
    if function == "_*_" and not (slope and by_slope):
        return slope * by_offset + by_slope * offset, offset * by_offset
    if function in {"_/_", "_%_"} and not slope and not by_slope and by_offset:
        # CEL divides towards zero, and the remainder has the sign of the dividend.
        quotient = abs(offset) // abs(by_offset)
        quotient = quotient if (offset < 0) == (by_offset < 0) else -quotient
        return 0, quotient if function == "_/_" else offset - quotient * by_offset
    return None
