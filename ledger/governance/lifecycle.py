"""The life of policies as their own events have made it: versions, approvals, what is in force.

Pure: it is folded from events in order. Times are microseconds since the epoch. Nothing here
believes an event; `steps` and `activations` say whether one may be.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from ledger.events.models import DESCRIBING
from ledger.events.policies import (
    ACTIVATED_TYPES,
    DRAFTED_TYPES,
    STEP_CLASSES,
    PolicyApprovalWithdrawn,
    PolicyApproved,
    PolicyDraftedV1,
    PolicyDraftedV2,
    PolicyRatified,
    PolicyRejected,
    PolicyRetired,
    PolicyScheduled,
    PolicyScheduleWithdrawn,
    PolicySubmitted,
)
from ledger.events.reviews import REVIEW_CLASSES, PolicyReviewed
from ledger.events.values import parse_time
from ledger.governance.approvals import Approval, Ratification

LIFECYCLE_TYPES: Final = frozenset(
    {*DRAFTED_TYPES, *ACTIVATED_TYPES, *(cls.TYPE for cls in (*STEP_CLASSES, *REVIEW_CLASSES))}
)
"""Types of the events of policies."""
FOLDED_TYPES: Final = LIFECYCLE_TYPES | frozenset(DESCRIBING)
"""Types that the fold takes in: the labels of models decide which scopes hold one."""

_REVIEW_TYPES: Final = frozenset(cls.TYPE for cls in REVIEW_CLASSES)
_RANKS: Final = {"ledger": 0, "labels": 1, "model": 2}
_ASKING_NOTHING: Final = frozenset({PolicyDraftedV1.TYPE, PolicyDraftedV2.TYPE})
"""Types of drafts whose documents have no governance."""
DIRECT: Final = "direct"
"""The basis of an activation that no governance asked for."""


class ScopeKey(NamedTuple):
    """The scope of an activation: one model, the models with all these labels, or all."""

    kind: str
    model: str | None
    labels: tuple[tuple[str, str], ...]

    @property
    def rank(self) -> int:
        """How specific it is: of versions in force for a model the most specific counts."""
        return _RANKS[self.kind]

    def __str__(self) -> str:
        """Return it as sentences name it."""
        if self.kind == "model":
            return f"model {self.model}"
        if self.kind == "labels":
            return "models with " + ", ".join(f"{name}={value}" for name, value in self.labels)
        return "the whole ledger"


class Draft(NamedTuple):
    """A version that was written down."""

    position: int
    author: str
    digest: str
    """Empty where its body is gone."""
    governance: Mapping[str, Any] | None
    """That of its document; None where it has none."""
    is_lost: bool = False
    """Whether its body is gone and what it asks of the next version with it."""


class ActivationFact(NamedTuple):
    """A version that came into force."""

    position: int
    actor: str
    policy: str
    version: int
    digest: str
    scope: ScopeKey
    basis: str
    approvals: tuple[int, ...]
    replaces: int | None
    ratify_until: int
    within: int
    """The activation in force around it when it began as an emergency; 0 for none."""
    recorded_at: int
    rationale: str

    @property
    def named(self) -> tuple[str, int]:
        """The version as one looks it up."""
        return self.policy, self.version

    def __str__(self) -> str:
        """Return its version as sentences name it."""
        return f"{self.policy} version {self.version}"


class ReviewTurn(NamedTuple):
    """The time of a version in force since its activation or its last review in that scope."""

    activation: ActivationFact
    review: int
    """The position of the last review; 0 before the first."""
    began_at: int
    due: int = 0
    """Where the first event says that its review is due; 0 until then."""
    reminder: int = -1
    """The number in the newest such event; -1 until then."""

    def after(self, position: int, type_: str, data: Mapping[str, Any], at: int) -> "ReviewTurn":
        """Return it after an event about its review."""
        if type_ == PolicyReviewed.TYPE:
            return ReviewTurn(self.activation, position, at)
        return self._replace(due=self.due or position, reminder=data["reminder"])


class Schedule(NamedTuple):
    """A version that is to come into force at a time."""

    position: int
    actor: str
    policy: str
    version: int
    digest: str
    scope: ScopeKey
    rationale: str
    effective_at: int
    approvals: tuple[int, ...]

    @property
    def named(self) -> tuple[str, int]:
        """The version as one looks it up."""
        return self.policy, self.version


class OpenSubmission(NamedTuple):
    """A version as it waits for approvals."""

    position: int
    actor: str
    digest: str
    scope: ScopeKey


@dataclass(slots=True)
class LifecycleState:
    """The life of policies after the events that were applied."""

    position: int = 0
    drafts: dict[tuple[str, int], Draft] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    """The number of each policy's newest version."""
    activations: dict[int, ActivationFact] = field(default_factory=dict)
    in_force: dict[ScopeKey, ActivationFact] = field(default_factory=dict)
    """The latest activation of each scope, in order of position."""
    turns: dict[ScopeKey, ReviewTurn] = field(default_factory=dict)
    """By scope, of what is in force there."""
    submissions: dict[tuple[str, int], tuple[OpenSubmission, ...]] = field(default_factory=dict)
    """The open submissions of each version, each for a scope of its own, by position."""
    approvals: dict[int, Approval] = field(default_factory=dict)
    rejected: dict[tuple[str, int], int] = field(default_factory=dict)
    retired: dict[tuple[str, int], int] = field(default_factory=dict)
    ratified: dict[int, Ratification] = field(default_factory=dict)
    """By the position of the activation in an emergency."""
    schedules: dict[int, Schedule] = field(default_factory=dict)
    """Those whose time has not come, by position."""
    labels: dict[str, Mapping[str, str] | None] = field(default_factory=dict)
    """The labels of each model; None where the description in force has lost its body."""

    def copy(self) -> "LifecycleState":
        """Return an equal state, which goes its own way."""
        return replace(
            self,
            drafts=dict(self.drafts),
            newest=dict(self.newest),
            activations=dict(self.activations),
            in_force=dict(self.in_force),
            turns=dict(self.turns),
            submissions=dict(self.submissions),
            approvals=dict(self.approvals),
            rejected=dict(self.rejected),
            retired=dict(self.retired),
            ratified=dict(self.ratified),
            schedules=dict(self.schedules),
            labels=dict(self.labels),
        )

    # ---- questions -------------------------------------------------------------------------------

    def is_unratified(self, activation: ActivationFact) -> bool:
        """Whether an activation was one in an emergency and was not ratified."""
        return activation.basis == "emergency" and activation.position not in self.ratified

    def waiting(self) -> list[ActivationFact]:
        """Return the activations in force that must be ratified."""
        return [one for one in self.in_force.values() if self.is_unratified(one)]

    def around(self, scope: ScopeKey) -> ActivationFact | None:
        """Return what would be in force there without an activation for that very scope."""
        best: ActivationFact | None = None
        for one in self.in_force.values():
            is_wider = one.scope.rank < scope.rank or set(one.scope.labels) < set(scope.labels)
            if not is_wider or not self.shares_now(one.scope, scope):
                continue
            if best is None or (one.scope.rank, one.position) > (best.scope.rank, best.position):
                best = one
        return best

    def submission_for(self, named: tuple[str, int], scope: ScopeKey) -> OpenSubmission | None:
        """Return the open submission of a version for a scope."""
        return next((one for one in self.submissions.get(named, ()) if one.scope == scope), None)

    def submission_at(self, named: tuple[str, int], position: int) -> OpenSubmission | None:
        """Return the open submission of a version at a position; 0 means the newest one."""
        found = [one for one in self.submissions.get(named, ()) if position in {0, one.position}]
        return found[-1] if found else None

    def approvals_of(self, submission: int) -> list[Approval]:
        """Return the approvals of a submission that were not withdrawn, by position."""
        return [
            one
            for one in self.approvals.values()
            if one.submission == submission and not one.withdrawn_at
        ]

    def shares_now(self, one: ScopeKey, other: ScopeKey) -> bool:
        """Whether two scopes can hold one model: a model by the labels that it has now."""
        if {one.kind, other.kind} != {"labels", "model"}:
            return self.may_share(one, other)
        by_label, by_name = (one, other) if one.kind == "labels" else (other, one)
        known = self.labels.get(by_name.model or "") or {}
        return all(known.get(name) == value for name, value in by_label.labels)

    def may_share(self, one: ScopeKey, other: ScopeKey) -> bool:
        """Whether two scopes can hold one model, which may be given other labels at any time."""
        if "ledger" in {one.kind, other.kind}:
            return True
        if one.kind == other.kind == "model":
            return one.model == other.model
        if one.kind == other.kind == "labels":
            others = dict(other.labels)
            return all(others.get(name, value) == value for name, value in one.labels)
        return True

    def apply(
        self,
        position: int,
        stream: str,
        type_: str,
        actor: str,
        data: Mapping[str, Any] | None,
        recorded_at: int,
    ) -> None:
        """Take in an event, of any type; `data` is None where its body is gone."""
        if type_ not in FOLDED_TYPES:
            return
        self.position = position
        if type_ in DRAFTED_TYPES:
            self._draft(position, stream.partition("/")[2], type_, actor, data)
        elif type_ in DESCRIBING:  # a header says which model there is
            self.labels[stream.partition("/")[2]] = None if data is None else data["labels"]
        elif data is None:
            return  # nothing is in force by an activation whose body is gone
        elif type_ in ACTIVATED_TYPES:
            self._activate(position, actor, data, recorded_at)
        elif type_ in _REVIEW_TYPES:
            scope = scope_key(data["scope"])
            if (turn := self.turns.get(scope)) is not None:
                self.turns[scope] = turn.after(position, type_, data, recorded_at)
        else:
            self._step(position, type_, actor, data, recorded_at)

    def _step(
        self, position: int, type_: str, actor: str, data: Mapping[str, Any], recorded_at: int
    ) -> None:
        if type_ == PolicySubmitted.TYPE:
            named, scope = _named(data), scope_key(data["scope"])
            self._submit(named, OpenSubmission(position, actor, data["digest"], scope))
            self.rejected.pop(named, None)
        elif type_ == PolicyApproved.TYPE:
            self.approvals[position] = Approval(
                position, actor, data["role"], *_named(data), data["digest"], data["submission"],
                parse_time(data["expires_at"]), recorded_at, data["meaning"], data["comment"],
            )  # fmt: skip
        elif type_ == PolicyApprovalWithdrawn.TYPE:
            if (approval := self.approvals.get(data["approval"])) is not None:
                self.approvals[approval.position] = replace(approval, withdrawn_at=position)
        elif type_ == PolicyRejected.TYPE:
            self._close(_named(data), lambda one: one.position == data["submission"])
            self.rejected[_named(data)] = position
        elif type_ == PolicyRetired.TYPE:
            self.submissions.pop(_named(data), None)
            self.retired.setdefault(_named(data), position)
        elif type_ == PolicyRatified.TYPE:
            self.ratified[data["activation"]] = Ratification(
                position, actor, recorded_at, tuple(data["approvals"])
            )
            if (ended := self.activations.get(data["activation"])) is not None:
                self._close(ended.named, lambda one: one.scope == ended.scope)
            self._cite(data["approvals"], position)
        elif type_ == PolicyScheduled.TYPE:
            self.schedules[position] = Schedule(
                position, actor, *_named(data), data["digest"], scope_key(data["scope"]),
                data["rationale"], parse_time(data["effective_time"]), tuple(data["approvals"]),
            )  # fmt: skip
        elif type_ == PolicyScheduleWithdrawn.TYPE:
            self.schedules.pop(data["schedule"], None)

    def _draft(
        self,
        position: int,
        policy: str,
        type_: str,
        actor: str,
        data: Mapping[str, Any] | None,
    ) -> None:
        # Versions count the drafts of their policy, so one without a body has its number too.
        version = self.newest.get(policy, 0) + 1 if data is None else data["version"]
        self.newest[policy] = max(version, self.newest.get(policy, 0))
        draft = (
            Draft(position, "", "", None, is_lost=type_ not in _ASKING_NOTHING)
            if data is None
            else Draft(position, actor, data["digest"], data["document"].get("governance"))
        )
        self.drafts.setdefault((policy, version), draft)

    def _activate(
        self, position: int, actor: str, data: Mapping[str, Any], recorded_at: int
    ) -> None:
        scope = scope_key(data["scope"])
        until = data.get("ratify_until")
        around = None if until is None else self.around(scope)
        made = ActivationFact(
            position,
            actor,
            *_named(data),
            data["digest"],
            scope,
            data.get("basis", DIRECT),
            tuple(data.get("approvals", ())),
            data.get("replaces"),
            0 if until is None else parse_time(until),
            0 if around is None else around.position,
            recorded_at,
            data["rationale"],
        )
        self.activations[position] = made
        self.in_force.pop(scope, None)  # so that the order is that of the activations that count
        self.in_force[scope] = made
        self.turns[scope] = ReviewTurn(made, 0, recorded_at)
        self.schedules.pop(data.get("scheduled") or 0, None)
        self._cite(made.approvals, position)
        if made.basis != "emergency":
            self._close(made.named, lambda one: one.scope == scope)
        elif self.submission_for(made.named, scope) is None:
            # It waits for the approvals that it lacked.
            self._submit(made.named, OpenSubmission(position, actor, made.digest, scope))

    def _submit(self, named: tuple[str, int], submission: OpenSubmission) -> None:
        self.submissions[named] = (*self.submissions.get(named, ()), submission)

    def _close(self, named: tuple[str, int], is_over: Callable[[OpenSubmission], bool]) -> None:
        """End the submissions of a version that are over."""
        left = tuple(one for one in self.submissions.pop(named, ()) if not is_over(one))
        if left:
            self.submissions[named] = left

    def _cite(self, approvals: Iterable[int], position: int) -> None:
        for one in approvals:
            approval = self.approvals.get(one)
            if approval is not None and not approval.cited_at:
                self.approvals[one] = replace(approval, cited_at=position)


def scope_key(data: Mapping[str, Any]) -> ScopeKey:
    """Return the scope that an event names."""
    return ScopeKey(data["kind"], data["model"], tuple(sorted(data["labels"].items())))


def _named(data: Mapping[str, Any]) -> tuple[str, int]:
    return data["policy"], data["version"]
