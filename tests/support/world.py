"""A whole ledger in one process without a thread of its own: every step is the test's.

The clock is fixed until it is moved, `settle` lets the evaluator do what is due, and a restart
loses all that is not in the database.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from ledger.application.commands import Caller
from ledger.application.decisions.decisions import RecordedDecision
from ledger.application.decisions.overrides import OverrideSpec, WrittenOverride
from ledger.application.decisions.replay import EventReplay, ReplayKind
from ledger.application.erasure import ErasureResult
from ledger.application.evaluation.evaluator import Evaluator
from ledger.application.evaluation.follower import Follower
from ledger.application.fleet.commands import DraftResult
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.fleet.fleet import ModelRecord
from ledger.application.ledger import LedgerApplication
from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.decisions import DECISION_TYPES, DecisionMade, ScoreComputed
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.models import ModelRegistered, ModelUpdated
from ledger.events.plans import PLAN_TYPES, PlanMade
from ledger.events.policies import ScopePart
from ledger.events.policy_document import Action
from ledger.events.registry import typed
from ledger.events.signals import SignalDefined
from ledger.events.values import SECOND
from ledger.storage import CreateLedger, Store, open_store
from ledger.storage.recorders import LedgerApplicationRecorder
from ledger.storage.records import AppendRequest, AppendResult, NewEvent
from ledger.storage.vault import Vault
from tests.support.builders import description
from tests.support.clocks import ManualClock
from tests.support.stores import edit

T = TypeVar("T", bound=EventData)

ORIGIN: Final = "ledger.example.com/fleet"
START: Final = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
ANA: Final = Caller("users/ana")
OFFICER: Final = Caller("users/dpo")
MONITOR: Final = Caller("services/monitor-1")
EVERYWHERE: Final = ScopePart(kind="ledger", model=None, labels={})
ALL_KINDS: Final[frozenset[ReplayKind]] = frozenset({"score", "decision", "plan"})

_VERSIONS: Final[dict[type[EventData], tuple[str, ...]]] = {
    DecisionMade: DECISION_TYPES,
    PlanMade: PLAN_TYPES,
}
Row = tuple[str, str, str, str | float, int, int]


class StillClock(ManualClock):
    """A clock whose monotonic side moves with the other, so that leases run out on demand."""

    def monotonic_seconds(self) -> float:
        """Return the seconds since 1970 that the clock shows."""
        return self.now_micros() / SECOND


class World:
    """One ledger with its evaluator; several worlds may share a store or follow one another."""

    def __init__(
        self,
        path: Path | str,
        *,
        clock: str = "data",
        shared: "World | None" = None,
        evaluating: bool = True,
        vault: Vault | None = None,
        unit: str = "",
    ) -> None:
        self.path = path
        self.evaluating = evaluating
        self._vault = vault
        self.clock: StillClock = shared.clock if shared else StillClock(START)
        self.trained: dict[tuple[str, str], int] = shared.trained if shared else {}
        self._owns_store = shared is None
        self.store: Store = (
            shared.store if shared else open_store(str(path), self.clock, vault=vault, create=True)
        )
        if not self.store.ledgers.all():
            made = CreateLedger(ORIGIN, clock, 300, "users/ana", unit_of_cost=unit)
            self.store.ledgers.create(made)
        self._open()

    def _open(self) -> None:
        info = self.store.ledgers.named(ORIGIN)
        recorder = LedgerApplicationRecorder(self.store, ORIGIN, str)
        self.ledger = LedgerApplication(self.store, info, recorder, self.clock)
        self.evaluator: Evaluator = self.ledger.evaluator()
        evaluator = self.evaluator if self.evaluating else None
        fleet = self.ledger.fleet
        self.follower = Follower(self.store, ORIGIN, fleet, evaluator, [], after=self.head)

    def close(self) -> None:
        """Stop, and give the file back."""
        self.follower.stop()
        if self._owns_store:
            self.store.close()

    def restart(self) -> None:
        """Forget all that is not in the database."""
        self.close()
        if self._owns_store:
            self.store = open_store(str(self.path), self.clock, vault=self._vault, create=True)
        self._open()

    def settle(self) -> None:
        """Let the evaluator do everything that is due."""
        while self.follower.step():
            pass
        assert self.follower.failure is None, self.follower.failure

    def govern(self) -> int:
        """Let the governor record all that is due; return how many events that were."""
        return self.ledger.governor.run_due()

    @property
    def head(self) -> int:
        """The last position."""
        return self.store.events.head(ORIGIN).position

    def model(self, name: str) -> ModelRecord:
        """Return a model as the fleet shows it now."""
        self.ledger.fleet.refresh()
        view = self.ledger.fleet.model(name)
        assert view is not None
        return view

    # ---- commands --------------------------------------------------------------------------------

    def begin(
        self,
        *models: str,
        policy: str | None = None,
        **changes: Any,  # noqa: ANN401 - parts of a policy
    ) -> "World":
        """Define `loss` and `drift`, register and deploy models, and bring a policy into force."""
        for signal in ("loss", "drift"):
            self.ledger.definitions.define(ANA, defined(signal))
        for model in models:
            self.register(model)
            self.deploy(model, "v1")
        self.activate(policy if policy is not None else policy_text(**changes))
        return self

    def register(self, model: str, **changes: object) -> AppendResult:
        """Register a model."""
        return self.ledger.commands.register_model(ANA, registered(model, **changes))

    def update(self, model: str, *, version: int | None = None, **changes: object) -> AppendResult:
        """Describe a model again."""
        return self.ledger.commands.update_model(ANA, updated(model, **changes), version)

    def deploy(
        self,
        model: str,
        version: str,
        *,
        at: int = START,
        through: int | None = None,
        baseline: str = "0.4",
        replaces: str | None = None,
    ) -> AppendResult:
        """Record that a version went into service."""
        trained = self.trained.setdefault((model, version), at) if through is None else through
        spec = DeploymentSpec(model, version, at, trained, baseline, replaces)
        return self.ledger.stated_deployments.record(ANA, spec)

    def draft(self, text: str, policy: str = "main") -> DraftResult:
        """Draft a policy's next version."""
        return self.ledger.commands.draft_policy(ANA, policy, text, "because")

    def activate(
        self, text: str, *, policy: str = "main", scope: ScopePart = EVERYWHERE
    ) -> AppendResult:
        """Draft a policy's next version and bring it into force."""
        drafted = self.draft(text, policy)
        number, digest = drafted.version, drafted.digest
        return self.ledger.commands.activate_policy(ANA, policy, number, digest, scope, "go")

    def observe(self, *rows: Row, caller: Caller = MONITOR) -> AppendResult:
        """Submit observations and wait for them."""
        return self.ledger.intake.submit(caller, rows).result().appended

    def see(
        self,
        model: str,
        value: str | float,
        at: int,
        *,
        signal: str = "loss",
        version: str = "",
        size: int = 100,
        caller: Caller = MONITOR,
    ) -> AppendResult:
        """Submit one observation."""
        return self.observe((model, signal, version, value, at, size), caller=caller)

    def override(self, model: str, action: Action, span: int, tier: str = "ds") -> WrittenOverride:
        """Set a model's action for so long."""
        spec = OverrideSpec(model, action, tier, "a person knows better", span // SECOND)
        return self.ledger.overrides.override(ANA, spec)

    def forge(
        self, stream: str, data: EventData | dict[str, Any], type_: str = "",
        **said: Any,  # noqa: ANN401 - of a body
    ) -> AppendResult:  # fmt: skip
        """Append any event at all, past every command."""
        plain = data.to_data() if isinstance(data, EventData) else data
        name = type_ or (data.TYPE if isinstance(data, EventData) else "")
        event = NewEvent(stream, name, encode_body(data=plain, **{"actor": "users/mallory"} | said))
        return self.store.requests.append(AppendRequest(ORIGIN, "users/mallory", "Forge", [event]))

    def plan(self, budget: int, *, cap: int | None = None, policy: str = "") -> PlanMade:
        """Make a plan and return it."""
        most = budget if cap is None else cap
        make = self.ledger.plans.make
        return make(ANA, policy=policy, budget_micros=budget, budget_cap_micros=most)[0]

    def evaluate(self, *models: str, at: int | None = None) -> tuple[RecordedDecision, ...]:
        """Evaluate on request and return what was recorded."""
        return self.ledger.decisions.evaluate(ANA, list(models), at).decided

    def erase(self, *positions: int) -> ErasureResult:
        """Erase the bodies of these events, as an authorised actor does."""
        ranges = [(position, position) for position in sorted(positions)]
        return self.ledger.erasure.erase_bodies(OFFICER, ranges, "GDPR Art. 17(1)(a)", "the board")

    def lose(self, position: int) -> None:
        """Remove an event's body and salt behind the ledger's back: no erasure names it."""
        gone = "UPDATE events SET body = NULL, salt = NULL WHERE position = :position"
        edit(self.store, gone, position=position)

    def before_append(self, act: Callable[[], object], *, each: bool = False) -> None:
        """Let something, not waited upon, happen right before the next append, or before each."""
        requests: Any = self.store.requests
        usual = requests.append

        def overtaken(asked: AppendRequest) -> AppendResult:
            requests.append = usual
            act()
            if each:
                requests.append = overtaken
            answer: AppendResult = usual(asked)
            return answer

        requests.append = overtaken

    # ---- reading ---------------------------------------------------------------------------------

    def events(self, *types: str) -> list[RecordedEvent]:
        """Return every event of these types."""
        return self.ledger.log.events(limit=1_000_000, types=types or None)

    def all_of(self, cls: type[T], model: str | None = None) -> list[T]:
        """Return the data of every event of a type, of one model or of all."""
        return [
            typed(event, cls)
            for event in self.events(*_VERSIONS.get(cls, (cls.TYPE,)))
            if model is None or event.stream == f"models/{model}"
        ]

    def scores(self, model: str | None = None) -> list[ScoreComputed]:
        """Return all scores."""
        return self.all_of(ScoreComputed, model)

    def decisions(self, model: str | None = None) -> list[DecisionMade]:
        """Return all decisions."""
        return self.all_of(DecisionMade, model)

    def replay(self, kinds: Collection[ReplayKind] = ALL_KINDS) -> list[EventReplay]:
        """Replay everything."""
        return list(self.ledger.replayer.replay_range(1, self.head, frozenset(kinds)))

    def check_replay(self) -> int:
        """Fail unless everything replays identically; return how much there was."""
        results = self.replay()
        assert {result.outcome for result in results} <= {"IDENTICAL"}, results
        return len(results)


def request(name: str, content: str = "", actor: str = "users/ana") -> Caller:
    return Caller(actor, name, hashlib.sha256(content.encode()).digest())


def reason_of(error: pytest.ExceptionInfo[LedgerError]) -> Reason:
    """Return why something was refused."""
    return error.value.reason


def defined(signal: str) -> SignalDefined:
    """Return the definition of a signal."""
    return SignalDefined(
        signal=signal,
        kind="performance",
        unit="nats",
        direction="higher_is_worse",
        meaning="how wrong it is",
        collection="beside inference",
    )


def registered(model: str, **changes: object) -> ModelRegistered:
    """Return the description of a model."""
    return ModelRegistered.from_data(
        description(model) | {"unit_value_micros": "1000000"} | changes
    )


def updated(model: str, **changes: object) -> ModelUpdated:
    """Return a new description of a model."""
    return ModelUpdated.from_data(description(model) | VALUE | changes)


def signal_rule(signal: str = "loss", **changes: object) -> dict[str, Any]:
    """Return a rule for one signal that believes one observation a bucket at once."""
    rule = {
        "signal": signal,
        "weight": 1,
        "baseline": 0.4,
        "critical": 1.4,
        "bucket": "1d",
        "window": "8d",
        "half_life": "4d",
        "breach": 0.3,
        "sustain": 0.5,
        "transient": 1,
        "min_buckets": 1,
        "sample_cap": 1_000_000,
        "prior_samples": 1,
        "rationale": "x",
    }
    return rule | changes


def rule(
    name: str, when: str, action: str = "SCHEDULE_RETRAINING", **more: object
) -> dict[str, Any]:
    """Return a decision rule."""
    tier = {"tier": "ds"}
    return {"id": name, "when": when, "action": action, "rationale": "x"} | tier | more


VALUE: Final = {"unit_value_micros": "1000000"}

PLANNING: Final[dict[str, Any]] = {
    "loss_signal": "loss",
    "candidates": "all",
    "max_periods": 10,
    "min_models": 100,
}


def policy_text(
    *,
    signals: Sequence[dict[str, Any]] | None = None,
    rules: Sequence[dict[str, Any]] | None = None,
    interval: str = "1h",
    silence: str = "7d",
    planning: dict[str, Any] | None = None,
    **decision: object,
) -> str:
    """Return a policy in its human form; `decision` goes into that part."""
    chosen = [rule("bad", "priority >= 300000")] if rules is None else list(rules)
    document = {
        "format": "policy/1",
        "title": "Test",
        "rationale": "for tests",
        "scoring": {
            "impact_gain": 0,
            "risk_gain": 0,
            "signals": [signal_rule()] if signals is None else list(signals),
        },
        "decision": {
            "cool_down": "0h",
            "rules": chosen,
            "error_tier": "ds",
        }
        | decision,
        "planning": PLANNING | (planning or {}),
        "evaluation": {"interval": interval, "silence": silence},
        "tiers": [{"name": "ds", "route": "mail", "acknowledge": "24h"}],
    }
    return json.dumps(document)
