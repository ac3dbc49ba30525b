"""The review pack: what people look at before they sign that a policy stays, or follow it up.

A pure function of the events up to a position: equal events give equal bytes, whose digest a
signature names, and an auditor makes it again. Amounts and times are as events have them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ledger.events.canonical import encode
from ledger.events.cases import (
    EscalationAcknowledged,
    EscalationEnded,
    EscalationEscalated,
    EscalationLapsed,
    EscalationRaised,
    EscalationResolved,
    TaskClosed,
    TaskLapsed,
    TaskOpened,
    TaskOverdue,
    TaskTaken,
)
from ledger.events.facts import Fact
from ledger.events.models import DESCRIBING
from ledger.events.policies import DRAFTED_TYPES
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import SECOND, format_time
from ledger.governance.answers import BasedApproval, answer_for
from ledger.governance.approvals import Ratification
from ledger.governance.lifecycle import (
    FOLDED_TYPES,
    ActivationFact,
    LifecycleState,
    ReviewTurn,
)
from ledger.governance.pack_parts import (
    PART_TYPES,
    SILENT_MAX,
    OutcomeMix,
    ReviewSubject,
    ShadowRecords,
    SourceRecords,
    holds,
    scope_data,
    share,
)
from ledger.governance.reviews import due_at
from ledger.governance.rule_records import OTHERWISE, RULE_TYPES, RuleRecords

FORMAT: Final = "review-pack/1"
_CASES: Final = tuple(
    cls.TYPE
    for cls in (
        EscalationAcknowledged, EscalationEnded, EscalationEscalated, EscalationLapsed,
        EscalationRaised, EscalationResolved, TaskClosed, TaskLapsed, TaskOpened, TaskOverdue,
        TaskTaken,
    )
)  # fmt: skip
"""The types that this form counts: a later one is counted by another form of pack."""
PACK_TYPES: Final = frozenset({*FOLDED_TYPES, *PART_TYPES, *RULE_TYPES, *_CASES})
"""The types of events that a pack is made of."""
_DRAFTED: Final = frozenset(DRAFTED_TYPES)
_OBSERVED: Final = frozenset(OBSERVED_TYPES)


class ReviewFold:
    """Takes facts in order of position, up to that of the pack, and makes the pack of them."""

    def __init__(self, subject: ReviewSubject) -> None:
        self.subject = subject
        self.state = LifecycleState()
        self._rules = RuleRecords(self._counts)
        self._mix = OutcomeMix(subject, self.state)
        self._sources = SourceRecords(subject)
        self._shadows = ShadowRecords(subject, self.state)
        self._document: Mapping[str, Any] | None = None
        self._moments: dict[int, tuple[int, str]] = {}
        """When steps in the life of policies were recorded, and by whom."""
        self._cases: Counter[str] = Counter()
        self._decided: set[str] = set()
        self._erased = 0

    def take(self, fact: Fact) -> None:
        """Take in a fact of any type."""
        if fact.type not in PACK_TYPES:
            return
        if fact.data is None and fact.position > self.subject.after:
            self._erased += 1
        if fact.type in FOLDED_TYPES:
            self._fold(fact)
        self._mix.take(fact)
        self._sources.take(fact)
        if fact.type in _OBSERVED:
            return
        self._rules.apply(fact)
        self._shadows.take(fact)
        if fact.type in _CASES and fact.data is not None:
            self._cases[fact.type] += self._counts(fact, fact.data["model"])

    def _fold(self, fact: Fact) -> None:
        self.state.apply(
            fact.position, fact.stream, fact.type, fact.actor, fact.data, fact.recorded_at
        )
        if fact.type not in DESCRIBING:
            self._moments[fact.position] = fact.recorded_at, fact.actor
        data = fact.data if fact.type in _DRAFTED else None
        if data is not None and (data["policy"], data["version"]) == self.subject.named:
            self._document = data["document"]

    def _counts(self, fact: Fact, model: str) -> bool:
        """Whether a fact about a model is of the period and scope."""
        is_in = holds(self.state, self.subject.scope, model)
        return is_in and fact.position > self.subject.after

    # ---- the pack --------------------------------------------------------------------------------

    def pack(self, origin: str) -> dict[str, Any]:
        """Return the pack; the facts are at their end."""
        subject, state = self.subject, self.state
        assert self._document is not None, "a version is reviewed while its document is there"
        self._mix.finish()
        reporting, silent = self._sources.silent(state, self._document)
        models = [model for model in state.labels if holds(state, subject.scope, model)]
        return {
            "format": FORMAT,
            "ledger": origin,
            "policy": subject.policy,
            "version": subject.version,
            "digest": state.drafts[subject.named].digest,
            "title": self._document["title"],
            "scope": scope_data(subject.scope),
            "after": subject.after,
            "since": format_time(subject.since),
            "as_of": subject.as_of,
            "until": format_time(subject.until),
            "before": format_time(subject.before),
            "models": len(models),
            "erased": self._erased,
            "life": self._life(),
            "rules": list(self._rule_rows(self._document)),
            "actions": list(self._action_rows()),
            "cost": {
                "scheduled": _cost(self._mix.scheduled),
                "done": _cost(self._mix.done),
            },
            "sources": {
                "reporting": reporting,
                "silent": len(silent),
                "allowed_seconds": self._document["evaluation"]["silence_seconds"],
                "rows": silent[:SILENT_MAX],
            },
            "cases": {type_: self._cases[type_] for type_ in _CASES},
            "emergencies": list(self._emergencies()),
            "shadows": list(self._shadows.rows()),
        }

    def _life(self) -> dict[str, Any]:
        """Return who wrote, approved and activated the version, and when its review is due."""
        subject, state = self.subject, self.state
        turn = state.turns[subject.scope]
        draft, activation = state.drafts[subject.named], turn.activation
        answer = answer_for(state, activation)
        return {
            "author": draft.author,
            "drafted": draft.position,
            "drafted_at": self._when(draft.position),
            "activation": activation.position,
            "activated_at": self._when(activation.position),
            "activated_by": activation.actor,
            "activated_because": activation.rationale,
            "basis": answer.basis,
            "approvals": [_approval(one) for one in answer.approvals],
            "returned_to": _activation(answer.returned_to),
            "ended_emergency": _activation(answer.ended_emergency),
            "ratification": _ratification(answer.ratification),
            "review": turn.review or None,
            "due_at": _due(state, turn),
            "overdue_since": turn.due or None,
            "reminders": max(turn.reminder, 0),
        }

    def _when(self, position: int) -> str:
        return format_time(self._moments[position][0])

    def _rule_rows(self, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the rules in the order of the document, and what happens otherwise."""
        decision = document["decision"]
        rules = {one["id"]: (one["action"], one["rationale"]) for one in decision["rules"]}
        rules.setdefault(OTHERWISE, (decision["otherwise_action"], ""))
        for rule, (action, rationale) in rules.items():
            one = self._rules.record((*self.subject.named, rule))
            yield {
                "rule": rule,
                "action": action,
                "rationale": rationale,
                "decisions": one.decisions,
                "fires": one.fires,
                "failures": one.failures,
                "last_fired": None if one.last_fired is None else format_time(one.last_fired),
                "overruled": one.overruled,
                "overruled_ppm": one.overruled_ppm,
                "overruled_by": [
                    {"actor": actor, "times": times} for actor, times in sorted(one.by.items())
                ],
                "tasks": one.tasks,
                "outcomes": dict(sorted(one.outcomes.items())),
                "closed": one.outcomes.total(),
                "precision_ppm": one.precision_ppm,
            }

    def _action_rows(self) -> Iterator[dict[str, Any]]:
        """Yield each action with how often and how long it was in force, now and before."""
        found = self._mix.actions
        for action in sorted(found):
            one = found[action]
            yield {
                "action": action,
                "decisions": one.decisions,
                "seconds": one.micros // SECOND,
                "share_ppm": share(one.micros, (each.micros for each in found.values())),
                "decisions_before": one.decisions_before,
                "seconds_before": one.micros_before // SECOND,
                "share_before_ppm": share(
                    one.micros_before, (each.micros_before for each in found.values())
                ),
            }

    def _emergencies(self) -> Iterator[dict[str, Any]]:
        """Yield the activations in an emergency in the period that could be for some model here."""
        state = self.state
        after = {one.replaces: one for one in state.activations.values()}
        for position, one in state.activations.items():
            is_asked = position >= self.subject.after and one.basis == "emergency"
            if not is_asked or not state.may_share(one.scope, self.subject.scope):
                continue
            later = after.get(position)
            yield {
                "position": position,
                "policy": one.policy,
                "version": one.version,
                "scope": scope_data(one.scope),
                "actor": one.actor,
                "at": self._when(position),
                "ratification": _ratification(state.ratified.get(position)),
                "replaced": None if later is None else later.position,
                "replaced_by": None if later is None else later.basis,
            }


