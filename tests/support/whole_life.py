"""A drawn life of a governed ledger: whatever is asked about a past moment happens in it often.

Every step is drawn by a seed; many are refused. Policies are drafted for several scopes, approved,
put in force, rolled back, rushed, scheduled and run in shadow; people gain and lose roles; models
are observed, decided, planned for, and people answer what that asks of them.
"""

import random  # noqa: TID251 - always from a seed
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from ledger.application.commands import Caller
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError
from ledger.events.authority import GrantScopePart, RoleGranted
from ledger.events.cases import TaskOutcome
from ledger.events.policies import ScopePart
from ledger.events.values import SECOND, format_time
from ledger.governance.cases import ModelCases
from ledger.governance.steps import scope_part
from tests.support.governed import governed
from tests.support.staffed import (
    APPROVER,
    AUTHOR,
    KIM,
    PAT,
    PAT_TOO,
    ROOT,
    SAM,
    WHOLE,
    Governed,
)
from tests.support.world import ANA, DAY, EVERYWHERE, HOUR, defined, policy_text, rule, signal_rule

MODELS: Final = ("alpha", "beta", "gamma", "delta")
PEOPLE: Final = (PAT, PAT_TOO, SAM, KIM, AUTHOR)
SCOPES: Final = (
    EVERYWHERE,
    EVERYWHERE,
    ScopePart(kind="labels", model=None, labels={"tier": "high"}),
    ScopePart(kind="labels", model=None, labels={"region": "east"}),
    ScopePart(kind="model", model="alpha", labels={}),
)
PARTS: Final = (
    WHOLE,
    GrantScopePart(labels={"tier": "high"}, models=[], signals=[]),
    GrantScopePart(labels={"region": "east"}, models=["alpha", "beta"], signals=[]),
    GrantScopePart(labels={}, models=["alpha"], signals=[]),
)
RULES: Final = (
    rule("bad", "priority >= 500000"),
    rule("look", "priority >= 200000", "INVESTIGATE"),
    rule("mend", "priority >= 100000", "ADJUST_DATA_COLLECTION"),
)
OUTCOMES: Final[tuple[TaskOutcome, ...]] = ("cause_found", "signal_fixed", "false_alarm")


def whole_life(path: Path, seed: int, steps: int) -> Governed:
    """Return the ledger that a life of so many steps has left."""
    life = _Life(path, seed)
    for _ in range(steps):
        life.world.clock.advance(life.chance.randrange(1, 8) * HOUR)
        life.observe()
        for step in life.chance.choices(life.steps, life.weights, k=3):
            life.attempt(step)
    assert life.refused < 2 * steps, "of the three steps of a turn one is taken, on average"
    return life.world


