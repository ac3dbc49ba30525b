"""The difference of two policies in words: each change with what it does.

Values are compared as they are stored and shown as people write them, so a change of spelling is
none. Entries of a list are told apart by their key, so one that moved is not two that changed;
the order of rules counts, since the first that is true decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from ledger.application.documents.authored import (
    Authored,
    entries_of,
    part_of,
    unit_of,
)
from ledger.application.documents.units import FreeText, Stored, Unit
from ledger.application.policies.authoring import (
    AuthoredDecision,
    AuthoredEvaluation,
    AuthoredPolicy,
    AuthoredRule,
    AuthoredScoring,
    AuthoredSignal,
    AuthoredTier,
)
from ledger.application.policies.units import Expression, SignalRationale
from ledger.events.notation import counted, percent
from ledger.events.policy_document import PolicyDocument
from ledger.events.values import PPM, parse_decimal
from ledger.rules.conditions import Box, boxes_of, is_covered
from ledger.rules.expressions import ExpressionError, compile_expression
from ledger.rules.shares import signals_named
from ledger.rules.vocabulary import RULES_2

ChangeKind = Literal["added", "removed", "changed", "moved"]
_SHORT: Final = 60  # longer values are not repeated in a sentence

_EFFECTS: Final[dict[tuple[type[Authored], str], tuple[str, str]]] = {
    (AuthoredSignal, "window"): ("observations count for longer", "observations count less long"),
    (AuthoredSignal, "half_life"): ("older observations weigh more", "older ones weigh less"),
    (AuthoredSignal, "breach"): ("fewer buckets are breaches", "more buckets are breaches"),
    (AuthoredSignal, "sustain"): ("it is sustained later", "it is sustained sooner"),
    (AuthoredSignal, "transient"): (
        "it counts more while it is not sustained",
        "it counts less while it is not sustained",
    ),
    (AuthoredSignal, "min_buckets"): (
        "more buckets are needed for it to be sustained",
        "fewer buckets are needed for it to be sustained",
    ),
    (AuthoredSignal, "sample_cap"): ("one observation can count for more", "one counts for less"),
    (AuthoredSignal, "prior_samples"): (
        "few samples count as healthier",
        "few samples are believed more",
    ),
    (AuthoredSignal, "sources_needed"): ("more sources must agree", "fewer sources must agree"),
    (AuthoredSignal, "reports_every"): ("silence shows later", "silence shows sooner"),
    (AuthoredScoring, "impact_gain"): ("impact lifts priorities more", "impact lifts them less"),
    (AuthoredScoring, "risk_gain"): ("risk lifts priorities more", "risk lifts them less"),
    (AuthoredDecision, "cool_down"): (
        "after a deployment retraining waits longer",
        "after a deployment retraining waits less long",
    ),
    (AuthoredDecision, "max_priority_step"): (
        "priorities may move faster",
        "priorities may only move more slowly",
    ),
    (AuthoredEvaluation, "interval"): (
        "models are scored less often",
        "they are scored more often",
    ),
    (AuthoredEvaluation, "silence"): ("silence shows later", "silence shows sooner"),
    (AuthoredTier, "acknowledge"): ("an answer is expected later", "it is expected sooner"),
}
"""The effect of a greater and of a smaller value, where it can be said of the value alone."""
_NO_BOUND: Final = 10 * PPM


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One difference, at a path such as `scoring.signals[psi].weight`."""

    path: str
    kind: ChangeKind
    before: str
    """As people write it; empty where it is not there."""
    after: str
    sentence: str
    is_text: bool = False
    """Whether only a title or rationale differs, which decides nothing."""


def policy_changes(before: PolicyDocument, after: PolicyDocument) -> tuple[PolicyChange, ...]:
    """Return every difference of two policies, in the order in which people write one."""
    old, new = (each.model_dump(mode="json") for each in (before, after))
    return tuple(_mapping(AuthoredPolicy, old, new, _Place("", "")))


