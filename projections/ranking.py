"""The ranked queue of models, and what moved between two of them, with the reason in a sentence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from ledger.events.notation import percent
from projections.priorities import LatestScore, PriorityRow

Order = Literal["priority", "plan"]

_NAMED_MAX: Final = 3  # models that a sentence names before it only counts


@dataclass(frozen=True, slots=True)
class RankedModel:
    """A model's row with its place in the queue, from 1."""

    rank: int
    row: PriorityRow


@dataclass(frozen=True, slots=True)
class RankChange:
    """One model whose rank or action differs. A rank is None where the model was not in the fleet.

    Priorities in ppm; None where the model had no score.
    """

    model: str
    rank_before: int | None
    rank_after: int | None
    priority_before: int | None
    priority_after: int | None
    action_before: str | None
    action_after: str | None
    why: str


def ranked(rows: Mapping[str, PriorityRow], order: Order = "priority") -> list[RankedModel]:
    """Return models in order, of visible rows.

    `priority`: by priority descending, then model ascending; models without a score last.
    `plan`: by their place in the newest plan; models outside it last, among themselves as above.
    """
    key = _by_plan if order == "plan" else _by_priority
    return [
        RankedModel(rank, row) for rank, row in enumerate(sorted(rows.values(), key=key), start=1)
    ]


def _by_priority(row: PriorityRow) -> tuple[int, int, str]:
    score = row["score"]
    return (1, 0, row["model"]) if score is None else (0, -score["priority"], row["model"])


def _by_plan(row: PriorityRow) -> tuple[int, int, int, str]:
    plan = row["plan"]
    return (0, plan["place"], 0, row["model"]) if plan is not None else (1, *_by_priority(row))


def moves(before: Mapping[str, PriorityRow], after: Mapping[str, PriorityRow]) -> list[RankChange]:
    """Return who moved between two sets of visible rows: by rank after, then those that left.

    A model moved if its rank by priority or its action differs, or if it joined or left.
    """
    ranks_before = {place.row["model"]: place.rank for place in ranked(before)}
    ranks_after = {place.row["model"]: place.rank for place in ranked(after)}
    order = [*ranks_after, *(model for model in ranks_before if model not in ranks_after)]
    found = []
    for model in order:
        old, new = before.get(model), after.get(model)
        move = RankChange(
            model,
            ranks_before.get(model),
            ranks_after.get(model),
            _priority(old),
            _priority(new),
            _action(old),
            _action(new),
            "",
        )
        if move.rank_before != move.rank_after or move.action_before != move.action_after:
            overtaking = partial(_overtaking, move, ranks_before, ranks_after)
            found.append(replace(move, why=_why(move, old, new, overtaking)))
    return found


def _why(
    move: RankChange,
    old: PriorityRow | None,
    new: PriorityRow | None,
    overtaking: Callable[[], str],
) -> str:
    """Return one sentence: what changed about the model itself, else who went past it."""
    if old is None or new is None:
        return _joined_or_left(move)
    reasons = [
        *_deployment_change(old, new),
        *_policy_change(old["score"], new["score"]),
        *_priority_change(old["score"], new["score"]),
        *_decision_change(old, new),
    ]
    own = move.priority_before != move.priority_after
    if not own and move.rank_before != move.rank_after:
        reasons.append(overtaking())
    return _sentence(reasons)


def _joined_or_left(move: RankChange) -> str:
    if move.rank_after is None:
        return "It was retired."
    if move.priority_after is None:
        return "It joined the fleet and has no score yet."
    return f"It joined the fleet, with priority {percent(move.priority_after)}."


def _deployment_change(old: PriorityRow, new: PriorityRow) -> list[str]:
    was, now = old["deployed"], new["deployed"]
    if now is None or (was is not None and was["position"] == now["position"]):
        return []
    version = now["model_version"]
    if was is not None and was["model_version"] == version:
        # Versions that served in between are gone: rows keep the newest deployment only.
        return [f"version {version} was put into service again"]
    verb = "was put back into service" if now["kind"] == "reinstated" else "went into service"
    instead = "" if was is None else f" in place of {was['model_version']}"
    return [f"version {version} {verb}{instead}"]


def _policy_change(old: LatestScore | None, new: LatestScore | None) -> list[str]:
    if old is None or new is None or old["policy_digest"] == new["policy_digest"]:
        return []
    was, now = (f"{score['policy']} version {score['policy_version']}" for score in (old, new))
    return [f"policy {now} took over from {was}"]


def _priority_change(old: LatestScore | None, new: LatestScore | None) -> list[str]:
    if new is None:
        return ["its last score was erased"] if old is not None else []
    now = percent(new["priority"])
    if old is None:
        return [f"it was scored for the first time, at {now}"]
    if old["priority"] == new["priority"]:
        return []
    rose = new["priority"] > old["priority"]
    verb = "rose" if rose else "fell"
    because = _loudest_change(old, new, rose=rose)
    return [f"its priority {verb} from {percent(old['priority'])} to {now}{because}"]


def _loudest_change(old: LatestScore, new: LatestScore, *, rose: bool) -> str:
    """Name the signal whose contribution moved furthest in the direction of the priority."""
    was = {part["signal"]: part["points"] for part in old["contributions"]}
    now = {part["signal"]: part["points"] for part in new["contributions"]}
    sign = 1 if rose else -1
    changed = sorted(
        ((now.get(signal, 0) - was.get(signal, 0)) * -sign, signal) for signal in {*was, *now}
    )
    if not changed or changed[0][0] >= 0:
        if old["raw_priority"] == new["raw_priority"]:
            return " under the policy's bounded step"
        return ""
    signal = changed[0][1]
    from_to = f"from {percent(was.get(signal, 0))} to {percent(now.get(signal, 0))}"
    return f", mostly by signal {signal}, whose contribution went {from_to}"


def _decision_change(old: PriorityRow, new: PriorityRow) -> list[str]:
    before, after = _action(old), _action(new)
    decision = new["decision"]
    if decision is None:
        return ["its decision was erased"] if before else []
    if before == after:
        return []
    by = f" by rule {decision['rule']}" if decision["rule"] else ""
    if decision["is_overridden"]:
        by = " by an override"
    elif decision["held_back"]:
        by += f", held back by {decision['held_back']}"
    return [f"its action became {after}{by}" + (f" (was {before})" if before else "")]


def _overtaking(move: RankChange, before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Say which other models changed places with one whose own priority is what it was."""
    at_first, at_last = move.rank_before, move.rank_after
    assert at_first is not None
    assert at_last is not None
    last = max(len(before), len(after)) + 1  # an absent model comes after all others
    fell = at_last > at_first
    past = [
        model
        for model in sorted({*before, *after})
        if model != move.model
        and (before.get(model, last) < at_first) == (not fell)
        and (after.get(model, last) < at_last) == fell
    ]
    named = ", ".join(past[:_NAMED_MAX])
    more = f" and {len(past) - _NAMED_MAX} more" if len(past) > _NAMED_MAX else ""
    direction = "went above it" if fell else "went below it or left"
    return f"its own priority is unchanged; {named}{more} {direction}"


def _sentence(reasons: list[str]) -> str:
    text = "; ".join(reasons) or "nothing about it changed"
    return f"{text[0].upper()}{text[1:]}."


def _priority(row: PriorityRow | None) -> int | None:
    return None if row is None or row["score"] is None else row["score"]["priority"]


def _action(row: PriorityRow | None) -> str | None:
    return None if row is None or row["decision"] is None else row["decision"]["action"]