class _Life:
    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.refused = 0
        self.world = Governed(path, clock="wall").staff()
        self.world.grant(ANA.actor, "model-owner")  # it overrules decisions
        self.world.ledger.definitions.define(AUTHOR, defined("loss"))
        for model in MODELS[:3]:
            self._register(model)
        self.world.enforce(self.world.drafted(self._text(1)))
        self._once()
        weighted: tuple[tuple[Callable[[], object], int], ...] = (
            (self.draft, 3), (self.approve, 8), (self.enforce, 5), (self.submit, 1),
            (self.rush, 1), (self.schedule, 2), (self.roll_back, 2), (self.say, 2),
            (self.regrant, 3), (self.relabel, 2), (self.change_fleet, 2), (self.answer, 5),
            (self.plan, 1), (self.shadow, 2), (self.override, 1), (self.govern, 4),
        )  # fmt: skip
        self.steps = [step for step, _ in weighted]
        self.weights = [weight for _, weight in weighted]

    def _once(self) -> None:
        """Do what is rare by chance."""
        world, steps, commands = (
            self.world,
            self.world.ledger.policy_steps,
            self.world.ledger.commands,
        )
        first, second, third = (ChosenVersion("main", number) for number in (1, 2, 3))
        world.submit(world.drafted(self._text(1)))
        world.approve(second, PAT)
        steps.withdraw(PAT, second, "read again")
        world.approve(second, PAT, SAM)
        at = world.clock.now_micros() + DAY
        commands.schedule_policy(PAT, "main", 2, "", EVERYWHERE, "then", at)
        world.clock.advance(DAY)
        world.govern()
        world.roll_back(first)
        world.submit(world.drafted(self._text(1)))
        steps.reject(PAT, third, "not this way")
        commands.activate_in_emergency(KIM, "main", 3, "", EVERYWHERE, "a fire")
        world.approve(third, PAT, SAM)
        steps.ratify(PAT, third)
        world.drafted(self._text(1))
        commands.activate_in_emergency(KIM, "main", 4, "", EVERYWHERE, "another")
        world.clock.advance(2 * DAY)
        world.govern()
        last = world.drafted(self._text(1))
        world.submit(last)
        world.approve(last, PAT)
        world.enforce(last)
        steps.retire(AUTHOR, second, "old")
        self._register("epsilon")
        commands.retire_model(ANA, "epsilon", "replaced")

    def attempt(self, step: Callable[[], object]) -> None:
        """Take a step, or count that it was refused."""
        try:
            step()
        except LedgerError:
            self.refused += 1

    # ---- policies --------------------------------------------------------------------------------

    def _text(self, count: int, *, is_mixed: bool = False) -> str:
        text = policy_text(
            signals=[signal_rule(half_life="1d", window="2d")],
            rules=RULES[: self.chance.randrange(1, 4)],
            interval="12h",
        )
        title = f"Drawn {self.chance.randrange(1_000_000)}"
        asked = [{"role": APPROVER, "count": count}] if count else []
        if is_mixed:
            asked.append({"role": "policy-author", "count": 1})
        part: dict[str, Any] = {"investigate_within": "2d", "adjust_within": "1d"}
        if asked:
            part |= {"approval_valid": "3d", "ratify_within": "1d"}
        return governed(text, **part, approvals=asked).replace('"Test"', f'"{title}"')

    def _version(self) -> ChosenVersion:
        return ChosenVersion(*self.chance.choice(sorted(self._state.drafts)))

    def _waiting(self) -> ChosenVersion:
        waiting = sorted(self._state.submissions)
        return ChosenVersion(*self.chance.choice(waiting)) if waiting else self._version()

    @property
    def _state(self) -> Any:  # noqa: ANN401 - of the service
        return self.world.ledger.governance.judged().state

    def draft(self) -> None:
        count = self.chance.choice((0, 1, 1, 2))
        text = self._text(count, is_mixed=count > 0 and self.chance.random() < 0.2)
        version = self.world.drafted(text, self.chance.choice(("main", "own")))
        self.world.submit(version, self.chance.choice(SCOPES))

    def submit(self) -> None:
        self.world.submit(self._version(), self.chance.choice(SCOPES))

    def approve(self) -> None:
        version = self._waiting()
        for person in self.chance.sample(PEOPLE, 2):
            self.world.approve(version, person)

    def _scope(self, version: ChosenVersion) -> ScopePart:
        """Return mostly the scope that a version was submitted for."""
        submission = self._state.submission_at((version.policy, version.number), 0)
        if submission is None or self.chance.random() < 0.1:
            return self.chance.choice(SCOPES)
        return scope_part(submission.scope)

    def enforce(self) -> None:
        version = self._waiting()
        self.world.enforce(version, self._scope(version))

    def rush(self) -> None:
        version, scope = self._version(), self.chance.choice(SCOPES)
        self.world.ledger.commands.activate_in_emergency(
            self.chance.choice(PEOPLE), version.policy, version.number, "", scope, "a fire"
        )
        if self.chance.random() < 0.5:
            for person in (PAT, SAM, KIM):
                self.attempt(partial(self.world.approve, version, person))
            self.world.ledger.policy_steps.ratify(PAT, version)

    def schedule(self) -> None:
        version = self._waiting()
        at = self.world.clock.now_micros() + self.chance.choice((9, 24)) * HOUR
        self.world.ledger.commands.schedule_policy(
            PAT, version.policy, version.number, "", self._scope(version), "then", at
        )

    def roll_back(self) -> None:
        earlier = self.chance.choice(list(self._state.activations.values()))
        self.world.roll_back(ChosenVersion(*earlier.named), scope_part(earlier.scope))

    def say(self) -> None:
        """Take an approval back, reject, or retire a version."""
        steps, version = self.world.ledger.policy_steps, self._waiting()
        who = self.chance.choice(PEOPLE)
        self.chance.choice((
            partial(steps.withdraw, who, version, "no"),
            partial(steps.reject, who, version, "no"),
            partial(steps.retire, who, self._version(), "old"),
        ))()  # fmt: skip

    def shadow(self) -> None:
        version, scope = self._version(), self.chance.choice(SCOPES)
        begin = self.world.ledger.shadowing.begin
        begin(AUTHOR, version.policy, version.number, "", scope, 2 * DAY // SECOND, "to compare")

    # ---- people ----------------------------------------------------------------------------------

    def regrant(self) -> None:
        """Take a role from a person, or grant it: for good or for some time."""
        who = self.chance.choice((SAM, KIM, PAT_TOO))
        granted = self.world.ledger.authority.state.grants_of.get(who.actor, ())
        if granted:
            self.world.ungrant(granted[0].position)
            return
        until = format_time(self.world.clock.now_micros() + 2 * DAY)
        data = RoleGranted(
            actor=who.actor, role=APPROVER, scope=self.chance.choice(PARTS), reason="Work.",
            proposal=None,
            expires_at=self.chance.choice((None, until)),
        )  # fmt: skip
        self.world.ledger.authority_changes.record(ROOT, "GrantRole", data)

    def answer(self) -> None:
        cases, who = self.world.ledger.cases, self.chance.choice((ANA, Caller("users/kim")))
        model = self.chance.choice(sorted(cases.open()) or list(MODELS))
        found = cases.open().get(model, ModelCases())
        escalation = found.escalation.escalation if found.escalation else 1
        task = self.chance.choice([one.task for one in found.tasks.values()] or [1])
        outcome = self.chance.choice(OUTCOMES)
        self.chance.choice((
            partial(cases.acknowledge, who, model, escalation, ""),
            partial(cases.resolve, who, model, escalation, "done"),
            partial(cases.take, who, model, task),
            partial(cases.close, who, model, task, outcome, ""),
        ))()  # fmt: skip

    # ---- the fleet -------------------------------------------------------------------------------

    def _register(self, model: str) -> None:
        self.world.register(model, labels={"tier": "high", "region": "east"})
        self.world.deploy(model, "v1", at=self.world.clock.now_micros())

    def relabel(self) -> None:
        labels = {name: self.chance.choice(of) for name, of in _LABELS.items()}
        self.world.update(self.chance.choice(MODELS), labels=labels)

    def change_fleet(self) -> None:
        """Register the last model, retire it, or put another version of a model into service."""
        now = self.world.clock.now_micros()
        self.chance.choice((
            partial(self._register, MODELS[-1]),
            partial(self.world.ledger.commands.retire_model, ANA, MODELS[-1], "replaced"),
            partial(self.world.deploy, self.chance.choice(MODELS), f"v{now}", at=now),
        ))()  # fmt: skip

    def observe(self) -> None:
        value = self.chance.choice((0.4, 0.52, 0.65, 0.65, 1.3))
        self.world.see(self.chance.choice(MODELS[:3]), value, self.world.clock.now_micros())
        self.world.settle()

    def plan(self) -> None:
        self.world.plan(self.chance.choice((0, 2_000_000)))

    def override(self) -> None:
        self.world.override(self.chance.choice(MODELS[:3]), "NO_ACTION", 9 * HOUR)

    def govern(self) -> None:
        self.world.govern()


_LABELS: Final = {"tier": ("high", "low"), "region": ("east", "west")}