@dataclass(frozen=True, slots=True)
class _Place:
    """A mapping of a policy: its path, and what a sentence calls it."""

    path: str
    called: str

    def field(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def of(self, name: str) -> str:
        words = name.replace("_", " ")
        return f"{words} of {self.called}" if self.called else words


def _mapping(
    model: type[Authored], before: Mapping[str, Any], after: Mapping[str, Any], place: _Place
) -> Iterator[PolicyChange]:
    """Yield the differences of two mappings of one kind."""
    for name, field in model.model_fields.items():
        unit, part = unit_of(field), part_of(field)
        if unit is not None:
            stored = field.serialization_alias or name
            values = before.get(stored), after.get(stored)
            if isinstance(unit, SignalRationale):
                yield from _reasons(values, place.field(name), place)
            elif values[0] != values[1]:
                yield _value(model, name, unit, (before, after), place)
            continue
        assert part is not None, "what is no single value is a mapping or a list of them"
        inner = _Place(place.field(name), _CALLED.get(name, name))
        entries = entries_of(field)
        if entries is not None:
            yield from _entries(part, entries.key, (before.get(name), after.get(name)), inner)
        else:  # the values of `otherwise` are stored beside it
            old, new = before.get(name, before), after.get(name, after)
            if old is not None and new is not None:
                yield from _mapping(part, old, new, inner)
            elif (old is None) != (new is None):
                verb: ChangeKind = "added" if old is None else "removed"
                yield PolicyChange(inner.path, verb, "", "", f"{name} is {verb}")


def _reasons(values: tuple[Stored, Stored], path: str, place: _Place) -> Iterator[PolicyChange]:
    """Yield the differences of two rationales of a signal: of its weight, and of its thresholds."""
    old, new = (
        each if isinstance(each, dict) else dict.fromkeys(SignalRationale.PARTS, str(each))
        for each in values
    )
    for name in SignalRationale.PARTS:
        if old[name] != new[name]:
            said = f"rationale of the {name} of {place.called} is rewritten"
            change = PolicyChange(
                f"{path}.{name}", "changed", old[name], new[name], said, is_text=True
            )
            yield change


_CALLED: Final = {"scoring": "", "decision": "", "otherwise": "otherwise"}


def _value(
    model: type[Authored],
    name: str,
    unit: Unit,
    mappings: tuple[Mapping[str, Any], Mapping[str, Any]],
    place: _Place,
) -> PolicyChange:
    """Return the change of a single value, and what it does."""
    stored = model.model_fields[name].serialization_alias or name
    before, after = (each.get(stored) for each in mappings)
    old, new = (_written(unit, each) for each in (before, after))
    is_text = isinstance(unit, FreeText) and name in ("title", "rationale")
    said = place.of(name)
    if is_text or len(old) > _SHORT or len(new) > _SHORT:
        sentence = f"{said} is rewritten"
    else:
        sentence = f"{said} {old or 'none'} → {new or 'none'}"
    effect = _effect(model, name, (before, after), mappings)
    if isinstance(unit, Expression):
        effect = _reach(before, after)
    sentence += f": {effect}" if effect else ""
    return PolicyChange(place.field(name), "changed", old, new, sentence, is_text)


def _written(unit: Unit, value: Stored) -> str:
    return "" if value is None else unit.write(value)


def _effect(
    model: type[Authored],
    name: str,
    values: tuple[Stored, Stored],
    mappings: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> str:
    """Return what the change of a number does; empty where that depends on the rest."""
    if model is AuthoredSignal and name in ("baseline", "critical"):
        return _limit_effect(name, mappings)
    greater, smaller = _EFFECTS.get((model, name), ("", ""))
    if model is AuthoredDecision:  # no bound is the greatest
        values = tuple(_NO_BOUND if each is None else each for each in values)  # type: ignore[assignment]
    before, after = values
    if not isinstance(before, int) or not isinstance(after, int):
        return ""
    if model is AuthoredTier and 0 in values:
        return "an answer is expected" if after else "no answer is expected"
    return greater if after > before else smaller


def _limit_effect(name: str, mappings: tuple[Mapping[str, Any], Mapping[str, Any]]) -> str:
    """Return what another baseline or critical value does, by the direction of the signal."""
    before, after = mappings
    signs = [parse_decimal(each["critical"]) > parse_decimal(each["baseline"]) for each in mappings]
    if signs[0] != signs[1]:
        return "the direction in which the signal is worse is the other one"
    is_towards_worse = (parse_decimal(after[name]) > parse_decimal(before[name])) == signs[0]
    if name == "baseline":
        return "degradation begins later" if is_towards_worse else "degradation begins sooner"
    return "the same value counts as less bad" if is_towards_worse else "the same value is worse"


def _reach(before: Stored, after: Stored) -> str:
    """Return how the cases of two conditions lie to each other, as far as that is certain."""
    if before is None:
        return "it goes on by that while it is in force"
    if after is None:
        return "it goes on by its `when` alone"
    old, new = _boxes(str(before)), _boxes(str(after))
    if old is None or new is None:
        return ""
    is_wider, is_narrower = is_covered(old, new), is_covered(new, old)
    if is_wider and is_narrower:
        return "true in the same cases"
    return "true in more cases" if is_wider else "true in fewer cases" if is_narrower else ""


def _boxes(text: str) -> tuple[Box, ...] | None:
    try:
        return boxes_of(compile_expression(text, signals_named(text), RULES_2).tree)
    except ExpressionError:
        return None


# ---- lists ---------------------------------------------------------------------------------------


def _entries(
    part: type[Authored],
    key: str,
    lists: tuple[Sequence[Mapping[str, Any]] | None, Sequence[Mapping[str, Any]] | None],
    place: _Place,
) -> Iterator[PolicyChange]:
    """Yield the differences of two lists whose entries one of their values tells apart."""
    before, after = ({each[key]: each for each in some or ()} for some in lists)
    noun = {"signals": "signal", "rules": "rule", "tiers": "tier"}.get(_last(place.path), "")
    order_before, order_after = list(before), list(after)
    for name in order_before:
        if name not in after:
            path = f"{place.path}[{name}]"
            said = f"{noun} {name} is removed{_given(part, before[name], order_before)}"
            yield PolicyChange(path, "removed", str(name), "", said)
    kept = [name for name in order_after if name in before]
    moved = _moved([name for name in order_before if name in after], kept)
    for name in order_after:
        path = f"{place.path}[{name}]"
        if name not in before:
            said = f"{noun} {name} is added{_given(part, after[name], order_after)}"
            yield PolicyChange(path, "added", "", str(name), said)
            continue
        if part is AuthoredRule and name in moved:
            places = order_before.index(name) + 1, order_after.index(name) + 1
            said = f"rule {name} moved from place {places[0]} to place {places[1]}"
            yield PolicyChange(path, "moved", str(places[0]), str(places[1]), said)
        called = str(name) if part is AuthoredSignal else f"{noun} {name}"
        yield from _entry(part, (before, after), name, _Place(path, called))


def _entry(
    part: type[Authored],
    lists: tuple[Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]],
    name: str,
    place: _Place,
) -> Iterator[PolicyChange]:
    """Yield the differences of one entry; that of a weight beside all other weights."""
    for change in _mapping(part, lists[0][name], lists[1][name], place):
        if part is not AuthoredSignal or not change.path.endswith(".weight"):
            yield change
            continue
        old, new = (
            entries[name]["weight_ppm"]
            * PPM
            // sum(each["weight_ppm"] for each in entries.values())
            for entries in lists
        )
        more = "more" if new > old else "less" if new < old else "as much"
        said = f"{change.sentence}: it counts {more}, {percent(new)} of all weights"
        said += f" instead of {percent(old)}" if new != old else ""
        yield PolicyChange(change.path, change.kind, change.before, change.after, said)


def _given(part: type[Authored], entry: Mapping[str, Any], order: Sequence[str]) -> str:
    """Return what an entry says, for one that came or went."""

    def written(name: str) -> str:
        field = part.model_fields[name]
        unit = unit_of(field)
        assert unit is not None
        return _written(unit, entry.get(field.serialization_alias or name))

    if part is AuthoredRule:
        place = order.index(entry["id"]) + 1
        said = f", place {place} of {counted(len(order), 'rule')}: {written('action')}"
        tier = entry["tier"]
        return f"{said}{f' at tier {tier}' if tier else ''} if {written('when')}"
    if part is AuthoredSignal:
        limits = f"baseline {written('baseline')}, critical {written('critical')}"
        return f": weight {written('weight')}, {limits}"
    return ""


def _moved(before: Sequence[str], after: Sequence[str]) -> frozenset[str]:
    """Return the entries that are not where they were among those that both have."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    same = {
        name for at, _, size in matcher.get_matching_blocks() for name in before[at : at + size]
    }
    return frozenset(before) - same


def _last(path: str) -> str:
    return path.rsplit(".", 1)[-1]
