"""A whole ledger against a few plain dictionaries, whatever is done to it and in whatever order.

Hypothesis registers, deploys, observes (on time, late, twice), evaluates, plans, changes the policy
and restarts. After every step the chain is verified from the database, everything recorded is
replayed, and the queue is compared with a reference that keeps lists and computes each priority
from all of them, with the arithmetic of the specifications written down once more.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.application.commands import Caller
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DECISION_TYPES, DecisionMade, ScoreComputed
from ledger.events.registry import typed
from ledger.events.values import format_decimal, parse_time
from projections.fold import Fold, OnPoison
from projections.priorities import PrioritiesProjection, visible
from projections.ranking import ranked
from tests.support.check_ledger import check_ledger
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    MONITOR,
    ORIGIN,
    START,
    Row,
    World,
    defined,
    policy_text,
    request,
    signal_rule,
)
from tests.support.world import rule as decision_rule

PPM = 1_000_000
NAMES = ("a", "b")
LOSSES = [0, 400_000, 560_000, 650_000, 720_000, 900_000, 1_400_000, 2_000_000]
"""Around what the thresholds make of them, so that decisions change."""
BASELINE, WIDTH = 400_000, PPM  # of the loss, in millionths
WINDOW_DAYS, BREACH, SUSTAIN, TRANSIENT, PRIOR = 4, 200_000, 500_000, 500_000, 50
COOL_DOWN_HOURS = 24
STRICT, MILD = (300_000, 200_000, 100_000), (500_000, 400_000, 250_000)
"""Where retraining begins, where it is held, where a look begins."""

# A step costs milliseconds, so shrinking would outlast the time that a test has.
SETTINGS = settings(
    max_examples=6,
    stateful_step_count=18,
    phases=[phase for phase in Phase if phase is not Phase.shrink],
)


class Outcome(NamedTuple):
    """What is to be done about a model."""

    action: str = "NO_ACTION"
    tier: str = "none"
    rule: str = ""
    held_back: str | None = None


class Seen(NamedTuple):
    """One observation: loss in millionths."""

    version: str
    observed_at: int
    loss: int
    size: int


@dataclass
class Model:
    """One model as the reference knows it."""

    version: str = ""
    in_service_at: int = 0
    observations: list[Seen] = field(default_factory=list)
    outcome: Outcome | None = None
    priority: int | None = None
    is_retired: bool = False

    def selected(self) -> list[Seen]:
        """Return what counts: of the version in service, since it is."""
        return [
            seen
            for seen in self.observations
            if seen.version == self.version and seen.observed_at >= self.in_service_at
        ]

    def priority_at(self, time: int) -> int:
        """Return the kernel's priority; nothing decays, since its half-life is ten years."""
        buckets: dict[int, list[Seen]] = {}
        for seen in self.selected():
            if time // DAY - WINDOW_DAYS < seen.observed_at // DAY <= time // DAY:
                buckets.setdefault(seen.observed_at // DAY, []).append(seen)
        if not buckets:
            return 0
        sums = [
            (
                sum(seen.size * severity(seen.loss) for seen in bucket),
                sum(seen.size for seen in bucket),
            )
            for bucket in buckets.values()
        ]
        breaches = sum(total // size >= BREACH for total, size in sums)
        is_sustained = breaches * PPM // len(sums) >= SUSTAIN
        believed = sum(total for total, _ in sums) // (sum(size for _, size in sums) + PRIOR)
        return believed * (PPM if is_sustained else TRANSIENT) // PPM

    def outcome_of(self, priority: int, time: int, thresholds: tuple[int, int, int]) -> Outcome:
        """Return what the rules make of a priority."""
        bad, hold, look = thresholds
        rule_in_force = self.outcome.rule if self.outcome else ""
        if priority >= (hold if rule_in_force == "bad" else bad):
            if 0 <= (time - self.in_service_at) // HOUR < COOL_DOWN_HOURS:
                return Outcome("INVESTIGATE", "ds", "bad", "COOL_DOWN")
            return Outcome("SCHEDULE_RETRAINING", "ds", "bad")
        return Outcome("INVESTIGATE", "ds", "look") if priority >= look else Outcome()


def severity(loss: int) -> int:
    """Return how bad one loss is."""
    return min(max(loss - BASELINE, 0) * PPM // WIDTH, PPM)


def outcome_in(data: DecisionMade) -> Outcome:
    """Return the part of a decision that the reference predicts."""
    return Outcome(data.action, data.tier, data.rule, data.held_back)


def text_of(thresholds: tuple[int, int, int]) -> str:
    """Return the policy that the reference follows."""
    bad, hold, look = thresholds
    loss = signal_rule(
        half_life="3650d",
        breach=BREACH / PPM,
        window=f"{WINDOW_DAYS}d",
        transient=0.5,
        prior_samples=PRIOR,
    )
    rules = [
        decision_rule("bad", f"priority >= {bad}", hold=f"priority >= {hold}"),
        decision_rule("look", f"priority >= {look}", "INVESTIGATE"),
    ]
    return policy_text(signals=[loss], rules=rules, cool_down=f"{COOL_DOWN_HOURS}h")


class LedgerMachine(RuleBasedStateMachine):
    """The ledger under test, the reference, and what may be done to both."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self._folder.name) / "ledger.sqlite")
        self.models: dict[str, Model] = {}
        self.newest: int | None = None
        self.thresholds = STRICT
        self.requests: list[tuple[Caller, Row, int]] = []

    def teardown(self) -> None:
        """Give the file back."""
        self.world.close()
        self._folder.cleanup()

    @property
    def now(self) -> int:
        """The ledger's time."""
        return START if self.newest is None else self.newest

    def serving(self) -> list[str]:
        """Return the models that observations are taken of."""
        return [name for name, model in self.models.items() if not model.is_retired]

    # ---- what may be done ------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Define the signal, bring a policy into force, and put a model into service."""
        self.world.ledger.definitions.define(ANA, defined("loss"))
        self.world.activate(text_of(STRICT))
        self.register("a")
        # From here on the data's time is past whatever is said to be in service.
        self.submit("a", Seen("v1", START, 0, 1))

    @rule(name=st.sampled_from(NAMES))
    def register(self, name: str) -> None:
        """Register a model and deploy it; a name is taken for ever."""
        if name in self.models:
            assert self.refusal(lambda: self.world.register(name)) is Reason.ALREADY_EXISTS
            return
        self.world.register(name)
        self.models[name] = Model()
        self.deploy(name, "v1")

    @rule(name=st.sampled_from(NAMES), version=st.sampled_from(["v1", "v2", "v3"]))
    def deploy(self, name: str, version: str) -> None:
        """Put a version into service as of now."""
        model = self.models.get(name)
        if model is None or model.is_retired:
            expected = Reason.MODEL_UNKNOWN if model is None else Reason.MODEL_RETIRED
            assert self.refusal(lambda: self.world.deploy(name, version, at=self.now)) is expected
            return
        if version == model.version:
            refused = self.refusal(lambda: self.world.deploy(name, version, at=self.now))
            assert refused is Reason.ALREADY_EXISTS
            return
        self.world.deploy(name, version, at=self.now)
        model.version, model.in_service_at = version, self.now

    @rule(
        data=st.data(),
        version=st.sampled_from(["", "v1", "v2"]),
        loss=st.integers(0, 2 * PPM),
        hours=st.integers(-60, 30),
        size=st.integers(1, 300),
    )
    def observe(self, data: st.DataObject, version: str, loss: int, hours: int, size: int) -> None:
        """Submit an observation, on time or late, of the version in service or of another."""
        name = data.draw(st.sampled_from(self.serving()))
        version = version or self.models[name].version
        self.submit(name, Seen(version, self.now + hours * HOUR, loss, size))

    @rule(data=st.data(), days=st.lists(st.sampled_from(LOSSES), min_size=2, max_size=6))
    def pass_days(self, data: st.DataObject, days: list[int]) -> None:
        """Observe a model once a day, and see what is made of it each time."""
        name = data.draw(st.sampled_from(self.serving()))
        for loss in days:
            self.submit(name, Seen(self.models[name].version, self.now + DAY, loss, 1_000))
            if data.draw(st.booleans()):
                self.decide([name])
            else:
                self.settle()

    def submit(self, name: str, seen: Seen) -> None:
        """Submit an observation under a request id of its own."""
        value = format_decimal(seen.loss * 1_000)
        row: Row = (name, "loss", seen.version, value, seen.observed_at, seen.size)
        caller = request(f"r{len(self.requests)}", str(row), MONITOR.actor)
        position = self.world.observe(row, caller=caller).first_position
        self.requests.append((caller, row, position))
        self.models[name].observations.append(seen)
        self.newest = max(self.newest or 0, seen.observed_at)

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send a request again: the first answer; its id with other content is refused."""
        caller, row, position = data.draw(st.sampled_from(self.requests))
        head = self.world.head
        again = self.world.observe(row, caller=caller)  # though its model may be retired by now
        assert (again.first_position, again.repeated) == (position, True)
        other = request(caller.request_id or "", "other", caller.actor)
        found = self.refusal(lambda: self.world.observe(row, caller=other))
        assert found is Reason.REQUEST_ID_REUSED
        assert self.world.head == head

    @rule(data=st.data())
    def evaluate(self, data: st.DataObject) -> None:
        """Ask for decisions."""
        self.decide(data.draw(st.lists(st.sampled_from(self.serving()), min_size=1, unique=True)))

    def decide(self, names: list[str]) -> None:
        """Evaluate models, and compare every score and decision."""
        decided = self.world.ledger.decisions.evaluate(ANA, names, None).decided
        for name, found in zip(names, decided, strict=True):
            model = self.models[name]
            newest = max((seen.observed_at for seen in model.selected()), default=None)
            time = newest if newest is not None else self.newest or 0
            assert parse_time(found.score.evaluated_at) == time
            assert self.scored(name, found.score) == outcome_in(found.decision)
            model.outcome = outcome_in(found.decision)

    @rule()
    def settle(self) -> None:
        """Let the evaluator do what is due: one score a model at most, decisions on change."""
        head = self.world.head
        self.world.settle()
        written = self.world.ledger.log.events(after=head)
        names = [event.stream[7:] for event in written if event.type == ScoreComputed.TYPE]
        assert len(names) == len(set(names))
        never = [name for name in self.serving() if self.models[name].priority is None]
        assert self.newest is None or set(never) <= set(names)
        decisions = {
            event.stream[7:]: outcome_in(typed(event, DecisionMade))
            for event in written
            if event.type in DECISION_TYPES
        }
        for event in written:
            if event.type != ScoreComputed.TYPE:
                continue
            name = event.stream[7:]
            model = self.models[name]
            outcome = self.scored(name, typed(event, ScoreComputed))
            is_change = outcome != (model.outcome or Outcome())
            assert (outcome if is_change else None) == decisions.pop(name, None)
            if is_change:
                model.outcome = outcome
        assert decisions == {}

    @rule(budget=st.integers(0, 3))
    def plan(self, budget: int) -> None:
        """Make a plan, which names every candidate once."""
        plan = self.world.plan(budget * PPM)
        assert {row.model for row in plan.backlog} <= set(self.serving())

    @rule(thresholds=st.sampled_from([STRICT, MILD]))
    def change_policy(self, thresholds: tuple[int, int, int]) -> None:
        """Bring other thresholds into force."""
        self.world.activate(text_of(thresholds))
        self.thresholds = thresholds

    @precondition(lambda self: len(self.serving()) > 1)
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        """Take a model out of the fleet."""
        name = data.draw(st.sampled_from(self.serving()))
        self.world.ledger.commands.retire_model(ANA, name, "enough")
        self.models[name].is_retired = True

    @rule()
    def restart(self) -> None:
        """Lose all that is not in the database."""
        self.world.restart()

    # ---- what always holds -----------------------------------------------------------------------

    @invariant()
    def is_whole_and_replays(self) -> None:
        """Fail unless the chain verifies and every score, decision and plan comes out again."""
        check_ledger(self.world.store, ORIGIN)
        self.world.check_replay()

    @invariant()
    def ranks_as_the_reference_does(self) -> None:
        """Fail unless a fold of the log gives the reference's queue."""
        fold = Fold(PrioritiesProjection(), on_poison=OnPoison.STOP)
        fold.apply(self.world.events())
        fold.publish()
        queue = [
            (
                place.row["model"],
                place.row["score"]["priority"] if place.row["score"] else None,
                place.row["decision"]["action"] if place.row["decision"] else None,
            )
            for place in ranked(visible(fold.rows.snapshot()))
        ]
        expected: list[tuple[str, int | None, Any]] = [
            (name, self.models[name].priority, outcome.action if outcome else None)
            for name in self.serving()
            for outcome in [self.models[name].outcome]
        ]
        expected.sort(key=lambda row: (row[1] is None, -(row[1] or 0), row[0]))
        assert queue == expected

    # ---- helpers ---------------------------------------------------------------------------------

    def scored(self, name: str, score: ScoreComputed) -> Outcome:
        """Fail unless a score is the reference's; return what the reference makes of it."""
        model, time = self.models[name], parse_time(score.evaluated_at)
        assert score.priority == model.priority_at(time)
        model.priority = score.priority
        return model.outcome_of(score.priority, time, self.thresholds)

    def refusal(self, call: Any) -> Reason:  # noqa: ANN401 - whatever it returns
        """Return why something was refused."""
        try:
            call()
        except LedgerError as error:
            return error.reason
        raise AssertionError("it was not refused")


TestLedger = LedgerMachine.TestCase
TestLedger.settings = SETTINGS


class LongLived(LedgerMachine):
    """The same, more often and for longer."""


TestLedgerForLong = pytest.mark.slow(LongLived.TestCase)
TestLedgerForLong.settings = settings(SETTINGS, max_examples=60, stateful_step_count=30)