def pack_of(facts: Iterable[Fact], subject: ReviewSubject, origin: str) -> bytes:
    """Return the pack of a version and scope as canonical JSON, of the facts up to its position."""
    fold = ReviewFold(subject)
    for fact in facts:
        fold.take(fact)
    return encode(fold.pack(origin))


def pack_digest(pack: bytes) -> str:
    """Return the digest that a signature under a review names."""
    return hashlib.sha256(pack).hexdigest()


def _approval(one: BasedApproval) -> dict[str, Any]:
    approval = one.approval
    return {
        "position": approval.position,
        "actor": approval.actor,
        "role": approval.role,
        "at": format_time(approval.recorded_at),
        "meaning": approval.meaning,
        "comment": approval.comment,
        "basis": one.basis,
        "expires_at": format_time(approval.expires_at),
    }


def _activation(one: ActivationFact | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "position": one.position,
        "policy": one.policy,
        "version": one.version,
        "actor": one.actor,
        "at": format_time(one.recorded_at),
        "because": one.rationale,
        "basis": one.basis,
    }


def _ratification(one: Ratification | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"position": one.position, "actor": one.actor, "at": format_time(one.recorded_at)}


def _cost(counted: Counter[str]) -> dict[str, Any]:
    return {
        "retrainings": counted["retrainings"],
        "cost_micros": str(counted["micros"]),
        "cost_unknown": counted["unknown"],
    }


def _due(state: LifecycleState, turn: ReviewTurn) -> str | None:
    due = due_at(state, turn)
    return format_time(due) if due else None
